package e2e

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// hasIPv6 reports whether this machine can talk to itself over IPv6.
func hasIPv6(t *testing.T) bool {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(stage.Loopback6, "0"))
	if err != nil {
		t.Logf("no IPv6 here: %v", err)
		return false
	}
	return l.Close() == nil
}

// startDualServer runs a server on all addresses, where IPv4 clients come in
// with IPv4-mapped addresses.
func startDualServer(t *testing.T, settings ...string) *stage.Server {
	t.Helper()
	return stage.Start(t, append([]string{"BIND_ADDRESS="}, settings...)...)
}

// accepted opens a connection and reports whether the server took it.
func accepted(t *testing.T, s *stage.Server, from string) (*stage.Client, bool) {
	t.Helper()
	start := time.Now()
	c, err := stage.DialFrom(t, from, s.Reach(from))
	if took := time.Since(start); took > time.Second {
		t.Errorf("the answer took %v", took)
	}
	return c, err == nil
}

func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		settings []string
		from     string
		want     int // connections that are accepted, of 6
	}{
		{"four by default", nil, "127.0.0.2", 4},
		{"two", []string{"MAX_IP_CONCURRENT_CONNECTIONS=2"}, "127.0.0.2", 2},
		{"no limit", []string{"MAX_IP_CONCURRENT_CONNECTIONS=0"}, "127.0.0.2", 6},
		{"other address exempt", exempt("127.0.0.3,10.0.0.0/8"), "127.0.0.2", 1},
		{"single address exempt", exempt("127.0.0.2"), "127.0.0.2", 6},
		{"subnet exempt", exempt("127.0.0.0/24"), "127.0.0.2", 6},
		{"beside the subnet", exempt("127.0.0.0/24"), "127.0.1.2", 1},
		{"IPv4-mapped address exempt", exempt("::ffff:127.0.0.2"), "127.0.0.2", 6},
		{"IPv4-mapped subnet exempt", exempt("::ffff:127.0.0.0/104"), "127.9.0.2", 6},
		{"spaces", exempt("  10.0.0.1 ,  127.0.0.2 , ::1  "), "127.0.0.2", 6},
		{"everyone exempt", exempt("*"), "127.0.0.2", 6},
		{"IPv6 limited", exempt("127.0.0.1"), stage.Loopback6, 1},
		{"IPv6 exempt", exempt("::1"), stage.Loopback6, 6},
		{"IPv6 subnet exempt", exempt("::/64"), stage.Loopback6, 6},
	}
	ipv6 := hasIPv6(t)
	for _, tt := range tests {
		if tt.from == stage.Loopback6 && !ipv6 {
			continue
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startDualServer(t, tt.settings...)
			got := 0
			for range 6 {
				if _, ok := accepted(t, s, tt.from); ok {
					got++
				}
			}
			if got != tt.want {
				t.Errorf("%d of 6 connections from %s were accepted, want %d", got, tt.from, tt.want)
			}
		})
	}
}

// exempt limits each address but those on the list to one connection.
func exempt(list string) []string {
	return []string{"MAX_IP_CONCURRENT_CONNECTIONS=1", "CONCURRENT_LIMIT_WHITELIST=" + list}
}

func TestConnectionLimitCountsEachAddressAlone(t *testing.T) {
	t.Parallel()
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=1")
	first, err := stage.TryPlay(t, "127.0.0.2", s.Addr, "channel/key")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := accepted(t, s, "127.0.0.2"); ok {
		t.Error("a second connection of the address was accepted")
	}
	if _, ok := accepted(t, s, "127.0.0.3"); !ok {
		t.Error("another address was refused")
	}
	first.Reset()
	s.AwaitLine("msg=end", "addr="+first.Conn.LocalAddr().String())
	freed := time.Now().Add(time.Second) // the place is given back right after that line
	for {
		if _, ok := accepted(t, s, "127.0.0.2"); ok {
			return
		}
		if time.Now().After(freed) {
			t.Fatal("the address was refused after its connection had ended")
		}
	}
}

func TestPlayWhitelist(t *testing.T) {
	t.Parallel()
	tests := []struct {
		list, from string
		allowed    bool
	}{
		{"", "127.0.0.2", true},
		{"*", "127.0.0.2", true},
		{"127.0.0.2", "127.0.0.2", true},
		{"127.0.0.2", "127.0.0.3", false},
		{"127.0.0.0/24,10.0.0.0/8", "127.0.0.200", true},
		{"127.0.0.0/24,10.0.0.0/8", "127.0.1.1", false},
		{"::ffff:127.0.0.2", "127.0.0.2", true},
		{"::ffff:127.0.0.2", "127.0.0.3", false},
		{" 192.0.2.1 , 127.0.0.2 ", "127.0.0.2", true},
		{"2001:db8::/32", "127.0.0.2", false},
		{"::1", stage.Loopback6, true},
		{"::/96", stage.Loopback6, true},
		{"127.0.0.0/8", stage.Loopback6, false},
	}
	ipv6 := hasIPv6(t)
	for _, tt := range tests {
		if tt.from == stage.Loopback6 && !ipv6 {
			continue
		}
		t.Run(tt.list+" from "+tt.from, func(t *testing.T) {
			t.Parallel()
			s := startDualServer(t, "RTMP_PLAY_WHITELIST="+tt.list)
			if _, err := stage.TryPublish(t, tt.from, s.Reach(tt.from), "channel/key"); err != nil {
				t.Errorf("the list is about players, but a publisher was refused: %v", err)
			}
			c, err := stage.TryPlay(t, tt.from, s.Reach(tt.from), "channel/key")
			if !tt.allowed {
				stage.CheckRefused(t, c, err, rtmp.CodePlayFailed)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLongAndInvalidNamesAreRefused(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 128)
	tests := []struct {
		name    string
		longest string // empty for the default
		path    string
		allowed bool
	}{
		{"128 characters", "", long + "/" + long, true},
		{"channel of 129", "", long + "x/key", false},
		{"key of 129", "", "channel/x" + long, false},
		{"set to 8", "8", "12345678/12345678", true},
		{"channel of 9, set to 8", "8", "123456789/key", false},
		{"key of 9, set to 8", "8", "channel/123456789", false},
		{"every character", "", "A-Za-z0-9_/-_09azAZ", true},
		{"dot", "", "channel/../key", false},
		{"space", "", "channel/a key", false},
		{"no key", "", "channel/", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, "ID_MAX_LENGTH="+tt.longest)
			publisher, publishErr := stage.TryPublish(t, "", s.Addr, tt.path)
			player, playErr := stage.TryPlay(t, "", s.Addr, tt.path)
			if tt.allowed {
				if publishErr != nil || playErr != nil {
					t.Errorf("publish: %v, play: %v", publishErr, playErr)
				}
				return
			}
			stage.CheckRefused(t, publisher, publishErr, rtmp.CodePublishBadName)
			stage.CheckRefused(t, player, playErr, rtmp.CodePlayStreamNotFound)
		})
	}
}
