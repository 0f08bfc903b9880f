package rtmptest

import "sync"

// pacedReads is in how many reads a throttled end takes what it may in a second.
const pacedReads = 10

// pace is how fast one end of a connection reads.
type pace struct {
	mu      sync.Mutex // guards what follows
	changed *sync.Cond
	stalled bool
	rate    int // in bytes a second, 0 means any
}

func newPace() *pace {
	p := new(pace)
	p.changed = sync.NewCond(&p.mu)
	return p
}

func (p *pace) set(stalled bool, rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled, p.rate = stalled, rate
	p.changed.Broadcast()
}

// wait returns the rate, once reading is not stalled.
func (p *pace) wait() (rate int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled {
		p.changed.Wait()
	}
	return p.rate
}
