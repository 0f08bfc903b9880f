package access

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// tried counts how many wrong keys a could try of n.
func tried(g *Guesses, a netip.Addr, n int) (looked int) {
	for range n {
		if g.Allow(a) {
			looked++
			g.Wrong(a)
		}
	}
	return looked
}

func TestAnAddressTriesOnlySoManyKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGuesses(10, List{}, 64)
		a := addr("192.0.2.1")
		for _, step := range []struct {
			after time.Duration
			want  int
		}{
			{0, 10},
			{0, 0},
			{6*time.Second - 1, 0},
			{1, 1},
			{30 * time.Second, 5},
			{time.Minute, 10},
			{time.Hour, 10}, // and no more has gathered
		} {
			time.Sleep(step.after)
			if n := tried(g, a, 10_000); n != step.want {
				t.Errorf("%v later: %d keys, want %d", step.after, n, step.want)
			}
		}
	})
}

func TestRightKeysAreNotCounted(t *testing.T) {
	g := NewGuesses(1, List{}, 64)
	for range 1000 {
		if !g.Allow(addr("192.0.2.1")) {
			t.Fatal("refused without a wrong key")
		}
	}
}

func TestGuessesCountForTheirAddress(t *testing.T) {
	tests := []struct {
		name      string
		perMinute int
		exempt    string
		from      [2]string
		want      int // keys that the second can try after the first has tried many
	}{
		{"the same", 10, "", [2]string{"192.0.2.1", "192.0.2.1"}, 0},
		{"another", 10, "", [2]string{"192.0.2.1", "192.0.2.2"}, 10},
		{"mapped IPv4 is IPv4", 10, "", [2]string{"192.0.2.1", "::ffff:192.0.2.1"}, 0},
		{"one subnet of IPv6", 10, "", [2]string{"2001:db8::1", "2001:db8::2"}, 0},
		{"two subnets of IPv6", 10, "", [2]string{"2001:db8::1", "2001:db8:0:1::1"}, 10},
		{"exempt", 10, "192.0.2.0/24", [2]string{"192.0.2.1", "192.0.2.1"}, 100},
		{"no limit", 0, "", [2]string{"192.0.2.1", "192.0.2.1"}, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				exempt, err := ParseList(test.exempt)
				if err != nil {
					t.Fatal(err)
				}
				g := NewGuesses(test.perMinute, exempt, 0) // the prefix is 64 then
				tried(g, addr(test.from[0]), 100)
				if n := tried(g, addr(test.from[1]), 100); n != test.want {
					t.Errorf("%d keys, want %d", n, test.want)
				}
			})
		})
	}
}

// A flood of guesses from random subnets takes no more memory than its bound.
func TestGuessesOfManyAddressesAreBounded(t *testing.T) {
	g := NewGuesses(10, List{}, 64)
	for i := range 3 * maxThrottled {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], 0x2001_0db8<<32|uint64(i))
		g.Wrong(netip.AddrFrom16(b))
	}
	if n := len(g.throttle.recent) + len(g.throttle.older); n > 2*maxThrottled {
		t.Errorf("%d addresses are known, want %d at most", n, 2*maxThrottled)
	}
}

func TestDeniedKeepsTheErrorAsItIs(t *testing.T) {
	cause := errors.New("status 403")
	err := fmt.Errorf("ask: %w", Denied(cause))
	if !errors.Is(err, ErrDenied) || !errors.Is(err, cause) || err.Error() != "ask: status 403" {
		t.Errorf("%v", err)
	}
	if errors.Is(cause, ErrDenied) {
		t.Error("an error is denied that was not marked")
	}
}
