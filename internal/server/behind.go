package server

import (
	"cmp"
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Viewers who keep up are not closed for want of memory: they are not behind by more
// than a pass takes that waits for a large message, or hold no more than the kernel
// keeps for any of them.
const (
	behindAtLeast = time.Second
	heldAtLeast   = socket.SendBuffer
)

// straggler is a player that is behind, with what the log holds for it.
type straggler struct {
	c    *conn
	log  *stream.Log
	held int64
	// alone is how much of that it holds alone, once those farther behind are gone.
	alone int64
}

// CloseBehind ends the connections of the players farthest behind until so many bytes
// of media can be freed that are kept for them alone. It returns how many there were,
// and stops at those who keep up. What a viewer that does not read may be behind is
// bounded by time, so that channels of any bitrate together have no bound in bytes but
// this one. It neither blocks nor waits.
func (s *Server) CloseBehind(bytes int64) (closed int) {
	for _, one := range s.stragglers() {
		if bytes <= 0 {
			break
		}
		bytes -= one.alone
		if one.c.ended() { // what it holds is about to be freed
			continue
		}
		one.c.end(ReasonBehind, nil)
		_ = one.c.nc.socket.Close() // it would hold all that until it has read a goodbye
		closed++
	}
	return closed
}

// stragglers returns all of them, those first that hold most.
func (s *Server) stragglers() []straggler {
	var list []straggler
	for _, c := range s.open() {
		for _, a := range c.openAccounts() {
			if one, ok := a.straggles(); ok {
				list = append(list, one)
			}
		}
	}
	slices.SortFunc(list, func(a, b straggler) int { return cmp.Compare(b.held, a.held) })
	next := make(map[*stream.Log]int64)
	for i := range slices.Backward(list) {
		one := &list[i]
		one.alone = one.held - next[one.log]
		next[one.log] = one.held
	}
	return list
}

func (a *account) straggles() (one straggler, ok bool) {
	if a.player == nil {
		return straggler{}, false
	}
	log := a.player.subscription.Log()
	if log == nil {
		return straggler{}, false
	}
	held, lag, ok := a.player.place.Held(log)
	return straggler{c: a.c, log: log, held: held}, ok && held > heldAtLeast && lag > behindAtLeast
}
