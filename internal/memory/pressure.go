package memory

// The marks between which memory counts as short: from the first on, and until it is
// below the second.
const (
	shortAbove = 0.9
	calmBelow  = 0.8
)

// reading is how much memory is used, in bytes.
type reading struct {
	// heap is what the Go runtime uses, and group what all processes of the cgroup
	// do, with the kernel's buffers.
	heap, group int64
	// garbage is how much of it a collection would free, at most, and live what the
	// last one left.
	garbage, live int64
}

// full returns which part of the limit is used, with garbage and without.
func (l Limit) full(r reading) (all, live float64) {
	if l.Heap > 0 {
		all, live = float64(r.heap)/float64(l.Heap), float64(r.heap-r.garbage)/float64(l.Heap)
	}
	if l.cgroup != nil {
		all = max(all, float64(r.group)/float64(l.cgroup.limit))
		live = max(live, float64(r.group-r.garbage)/float64(l.cgroup.limit))
	}
	return all, live
}

// excess returns how many bytes have to be freed for memory to be no longer short.
func (l Limit) excess(r reading) int64 {
	excess := r.heap - int64(calmBelow*float64(l.Heap))
	if l.cgroup != nil {
		excess = max(excess, r.group-int64(calmBelow*float64(l.cgroup.limit)))
	}
	return max(0, excess)
}

// verdict is what there is to do.
type verdict uint8

const (
	goOn    verdict = iota
	collect         // the garbage, and look again
	refuse          // new connections, from now on
	shed            // what is kept for newcomers
	calm            // refuse and shed no longer
)

// pressure decides. It remembers whether memory is short.
type pressure struct{ short bool }

// decide says what to do about how full memory is. If garbage was collected just
// before, what is used is in use.
func (p *pressure) decide(all, live float64, collected bool) verdict {
	switch {
	case !p.short && (live > shortAbove || collected && all > shortAbove):
		p.short = true
		return refuse
	case p.short && all < calmBelow:
		p.short = false
		return calm
	case p.short && collected && all > shortAbove:
		return shed
	case !collected && (all > shortAbove || p.short):
		return collect
	default:
		return goOn
	}
}
