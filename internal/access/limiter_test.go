package access

import (
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func mustList(t testing.TB, text string) List {
	t.Helper()
	list, err := ParseList(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestLimiterCountsPerAddressAndSubnet(t *testing.T) {
	tests := []struct {
		name     string
		limit    int
		exempt   string
		v6prefix int
		from     []string // one connection after the other, none of them closed
		refused  []int    // indexes into from
		len      int
		active   int
	}{
		{name: "the third of two", limit: 2, v6prefix: 64, from: []string{"192.0.2.1", "192.0.2.1", "192.0.2.1"}, refused: []int{2}, len: 1, active: 2},
		{name: "IPv4 addresses apart", limit: 1, v6prefix: 64, from: []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}, refused: []int{2}, len: 2, active: 2},
		{name: "mapped IPv4 is IPv4", limit: 1, v6prefix: 64, from: []string{"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"}, refused: []int{1}, len: 2, active: 2},
		{name: "one subnet of IPv6", limit: 1, v6prefix: 64, from: []string{"2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"}, refused: []int{1}, len: 2, active: 2},
		{name: "another prefix", limit: 1, v6prefix: 48, from: []string{"2001:db8::1", "2001:db8:0:1::1", "2001:db8:1::1"}, refused: []int{1}, len: 2, active: 2},
		{name: "single IPv6 addresses", limit: 1, v6prefix: 128, from: []string{"2001:db8::1", "2001:db8::2", "2001:db8::1"}, refused: []int{2}, len: 2, active: 2},
		{name: "prefix 0 is 64", limit: 1, v6prefix: 0, from: []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}, refused: []int{1}, len: 2, active: 2},
		{name: "prefix 129 is 64", limit: 1, v6prefix: 129, from: []string{"2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"}, refused: []int{1}, len: 2, active: 2},
		{name: "families apart", limit: 1, v6prefix: 1, from: []string{"0.0.0.0", "::", "::1"}, refused: []int{2}, len: 2, active: 2},
		{name: "zones do not matter", limit: 1, v6prefix: 64, from: []string{"fe80::1%eth0", "fe80::1%eth1"}, refused: []int{1}, len: 1, active: 1},
		{name: "no limit", limit: 0, v6prefix: 64, from: []string{"192.0.2.1", "192.0.2.1"}},
		{name: "below no limit", limit: -1, v6prefix: 64, from: []string{"192.0.2.1", "192.0.2.1"}},
		{name: "exempt", limit: 1, exempt: "192.0.2.0/24", v6prefix: 64, from: []string{"192.0.2.1", "::ffff:192.0.2.1", "198.51.100.1", "198.51.100.1"}, refused: []int{3}, len: 1, active: 1},
		{name: "everyone exempt", limit: 1, exempt: "*", v6prefix: 64, from: []string{"192.0.2.1", "192.0.2.1", "::1", "::1"}},
		{name: "no address", limit: 1, v6prefix: 64, from: []string{"invalid", "invalid"}, refused: []int{1}, len: 1, active: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			limiter := NewLimiter(test.limit, mustList(t, test.exempt), test.v6prefix)
			var refused []int
			var releases []func()
			for i, from := range test.from {
				release, ok := limiter.Acquire(addr(from))
				if !ok {
					refused = append(refused, i)
				}
				releases = append(releases, release)
			}
			if fmt.Sprint(refused) != fmt.Sprint(test.refused) {
				t.Errorf("refused %v, want %v", refused, test.refused)
			}
			if limiter.Len() != test.len || limiter.Active() != test.active {
				t.Errorf("Len %d, Active %d, want %d and %d", limiter.Len(), limiter.Active(), test.len, test.active)
			}
			for _, release := range releases {
				release()
			}
			if limiter.Len() != 0 || limiter.Active() != 0 {
				t.Errorf("after the release of all: Len %d, Active %d", limiter.Len(), limiter.Active())
			}
		})
	}
}

func TestReleaseTwiceFreesOnePlace(t *testing.T) {
	limiter := NewLimiter(2, List{}, 64)
	a := addr("192.0.2.1")
	first, _ := limiter.Acquire(a)
	limiter.Acquire(a)
	refused, ok := limiter.Acquire(a)
	if ok {
		t.Fatal("the third connection was let in")
	}
	refused()
	if _, ok := limiter.Acquire(a); ok {
		t.Fatal("the release of a refused connection freed a place")
	}
	first()
	first()
	if _, ok := limiter.Acquire(a); !ok {
		t.Fatal("no place after a release")
	}
	if _, ok := limiter.Acquire(a); ok {
		t.Fatal("a second release freed a second place")
	}
}

func TestLimitHoldsUnderRace(t *testing.T) {
	const limit, goroutines, rounds = 3, 64, 2_000
	limiter := NewLimiter(limit, List{}, 64)
	addrs := []netip.Addr{addr("192.0.2.1"), addr("::ffff:192.0.2.1"), addr("2001:db8::1"), addr("2001:db8::2")}
	var live [2]atomic.Int64 // addrs are two subscribers
	var granted, above atomic.Int64
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range rounds {
				n := (g + i) % len(addrs)
				release, ok := limiter.Acquire(addrs[n])
				if !ok {
					continue
				}
				granted.Add(1)
				if live[n/2].Add(1) > limit {
					above.Add(1)
				}
				runtime.Gosched() // hold it while the others try
				live[n/2].Add(-1)
				go release() // twice at once: only one may count
				release()
			}
		})
	}
	wg.Wait()
	if above.Load() != 0 {
		t.Errorf("above the limit %d times", above.Load())
	}
	if granted.Load() == 0 {
		t.Error("no connection was let in")
	}
	if limiter.Len() != 0 || limiter.Active() != 0 {
		t.Errorf("at the end: Len %d, Active %d", limiter.Len(), limiter.Active())
	}
}

func TestRefusalAllocatesNothing(t *testing.T) {
	limiter := NewLimiter(1, List{}, 64)
	a := addr("2001:db8::1")
	limiter.Acquire(a)
	if n := testing.AllocsPerRun(100, func() { limiter.Acquire(a) }); n != 0 {
		t.Errorf("a refused Acquire allocates %v times", n)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	limiter := NewLimiter(4, List{}, 64)
	a := addr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		release, _ := limiter.Acquire(a)
		release()
	}
}
