package access

import (
	"net/netip"
	"sync"
	"time"
)

// defaultIPv6Prefix is the prefix that providers hand to one subscriber (RFC 6177), who can use each of its 2^64 addresses.
const defaultIPv6Prefix = 64

// Limiter counts the connections of each address and refuses those above the limit, or above the rate at which one address
// may open them. All listeners share one.
type Limiter struct {
	limit      int
	exempt     List
	ipv6Prefix int

	epoch    time.Time
	throttle *throttle

	mu     sync.Mutex
	active int
	// counts holds subscribers with at least one connection, so that it never outgrows the connections there are.
	counts map[netip.Addr]int
}

// NewLimiter returns a Limiter that grants limit connections to each IPv4 address and to each IPv6 subnet of v6prefix bits.
// A limit below 1 means no limit; a v6prefix outside 1 to 128 means 64. Addresses in exempt are neither limited nor counted.
// The rate follows from the limit: all of its connections at once, 100 at least, and as many anew every 5 s.
func NewLimiter(limit int, exempt List, v6prefix int) *Limiter {
	return &Limiter{
		limit: limit, exempt: exempt, ipv6Prefix: validPrefix(v6prefix), counts: make(map[netip.Addr]int),
		epoch: time.Now(), throttle: newThrottle(max(limit, minBurst), refillTime),
	}
}

func validPrefix(bits int) int {
	if bits < 1 || bits > 128 {
		return defaultIPv6Prefix
	}
	return bits
}

// Allow reports whether a may open one more connection now, for which [Limiter.Acquire] has to be asked as well, or has
// opened too many of late. Whoever has no limit has no rate either: a thousand viewers may come from one address.
func (l *Limiter) Allow(a netip.Addr) bool {
	if l.limit < 1 || l.exempt.Contains(a) {
		return true
	}
	return l.throttle.take(subscriber(a, l.ipv6Prefix), time.Since(l.epoch))
}

// Acquire counts one more connection from a, or reports false when a already holds as many as it may. The connection's owner
// calls release at its end; calling it again, or after a refusal, does nothing. Connections whose address is the invalid
// zero Addr share one count.
func (l *Limiter) Acquire(a netip.Addr) (release func(), ok bool) {
	if l.limit < 1 || l.exempt.Contains(a) {
		return nothing, true
	}
	from := subscriber(a, l.ipv6Prefix)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[from] >= l.limit {
		return nothing, false
	}
	l.counts[from]++
	l.active++
	return sync.OnceFunc(func() { l.release(from) }), true
}

func nothing() {}

func (l *Limiter) release(from netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
	if l.counts[from]--; l.counts[from] == 0 {
		delete(l.counts, from)
	}
}

// subscriber returns the address under which a is counted: its own for IPv4, the first one of its subnet, of ipv6Prefix bits,
// for IPv6.
func subscriber(a netip.Addr, ipv6Prefix int) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	subnet, _ := a.Prefix(ipv6Prefix) // fails for bad lengths only, and validPrefix lets none in
	return subnet.Addr()
}

// Active returns the number of counted connections.
func (l *Limiter) Active() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.active
}

// Len returns the number of addresses and IPv6 subnets that hold a counted connection.
func (l *Limiter) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.counts)
}
