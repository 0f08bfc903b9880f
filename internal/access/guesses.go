package access

import (
	"net/netip"
	"time"
)

// guessTime is how long an empty bucket of guesses takes to be full again.
const guessTime = time.Minute

// Guesses counts the wrong keys of each address, of late, and says when there have been too many. It stops those who try
// keys until one is right, which connections and their rate do not show.
type Guesses struct {
	limit      int
	exempt     List
	ipv6Prefix int

	epoch    time.Time
	throttle *throttle
}

// NewGuesses returns one that grants perMinute wrong keys to each IPv4 address and to each IPv6 subnet of v6prefix bits, which
// is read as by [NewLimiter], and as many again in a minute. Below 1 there is no limit, nor is there for addresses in exempt.
func NewGuesses(perMinute int, exempt List, v6prefix int) *Guesses {
	g := &Guesses{limit: perMinute, exempt: exempt, ipv6Prefix: validPrefix(v6prefix), epoch: time.Now()}
	if perMinute > 0 {
		g.throttle = newThrottle(perMinute, guessTime)
	}
	return g
}

// Allow reports whether a may try a key: it has not used up what it is granted. That who tries at the same time does not
// know of the others yet is no loss: an address has only so many connections.
func (g *Guesses) Allow(a netip.Addr) bool {
	return g.unlimited(a) || g.throttle.allows(subscriber(a, g.ipv6Prefix), time.Since(g.epoch))
}

// Wrong counts a wrong key of a. Right ones are not counted, and change nothing.
func (g *Guesses) Wrong(a netip.Addr) {
	if !g.unlimited(a) {
		g.throttle.take(subscriber(a, g.ipv6Prefix), time.Since(g.epoch))
	}
}

func (g *Guesses) unlimited(a netip.Addr) bool { return g.limit < 1 || g.exempt.Contains(a) }
