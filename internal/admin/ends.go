package admin

import "sync"

// ends are the sessions that ended last.
type ends struct {
	mu    sync.Mutex // guards what follows
	ring  []End
	after int // where the next one goes once the ring is full
}

func (e *ends) add(end End) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.ring) < keptEnds {
		e.ring = append(e.ring, end)
		return
	}
	e.ring[e.after] = end
	e.after = (e.after + 1) % keptEnds
}

// newest returns the newest n, the newest first.
func (e *ends) newest(n int) []End {
	e.mu.Lock()
	defer e.mu.Unlock()
	n = min(n, len(e.ring))
	newest := make([]End, n)
	for i := range newest {
		newest[i] = e.ring[(e.after-1-i+2*len(e.ring))%len(e.ring)]
	}
	return newest
}
