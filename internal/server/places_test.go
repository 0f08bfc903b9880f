package server

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

func TestTheShareOfNewcomers(t *testing.T) {
	for _, test := range []struct{ limit, want int }{
		{0, 0}, {1, 1}, {64, 64}, {100, 64}, {256, 64}, {260, 65}, {4000, 1000}, {1 << 20, maxNewcomers},
	} {
		if p := newPlaces(test.limit); p.newcomerLimit != test.want {
			t.Errorf("%d of %d connections may be newcomers, want %d", p.newcomerLimit, test.limit, test.want)
		}
	}
}

// from returns the nth of many addresses.
func from(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(n >> 8), byte(n)}), 4000)
}

// silent connects from the nth address and says nothing.
func (f *fixture) silent(n int) *rtmptest.Conn {
	f.t.Helper()
	conn, err := f.listener.Dial(from(n))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// isOpen reports whether the server has not closed a connection on which it has
// nothing to say.
func isOpen(t *testing.T, conn net.Conn) bool {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(time.Millisecond)) // fails if it is closed, as reading does
	n, err := conn.Read(make([]byte, 1))
	if n != 0 || err == nil {
		t.Fatalf("the server has something to say: %d bytes, %v", n, err)
	}
	return !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrClosedPipe)
}

// watch plays on a connection, and reads on in the background until it is closed.
func (f *fixture) watch(conn *rtmptest.Conn, running *sync.WaitGroup) {
	f.t.Helper()
	if _, err := f.play(conn, "live", "key"); err != nil {
		f.t.Error(err)
		return
	}
	running.Go(func() { _ = drain(conn) })
}

func TestAFullServerRefusesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 80
		f := newFixture(t, func(o *Options) { o.MaxConnections = limit })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		conns := make([]*rtmptest.Conn, limit)
		for i := range conns {
			conns[i] = f.dial()
			f.watch(conns[i], &running)
		}
		for range 3 {
			if refused := f.dial(); isOpen(t, refused) {
				t.Error("a connection beyond the limit is open")
			}
		}
		if n := f.Connections(); n != limit {
			t.Errorf("%d connections, want %d", n, limit)
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		f.wantLog(`level=WARN msg="connection refused"`, 1)
		f.wantLog(`level=WARN msg="refusals left out" reason="server full" count=2`, 1)
		_ = conns[0].Close()
		synctest.Wait()
		f.watch(f.dial(), &running) // in its place
	})
}

func TestTheOldestNewcomerMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := access.NewLimiter(4, access.List{}, 64)
		f := newFixture(t, func(o *Options) { o.MaxConnections, o.Limiter = 4*minNewcomers, limiter })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		player := f.dial()
		f.watch(player, &running)
		conns := make([]*rtmptest.Conn, minNewcomers+2)
		for i := range conns {
			conns[i] = f.silent(i)
		}
		synctest.Wait()
		for i, conn := range conns {
			if got, want := isOpen(t, conn), i >= 2; got != want {
				t.Errorf("connection %d is open: %v, want %v", i, got, want)
			}
		}
		if n := f.Connections(); n != 1+minNewcomers {
			t.Errorf("%d connections, want %d", n, 1+minNewcomers)
		}
		if n := limiter.Active(); n != 1+minNewcomers {
			t.Errorf("%d connections are counted for their addresses, want %d", n, 1+minNewcomers)
		}
		f.wantLog(`level=INFO msg=end`, 2)
		f.wantLog(`reason="made room for newer connections"`, 2)
	})
}

// TestAFullServerHasTurnoverAmongNewcomers has all places taken, a share of them by
// silent connections: they cannot keep real clients out.
func TestAFullServerHasTurnoverAmongNewcomers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = minNewcomers + 10
		f := newFixture(t, func(o *Options) { o.MaxConnections = limit })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		for range limit - minNewcomers {
			f.watch(f.dial(), &running)
		}
		for n := range minNewcomers {
			f.silent(n)
		}
		f.watch(f.dial(), &running)
		if n := f.Connections(); n != limit {
			t.Errorf("%d connections, want %d", n, limit)
		}
	})
}

// TestAFloodOfSilentConnectionsLocksNobodyOut has 2,000 a second come from all
// addresses at once, and a client that takes its time.
func TestAFloodOfSilentConnectionsLocksNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.MaxConnections = 2000 })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		running.Go(func() {
			for n := range 4000 {
				conn, err := f.listener.Dial(from(n))
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = conn.Close() }()
				time.Sleep(500 * time.Microsecond)
			}
		})
		for range 5 {
			time.Sleep(300 * time.Millisecond)
			conn := f.dial()
			time.Sleep(200 * time.Millisecond) // its share of the flood comes meanwhile
			f.watch(conn, &running)
		}
		if n := f.Connections(); n > 500+5 {
			t.Errorf("%d connections, want 500 newcomers at most", n)
		}
	})
}

// TestACrowdFromOneAddressComesIn has 3,000 viewers come within 10 s from one
// address that has no limit, as load generators do and as a proxy does that
// has been restarted. Each takes three seconds.
func TestACrowdFromOneAddressComesIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const viewers = 3000
		f := newFixture(t, func(o *Options) { o.MaxConnections = 4000 })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		var joining sync.WaitGroup
		for range viewers {
			time.Sleep(10 * time.Second / viewers)
			conn := f.dial()
			joining.Go(func() {
				time.Sleep(3 * time.Second)
				f.watch(conn, &running)
			})
		}
		joining.Wait()
		if n := f.Connections(); n != viewers {
			t.Errorf("%d of %d viewers are there", n, viewers)
		}
		if n := f.places.newcomers.Len(); n != 0 {
			t.Errorf("%d of them do not play", n)
		}
	})
}

func TestWhoPublishesOrPlaysIsNoNewcomer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.MaxConnections = 100 })
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		client, conn := f.publish("live", "key")
		running.Go(func() { _ = drain(conn) })
		f.watch(f.dial(), &running)
		if n := f.places.newcomers.Len(); n != 0 {
			t.Errorf("%d newcomers, want none", n)
		}
		// Nor does it become one again.
		if err := client.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{1.0}}.Message(0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.wantLog("msg=unpublish", 1)
		for n := range 200 {
			f.silent(n)
		}
		synctest.Wait()
		if n := f.Connections(); n != 2+minNewcomers {
			t.Errorf("%d connections, want %d", n, 2+minNewcomers)
		}
	})
}

func TestAnAddressThatConnectsTooOftenIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		f := newFixture(t, func(o *Options) {
			o.Limiter = access.NewLimiter(4, access.List{}, 64)
			o.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		f.journal = j
		defer f.stop()
		for range 102 {
			_ = f.dial().Close()
			synctest.Wait()
		}
		f.wantLog(`reason="closed before the handshake"`, refusalLines)
		f.wantLog(`reason="too many new connections from this address"`, 2)
		if conn := f.silent(1); !isOpen(t, conn) {
			t.Error("another address suffers")
		}
	})
}

// TestWhoMakesRoomIsReset does not wait for the peers to say goodbye, as their
// descriptors are needed.
func TestWhoMakesRoomIsReset(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.MaxConnections = minNewcomers })
	defer f.stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.Serve(listener) }()
	const more = 10
	conns := idleClients(t, listener.Addr().String(), minNewcomers+more, nil)
	for i, conn := range conns {
		defer func() { _ = conn.Close() }()
		if i >= more {
			continue
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("connection %d ended with %v, want a reset", i, err)
		}
	}
	if n := f.Connections(); n != minNewcomers {
		t.Errorf("%d connections, want %d", n, minNewcomers)
	}
}
