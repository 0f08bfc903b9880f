package command

import (
	"math/rand/v2"
	"time"
)

// backoff spaces attempts to connect: pauses that double from least to most.
type backoff struct {
	least, most time.Duration
	next        time.Duration // 0 means least
}

// pause returns the time to wait before the next attempt. Up to half of it is
// taken off at random, so that servers which lost the same Redis do not come
// back to it in step.
func (b *backoff) pause() time.Duration {
	pause := max(b.next, b.least)
	b.next = min(2*pause, b.most)
	return pause - rand.N(pause/2+1) // #nosec G404 -- nobody gains from guessing it
}

// reset makes the next pause the shortest one.
func (b *backoff) reset() { b.next = 0 }
