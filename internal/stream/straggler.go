package stream

import (
	"cmp"
	"slices"
	"time"
)

// Viewers who keep up are no stragglers: they are not behind by more than a pass takes
// that waits for a large message, or hold no more than the kernel keeps for any of them.
const (
	behindAtLeast = time.Second
	heldAtLeast   = 256 << 10
)

// Straggler is a viewer that is behind, with what the log holds for it.
type Straggler struct {
	log  *Log
	held int64
	// alone is how much of that it holds alone, once those farther behind are gone.
	alone int64
	end   func() bool
}

// Straggler returns the viewer as one of them, unless it keeps up, or the channel is
// not live: its log is nil then. What end does is to have it let go of the log at once;
// it must not block, and reports false of a viewer that was about to go anyway.
func (p *Place) Straggler(log *Log, end func() bool) (one Straggler, ok bool) {
	at := p.at.Load()
	if log == nil || at == 0 {
		return Straggler{}, false
	}
	_, arrival := log.Head()
	one = Straggler{log: log, held: log.Held(at-1, p.position.Load()), end: end}
	return one, one.held > heldAtLeast && arrival-time.Duration(p.since.Load()) > behindAtLeast
}

// EndStragglers ends those farthest behind until so many bytes of media can be freed
// that are kept for them alone, and returns how many those were. What a viewer that
// does not read may be behind is bounded by time, so that channels of any bitrate
// together have no bound in bytes but this one. It sorts the list.
func EndStragglers(list []Straggler, bytes int64) (ended int) {
	slices.SortFunc(list, func(a, b Straggler) int { return cmp.Compare(b.held, a.held) })
	next := make(map[*Log]int64)
	for i := range slices.Backward(list) {
		one := &list[i]
		one.alone = one.held - next[one.log]
		next[one.log] = one.held
	}
	for _, one := range list {
		if bytes <= 0 {
			break
		}
		bytes -= one.alone
		if one.end() {
			ended++
		}
	}
	return ended
}
