package hook

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	// maxInFlight bounds the start requests that the backend has to deal with at the same time. It keeps a crowd of
	// publishers from taking the backend down.
	maxInFlight = 64
	// maxWaiting bounds the publishers who wait for their turn. It stops floods of publishers with made-up keys.
	maxWaiting = 256
	// maxWait bounds their wait. What is left of startTimeout is for the request: one that is sent too late would be cut
	// after the backend has accepted it.
	maxWait = 3 * time.Second
)

// gate lets maxInFlight requests through at a time and maxWaiting others wait, first come, first served.
type gate struct {
	slots   chan struct{}
	waiting atomic.Int64
}

func newGate() *gate { return &gate{slots: make(chan struct{}, maxInFlight)} }

// enter waits for a slot, until ctx, the hook or the patience ends. Whoever entered must leave.
func (g *gate) enter(ctx, hook context.Context) error {
	select {
	case g.slots <- struct{}{}:
		return nil
	default:
	}
	defer g.waiting.Add(-1)
	if g.waiting.Add(1) > maxWaiting {
		return fmt.Errorf("%w: %d publishers wait already", ErrOverloaded, maxWaiting)
	}
	patience := time.NewTimer(maxWait)
	defer patience.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return gone(ctx)
	case <-hook.Done():
		return ErrClosed
	case <-patience.C:
		return fmt.Errorf("%w: no turn within %v", ErrOverloaded, maxWait)
	}
}

func (g *gate) leave() { <-g.slots }

// gone is the error of a start whose caller does not wait for it any more.
func gone(ctx context.Context) error {
	return fmt.Errorf("publisher gone before the callback was answered: %w", ctx.Err())
}
