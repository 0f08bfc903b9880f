package socket

import "sync/atomic"

// Turn is the right to write to a connection: one has it at a time. Nobody waits
// for it; whoever wants something written while another has the turn leaves that
// to the other. The zero value is free.
type Turn struct{ state atomic.Uint32 }

// The states of a turn.
const (
	turnFree  uint32 = iota
	turnTaken        // somebody writes
	turnAgain        // somebody writes, and has to look for more when done
)

// Take reports whether the caller has the turn now; whoever has it looks again
// otherwise.
func (t *Turn) Take() bool {
	for {
		if t.state.CompareAndSwap(turnFree, turnTaken) {
			return true
		}
		if t.state.CompareAndSwap(turnTaken, turnAgain) || t.state.Load() == turnAgain {
			return false
		}
	}
}

// Give reports whether the turn is given back; if not, there is more to do.
func (t *Turn) Give() bool {
	if t.state.CompareAndSwap(turnTaken, turnFree) {
		return true
	}
	t.state.Store(turnTaken)
	return false
}
