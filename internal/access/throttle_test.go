package access

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// allowed counts how many of n attempts from a are let through now.
func allowed(l *Limiter, a netip.Addr, n int) (granted int) {
	for range n {
		if l.Allow(a) {
			granted++
		}
	}
	return granted
}

func TestAnAddressOpensOnlySoManyConnectionsASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(4, List{}, 64)
		a := addr("192.0.2.1")
		for _, step := range []struct {
			after time.Duration
			want  int
		}{
			{0, 100},
			{0, 0},
			{49 * time.Millisecond, 0},
			{time.Millisecond, 1},
			{time.Second, 20},
			{time.Second, 20},
			{4900 * time.Millisecond, 98},
			{5 * time.Second, 100},
			{time.Hour, 100}, // and no more has gathered
		} {
			time.Sleep(step.after)
			if n := allowed(l, a, 200); n != step.want {
				t.Errorf("%v later: %d connections, want %d", step.after, n, step.want)
			}
		}
	})
}

func TestRefusedAttemptsDoNotProlongTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(4, List{}, 64)
		a := addr("192.0.2.1")
		granted := 0
		for range 20_000 { // a flood of 1,000 a second
			granted += allowed(l, a, 1)
			time.Sleep(time.Millisecond)
		}
		if granted != 100+20*20-1 { // the last refill comes with the end
			t.Errorf("%d connections in 20 s, want 499", granted)
		}
	})
}

func TestTheRateIsThatOfTheLimit(t *testing.T) {
	tests := []struct {
		name     string
		limit    int
		exempt   string
		from     []string // 6,000 connections in turn
		want     int
		wantFive int // more after 5 s
	}{
		{"a small limit", 1, "", []string{"192.0.2.1"}, 100, 100},
		{"a large limit", 5000, "", []string{"192.0.2.1"}, 5000, 5000},
		{"no limit", 0, "", []string{"192.0.2.1"}, 6000, 6000},
		{"exempt", 4, "192.0.2.0/24", []string{"192.0.2.1", "::ffff:192.0.2.1"}, 6000, 6000},
		{"two addresses", 4, "", []string{"192.0.2.1", "192.0.2.2"}, 200, 200},
		{"mapped IPv4 is IPv4", 4, "", []string{"192.0.2.1", "::ffff:192.0.2.1"}, 100, 100},
		{"one subnet of IPv6", 4, "", []string{"2001:db8::1", "2001:db8::2"}, 100, 100},
		{"no address", 4, "", []string{"invalid"}, 100, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := NewLimiter(test.limit, mustList(t, test.exempt), 64)
				come := func() (granted int) {
					for i := range 6000 {
						granted += allowed(l, addr(test.from[i%len(test.from)]), 1)
					}
					return granted
				}
				if n := come(); n != test.want {
					t.Errorf("%d connections at once, want %d", n, test.want)
				}
				time.Sleep(refillTime)
				if n := come(); n != test.wantFive {
					t.Errorf("%d connections 5 s later, want %d", n, test.wantFive)
				}
			})
		})
	}
}

// subnet returns an address in the nth /64.
func subnet(n int) netip.Addr {
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(b[4:], uint32(n))
	return netip.AddrFrom16(b)
}

func TestTheThrottleForgetsFullBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(4, List{}, 64)
		known := func() int { return len(l.throttle.recent) + len(l.throttle.older) }
		for n := range 1000 {
			l.Allow(subnet(n))
		}
		if known() != 1000 {
			t.Errorf("%d subnets known, want 1000", known())
		}
		for range 2 {
			time.Sleep(refillTime)
			l.Allow(subnet(0))
		}
		if known() > 2 {
			t.Errorf("%d buckets are known that have been full for long", known())
		}
	})
}

// TestAFloodOfSubnetsTakesBoundedMemory comes from five times as many subnets as the throttle knows.
func TestAFloodOfSubnetsTakesBoundedMemory(t *testing.T) {
	l := NewLimiter(4, List{}, 64)
	for n := range 5 * maxThrottled {
		if !l.Allow(subnet(n)) {
			t.Fatalf("the first connection of subnet %d is refused", n)
		}
		if recent, older := len(l.throttle.recent), len(l.throttle.older); recent > maxThrottled || older > maxThrottled {
			t.Fatalf("%d and %d subnets are known", recent, older)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	l := NewLimiter(4, List{}, 64)
	a := addr("2001:db8::1")
	b.ReportAllocs()
	for b.Loop() {
		l.Allow(a)
	}
}
