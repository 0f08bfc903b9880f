package faults

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Values that no setting of a number, a list or a switch takes. test/e2e has each
// setting with all that it takes.
func TestSettingsThatCannotBeUsedStartNothing(t *testing.T) {
	t.Parallel()
	f := begin(t, "E1 E4")
	tried := 0
	for name, values := range map[string][]string{
		"MAX_IP_CONCURRENT_CONNECTIONS": {"four", "-1", "4.5", "99999999999999999999", "0x4", "1e3"},
		"GOP_CACHE_SIZE_MB":             {"-1", "256MB", "nan"},
		"RTMP_CHUNK_SIZE":               {"127", "65537", "-128"},
		"REDIS_USE":                     {"maybe", "2", "YES NO"},
		"RTMP_PLAY_WHITELIST":           {"10.0.0.0/33", "localhost", "10.0.0.1-10.0.0.9", ",", "10.0.0.1,,x", "::/129"},
		"CONCURRENT_LIMIT_WHITELIST":    {"1.2.3", "1.2.3.4/-1", "*.*", strings.Repeat("10.0.0.1,", 10_000) + "x"},
	} {
		for _, value := range values {
			tried++
			status, stdout, stderr := stage.Run(f.T, []string{name + "=" + value, "RTMP_PORT=0"})
			if status != 2 || stdout != "" || !strings.Contains(stderr, name) {
				f.Errorf("%s=%.40s: status %d, stdout %q, stderr %.200q", name, value, status, stdout, stderr)
			}
		}
	}
	list := strings.Repeat("192.0.2.1, 2001:db8::/32,", 5000) + " ::ffff:127.0.0.2 "
	one := begin(t, "E4", "RTMP_PLAY_WHITELIST="+canaryHost+","+list)
	c, err := stage.TryPlay(t, "127.0.0.2", one.server.Addr, stage.CanaryChannel+"/key")
	if err != nil {
		f.Errorf("an address in a list of ten thousand: %v", err)
	} else {
		_ = c.Conn.Close()
	}
	f.figure("values refused", tried)
}

// E2: the exact count of each address, in a storm of its own making.
func TestTheLimitOfAnAddressIsExactInAStorm(t *testing.T) {
	t.Parallel()
	f := begin(t, "E2", "MAX_IP_CONCURRENT_CONNECTIONS=4")
	attacker := host(7)
	ctx, cancel := context.WithTimeout(f.Context(), time.Duration(f.scale(3, 30))*time.Second)
	defer cancel()
	var tried, open, most atomic.Int64
	crowd(16, func(i int) {
		for ctx.Err() == nil {
			tried.Add(1)
			r, err := f.connect(attacker, f.server.Addr)
			if err != nil {
				continue
			}
			if r.handshake() == nil {
				now := open.Add(1)
				for was := most.Load(); now > was && !most.CompareAndSwap(was, now); was = most.Load() {
				}
				stage.Pause(ctx, time.Millisecond)
				open.Add(-1) // before the server can notice
			}
			r.reset()
		}
	})
	f.figure("connections tried", tried.Load())
	f.figure("open at once", most.Load())
	if most.Load() == 0 || most.Load() > 4 {
		f.Errorf("%d connections of one address were open at once", most.Load())
	}
	stage.Pause(f.Context(), 5*time.Second) // for its rate of new connections to recover
	for n := range 5 {
		r, err := f.connect(attacker, f.server.Addr)
		if accepted := err == nil && r.handshake() == nil; accepted != (n < 4) {
			f.Errorf("after the storm, connection %d: accepted %v, %v", n+1, accepted, err)
		}
	}
}

func TestASubnetOfIPv6IsOneAddress(t *testing.T) {
	t.Parallel()
	network := stage.NewNetwork(t)
	network.Own("fd00:1::/64")
	network.Own("fd00:2::/64")
	f := beginIn(t, "E3 E5", network, "MAX_IP_CONCURRENT_CONNECTIONS=4", "BIND_ADDRESS=")
	_, port, _ := net.SplitHostPort(f.server.Addr)
	count := func(n int, from func(i int) string, to string) (accepted int) {
		for i := range n {
			r, err := f.connect(from(i), net.JoinHostPort(to, port))
			if err == nil && r.handshake() == nil {
				accepted++
			}
		}
		return accepted
	}
	n := f.scale(90, 90) // the rate of new connections is bounded too
	f.figure("addresses", n)
	if got := count(n, func(i int) string { return fmt.Sprintf("fd00:1::%x", i+1) }, "fd00:1::1"); got != 4 {
		f.Errorf("%d connections of one /64 were accepted", got)
	}
	if got := count(5, func(int) string { return "fd00:2::7" }, "fd00:2::1"); got != 4 {
		f.Errorf("%d connections of another /64 were accepted", got)
	}
	// E5: one client by both names of its address.
	mapped := func(i int) string {
		if i%2 == 0 {
			return "::ffff:127.0.0.9"
		}
		return "127.0.0.9"
	}
	if got := count(8, mapped, "127.0.0.1"); got != 4 {
		f.Errorf("%d connections of one IPv4 address by two names were accepted", got)
	}
}

// E6: who is not counted is bound all the same.
func TestExemptAddressesAreBoundByEverythingElse(t *testing.T) {
	t.Parallel()
	f := begin(t, "E6", "MAX_IP_CONCURRENT_CONNECTIONS=1", "CONCURRENT_LIMIT_WHITELIST=127.0.0.0/8")
	silent, err := f.connect(host(1), f.server.Addr)
	if err != nil {
		f.Fatal(err)
	}
	bomb, err := f.connect(host(1), f.server.Addr)
	if err == nil {
		err = bomb.handshake()
	}
	if err != nil {
		f.Fatal(err)
	}
	if _, err := bomb.Write(header(3, 0xFFFFFF, rtmp.TypeCommand, 0)); err != nil {
		f.Fatal(err)
	}
	if _, ok := bomb.outlived(late); !ok {
		f.Error("a message longer than may be was begun")
	}
	took, ok := silent.outlived(handshakeLimit + late)
	if !ok {
		f.Error("a silent connection lives on")
	}
	f.figure("silent one closed after", took.Round(100*time.Millisecond))
}

// E7: by the thousand each second, from one address and from many.
func TestConnectionsByTheThousand(t *testing.T) {
	for _, from := range []struct {
		name  string
		hosts int
	}{{"one address", 1}, {"200 addresses", 200}} {
		t.Run(from.name, func(t *testing.T) {
			f := begin(t, "E7 J1", "MAX_IP_CONCURRENT_CONNECTIONS=4")
			seconds := f.scale(3, 20)
			ctx, cancel := context.WithTimeout(f.Context(), time.Duration(seconds)*time.Second)
			defer cancel()
			var tried atomic.Int64
			busy, lines, start := f.processor(), len(f.server.Log.All()), time.Now()
			crowd(8, func(i int) {
				for n := i; ctx.Err() == nil; n += 8 {
					dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host(n % from.hosts))}}
					conn, err := dialer.DialContext(ctx, "tcp", f.server.Addr)
					if err != nil {
						continue
					}
					_ = conn.(*net.TCPConn).SetLinger(0) // or this side runs out of ports
					_ = conn.Close()
					tried.Add(1)
				}
			})
			took := time.Since(start)
			f.joinsAtOnce()
			f.figure("connections a second", int(float64(tried.Load())/took.Seconds()))
			f.figure("processors", fmt.Sprintf("%.2f", (f.processor()-busy).Seconds()/took.Seconds()))
			logged := len(f.server.Log.All()) - lines
			f.figure("lines logged a second", int(float64(logged)/took.Seconds()))
			if logged > 40*(seconds+2) {
				f.Errorf("%d lines were logged in %v", logged, took)
			}
		})
	}
}

// E8: internal/access has headers of every kind.
func TestProxyHeadersOfStrangers(t *testing.T) {
	t.Parallel()
	f := begin(t, "E8", "PROXY_PROTOCOL_FROM=192.0.2.1", "MAX_IP_CONCURRENT_CONNECTIONS=4")
	for _, text := range []string{
		"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\x00\x02",
	} {
		r, err := f.connect(host(3), f.server.Addr)
		if err != nil {
			f.Fatal(err)
		}
		_, _ = r.Write([]byte(text))
		if took, ok := r.outlived(late); !ok {
			f.Errorf("%.5q was waited for: %v", text, took)
		}
	}
	for _, line := range f.server.Log.All() {
		if strings.Contains(line, "10.0.0.1") {
			f.Errorf("the forged address is believed: %s", line)
		}
	}
}
