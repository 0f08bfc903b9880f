package bench

import (
	"context"
	"time"
)

// ramp lets a number of joins happen per second.
type ramp struct {
	start time.Time
	rate  int
	done  int
}

func newRamp(rate int) *ramp { return &ramp{start: time.Now(), rate: rate} }

// wait returns when the next join is due.
func (r *ramp) wait(ctx context.Context) error {
	due := r.start.Add(r.span(r.done))
	r.done++
	if ctx.Err() != nil || time.Until(due) > 0 && !wait(ctx, time.Until(due)) {
		return ErrInterrupted
	}
	return nil
}

// span is how long n joins take.
func (r *ramp) span(n int) time.Duration {
	return time.Duration(n) * time.Second / time.Duration(r.rate)
}
