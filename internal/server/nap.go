package server

import (
	"os"
	"time"
)

const (
	// shortestNap is what is worth a timer.
	shortestNap = 4 * time.Millisecond
	// unwatchedNap is the longest while nobody watches; who comes meanwhile
	// starts with what had come before it. A whole number of them is a second, or
	// the rates of a second would vary.
	unwatchedNap = 200 * time.Millisecond
	// napBytes is how much may gather in the socket meanwhile: what two reads take,
	// less than what the kernel takes before the peer has to wait.
	napBytes = 120 << 10
	// napRoom is how much the kernel takes at least, from the first nap on. While
	// more than half of it is left, a read needs no acknowledgement to tell the
	// peer that there is room again.
	napRoom = 4 * napBytes
	// napGrid is what naps for nobody end at multiples of, those of one in
	// napGroups publishers at a time: one wake-up of the process serves many of
	// them, and what they all sent is not read at once.
	napGrid   = 40 * time.Millisecond
	napGroups = 2
	// readTime is left to read what gathered before the next pass.
	readTime = 3 * time.Millisecond
)

// takeNap lets what a publisher sends gather in its socket while nobody could be
// sent it anyway: fewer reads, and fewer times that the process wakes up. It ends
// early when napBytes have come, and when the publisher leaves.
//
// It comes before a read of the connection. While the socket has more there is no
// rest. The error says that the connection was asked to end meanwhile.
func (c *conn) takeNap() error {
	if len(c.publishing) == 0 || !c.in.canRest() || c.in.full {
		return nil
	}
	now := c.server.now()
	until := c.unserved(now)
	if until-now < shortestNap {
		return nil
	}
	c.setReadDeadline(c.server.epoch.Add(until))
	if !c.ended() {
		c.in.rest()
	}
	if c.ended() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

// rise implements intakeOwner.
func (c *conn) rise() { c.setReadDeadline(time.Time{}) }

// setReadDeadline does not replace that of a connection that has to end.
func (c *conn) setReadDeadline(t time.Time) {
	_ = c.nc.SetReadDeadline(t)
	if c.ended() {
		_ = c.nc.SetReadDeadline(longAgo)
	}
}

// unserved is until when nobody is served what the connection publishes; a
// connection that publishes nothing has no such time.
func (c *conn) unserved(now time.Duration) time.Duration {
	until := now
	for _, s := range c.publishing {
		rest, watched := s.publication.Resting()
		rest -= readTime
		if !watched {
			rest = c.gridTime(now + unwatchedNap)
		}
		if until == now || rest < until {
			until = rest
		}
	}
	return until
}

// gridTime is the last time of the connection's group up to the given one.
func (c *conn) gridTime(t time.Duration) time.Duration {
	phase := time.Duration(c.id%napGroups) * (napGrid / napGroups)
	return (t-phase)/napGrid*napGrid + phase
}
