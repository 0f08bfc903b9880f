package server

import "time"

// bucket is a token bucket that needs no memory but the time, on the server's
// clock, at which it is full again; the zero value is full. A connection has some
// of them, and thousands of connections do nothing.
type bucket time.Duration

// budget is what a bucket grants: so many at once, and one more in each each.
type budget struct {
	burst int
	each  time.Duration
}

// perSecond is the budget of a rate.
func perSecond(rate, burst int) budget { return budget{burst, time.Second / time.Duration(rate)} }

// take takes one out of the bucket, or reports that it is empty.
func (b *bucket) take(now time.Duration, from budget) bool { return b.takeAll(now, 1, from) }

// takeAll takes n out of the bucket, or reports that there are not so many.
func (b *bucket) takeAll(now time.Duration, n int, from budget) bool {
	return b.spend(now, from.each*time.Duration(n), from.each*time.Duration(from.burst))
}

// spend takes what it costs, given as the time in which as much comes back, out
// of a bucket that is empty for the time whole once all of it is taken.
func (b *bucket) spend(now, cost, whole time.Duration) bool {
	full := max(time.Duration(*b), now) + cost
	if full-now > whole {
		return false
	}
	*b = bucket(full)
	return true
}
