package access

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// minBurst is the least number of connections that a subscriber may open at once. It leaves room for all programs of an
	// office or a studio that start together.
	minBurst = 100
	// refillTime is how long an empty bucket takes to be full again: with the burst above, 20 connections a second.
	refillTime = 5 * time.Second
	// maxThrottled bounds the subscribers that a generation of the throttle knows. It stops a flood from random IPv6 subnets from
	// filling the memory: both generations together take about 10 MB then.
	maxThrottled = 1 << 16
)

// throttle is a token bucket for each subscriber. It stops those who connect and leave all the time, which the number of
// connections they have does not show, and those who try keys.
//
// A bucket is known by the time at which it is full again. One that is full needs no memory, and each is so the refill time
// after it was last drawn from: so there are two generations, and the older one is forgotten when the recent one is that old.
// Beyond maxThrottled subscribers it is forgotten earlier, which is a gift of a full bucket.
type throttle struct {
	burst time.Duration // a full bucket, as the time it takes to fill
	each  time.Duration // the time that one takes of it

	mu            sync.Mutex
	recent, older map[netip.Addr]time.Duration
	begun         time.Duration // of the recent generation
}

// newThrottle returns one whose buckets hold n, and are full again after the refill time.
func newThrottle(n int, refill time.Duration) *throttle {
	each := refill / time.Duration(n)
	return &throttle{burst: each * time.Duration(n), each: each, recent: make(map[netip.Addr]time.Duration)}
}

// take takes one out of the bucket, or reports that it is empty.
func (t *throttle) take(from netip.Addr, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now-t.begun >= t.burst || len(t.recent) >= maxThrottled {
		t.older, t.recent, t.begun = t.recent, make(map[netip.Addr]time.Duration), now
	}
	full := t.full(from, now) + t.each
	if full-now > t.burst {
		return false
	}
	t.recent[from] = full
	return true
}

// allows reports whether take would find one, without taking it.
func (t *throttle) allows(from netip.Addr, now time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.full(from, now)+t.each-now <= t.burst
}

// full is when the bucket is full, or was; the lock is held.
func (t *throttle) full(from netip.Addr, now time.Duration) time.Duration {
	full, ok := t.recent[from]
	if !ok {
		full = t.older[from]
	}
	return max(full, now)
}
