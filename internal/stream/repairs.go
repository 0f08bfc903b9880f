package stream

import "sync/atomic"

// Repairs counts what was wrong with the timestamps of a publisher, and was
// mended for its viewers.
type Repairs struct {
	// Jumps is how often tracks went on more than 10 s away from where they
	// were, or fell back for good. Tracks that jump together count once, and so
	// does a jump with the way back.
	Jumps uint64
	// Backward is how often a track stepped back, and was held until it had
	// caught up.
	Backward uint64
	// Stuck is how often a track's clock stood still for a second or more while
	// messages came.
	Stuck uint64
}

// Plus returns the sum of both.
func (r Repairs) Plus(other Repairs) Repairs {
	return Repairs{r.Jumps + other.Jumps, r.Backward + other.Backward, r.Stuck + other.Stuck}
}

// repairCounts are Repairs that are counted while others read them.
type repairCounts struct{ jumps, backward, stuck atomic.Uint64 }

// total is how many repairs there were.
func (r *repairCounts) total() uint64 { return r.jumps.Load() + r.backward.Load() + r.stuck.Load() }

// Repairs returns what was mended so far. It may be called at any time.
func (l *Log) Repairs() Repairs {
	counts := &l.timeline.repairs
	return Repairs{Jumps: counts.jumps.Load(), Backward: counts.backward.Load(), Stuck: counts.stuck.Load()}
}
