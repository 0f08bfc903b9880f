package bench

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// maxPacers is how many goroutines send for all publishers.
	maxPacers = 4
	// pacerRest is the shortest pause between two passes of a pacer: a thousand
	// publishers do not wake it for each frame.
	pacerRest = time.Millisecond
	// maxCatchUp is how much a publisher that was held up sends at once to catch
	// up; what is older is never sent.
	maxCatchUp = time.Second
)

// pacer sends the frames of some publishers when they are due, on a schedule
// that does not depend on how long sending takes.
type pacer struct {
	synthetic *synthetic
	clock     *clock
	window    *window

	mu         sync.Mutex // guards publishers
	publishers []*publisher
	added      chan struct{}
}

func newPacer(r *run) *pacer {
	return &pacer{
		synthetic: newSynthetic(r.shape),
		clock:     &r.clock,
		window:    r.window,
		added:     make(chan struct{}, 1),
	}
}

func (c *pacer) add(p *publisher) {
	c.mu.Lock()
	c.publishers = append(c.publishers, p)
	c.mu.Unlock()
	select {
	case c.added <- struct{}{}:
	default:
	}
}

// run sends until ctx ends.
func (c *pacer) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.added:
		case <-timer.C:
		}
		timer.Reset(max(time.Until(c.pass(time.Now())), pacerRest))
	}
}

// pass sends everything that is due and returns when to come again.
func (c *pacer) pass(now time.Time) time.Time {
	c.mu.Lock()
	c.publishers = slices.DeleteFunc(c.publishers, func(p *publisher) bool { return p.failed.Load() })
	publishers := c.publishers
	c.mu.Unlock()
	next := now.Add(time.Second)
	for _, p := range publishers {
		due := p.due(c.synthetic.shape)
		if late := now.Sub(due); late > maxCatchUp {
			p.start = p.start.Add(late)
			due = now
		}
		for !due.After(now) {
			if err := p.send(c.synthetic, c.clock, c.window); err != nil {
				p.failed.Store(true) // the reader of the connection tells why
				_ = p.conn.Close()
				break
			}
			due = p.due(c.synthetic.shape)
		}
		if due.Before(next) {
			next = due
		}
	}
	return next
}
