package admin

import (
	"net/netip"
	"sync"
	"time"
)

const (
	// maxFailures a minute from one address stop guesses of the token, and let a
	// person mistype it.
	maxFailures   = 10
	failureWindow = time.Minute
	// maxSuspects stops floods from many addresses from filling the memory.
	maxSuspects = 4096
	// suspectBits of an IPv6 address are one suspect: one subscriber has all that
	// follows.
	suspectBits = 64
)

// brake counts the wrong tokens of each address.
type brake struct {
	mu       sync.Mutex // guards suspects
	suspects map[netip.Prefix]failures
}

type failures struct {
	count int
	since time.Time
}

func newBrake() *brake { return &brake{suspects: make(map[netip.Prefix]failures)} }

// suspect is who a request counts for.
func suspect(address string) netip.Prefix {
	from, err := netip.ParseAddrPort(address)
	if err != nil {
		return netip.Prefix{}
	}
	addr := from.Addr().Unmap()
	prefix, _ := addr.WithZone("").Prefix(min(addr.BitLen(), suspectBits))
	return prefix
}

// holds reports whether an address has failed too often.
func (b *brake) holds(address string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.current(suspect(address)).count >= maxFailures
}

// fail counts a failure, and reports whether it is the one that makes the brake
// hold.
func (b *brake) fail(address string) bool {
	who := suspect(address)
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.current(who)
	if f.count == 0 {
		f.since = time.Now()
		b.makeRoom()
	}
	f.count++
	b.suspects[who] = f
	return f.count == maxFailures
}

// current is called with the lock held.
func (b *brake) current(who netip.Prefix) failures {
	f := b.suspects[who]
	if time.Since(f.since) >= failureWindow {
		delete(b.suspects, who)
		return failures{}
	}
	return f
}

// makeRoom is called with the lock held.
func (b *brake) makeRoom() {
	if len(b.suspects) < maxSuspects {
		return
	}
	for who := range b.suspects {
		b.current(who) // forgets it if its time is up
	}
	for who := range b.suspects {
		if len(b.suspects) < maxSuspects {
			return
		}
		delete(b.suspects, who)
	}
}
