package server

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// hookedConn is the server's end of a connection, with a fault of the network
// or of the scheduler built in.
type hookedConn struct {
	net.Conn
	read            func([]byte) (int, error) // in place of Read
	write           func([]byte) (int, error) // in place of Write
	setReadDeadline func(time.Time)           // before SetReadDeadline
	closed          func()                    // before Close
}

func (c *hookedConn) Read(b []byte) (int, error) {
	if c.read != nil {
		return c.read(b)
	}
	return c.Conn.Read(b)
}

func (c *hookedConn) Write(b []byte) (int, error) {
	if c.write != nil {
		return c.write(b)
	}
	return c.Conn.Write(b)
}

func (c *hookedConn) SetReadDeadline(t time.Time) error {
	if c.setReadDeadline != nil {
		c.setReadDeadline(t)
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *hookedConn) Close() error {
	if c.closed != nil {
		c.closed()
	}
	return c.Conn.Close()
}

// hookedListener puts a hook into every connection.
type hookedListener struct {
	net.Listener
	hook func(*hookedConn)
}

func (l *hookedListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	hooked := &hookedConn{Conn: nc}
	l.hook(hooked)
	return hooked, nil
}

// hook has all further connections pass through it.
func (f *fixture) hook(hook func(*hookedConn)) {
	listener := rtmptest.NewListener()
	synctest.Wait() // Serve has taken the other listener
	f.listener = listener
	go func() { _ = f.Serve(&hookedListener{listener, hook}) }()
}

func (f *fixture) wantLog(text string, n int) {
	f.t.Helper()
	if got := f.journal.count(text); got != n {
		f.t.Errorf("%d lines in the log with %q, want %d:\n%s", got, text, n, strings.Join(f.journal.lines, ""))
	}
}

func TestAPeerThatDoesNotReadTheHandshakeIsCutOff(t *testing.T) {
	conformance.Covers(t, 206)
	for name, interrupt := range map[string]func(*fixture){
		string(ReasonHandshakeTimeout): func(*fixture) { time.Sleep(handshakeTimeout) },
		string(stream.ReasonShutdown): func(f *fixture) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if err := f.Shutdown(ctx); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			conn := f.dial()
			defer func() { _ = conn.Close() }()
			if _, err := conn.Write(append([]byte{3}, make([]byte, rtmp.HandshakeSize)...)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			interrupt(f)
			synctest.Wait()
			f.wantLog(`msg=end id=1 addr=203.0.113.9:4000 reason="`+name+`"`, 1)
			if n := f.Connections(); n != 0 {
				t.Errorf("%d connections left", n)
			}
		})
	}
}

// TestAnEndInSlowMotionLeavesTimeToReadTheAnswer has the reading goroutine see
// that the connection ends before whoever ended it has interrupted the reading.
func TestAnEndInSlowMotionLeavesTimeToReadTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		const delay = 100 * time.Millisecond
		var closed atomic.Int64
		start := time.Now()
		f.hook(func(c *hookedConn) {
			c.setReadDeadline = func(at time.Time) {
				if at.Equal(longAgo) {
					time.Sleep(delay)
				}
			}
			c.closed = func() { closed.CompareAndSwap(0, int64(time.Since(start))) }
		})
		client, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		go func() { _ = drain(conn) }()
		go f.registry.KillSession("live")
		synctest.Wait()
		if err := client.WriteMessage(rtmp.Acknowledgement(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * lingerTimeout)
		if got := time.Duration(closed.Load()); got != delay+lingerTimeout {
			t.Errorf("closed after %v, want %v", got, delay+lingerTimeout)
		}
	})
}

func TestALateConnectionLeavesNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.stop()
		_, nc := rtmptest.Pipe(testAddr)
		touched := false
		f.accept(&hookedConn{Conn: nc, setReadDeadline: func(time.Time) { touched = true }}, nil)
		time.Sleep(2 * handshakeTimeout)
		synctest.Wait()
		if touched {
			t.Error("a connection that was refused still had a deadline")
		}
	})
}

func TestHealthChecksAreNoNews(t *testing.T) {
	for name, left := range map[string]error{
		"reset": &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"end":   io.EOF,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				f.hook(func(c *hookedConn) { c.read = func([]byte) (int, error) { return 0, left } })
				conn := f.dial()
				synctest.Wait()
				_ = conn.Close()
				f.wantLog("msg=", 0)
			})
		})
	}
}

func TestAFailedWriteIsLoggedWithItsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		var broken atomic.Bool
		f.hook(func(c *hookedConn) {
			c.write = func(b []byte) (int, error) {
				if broken.Load() {
					return 0, errors.New("no route to host")
				}
				return c.Conn.Write(b)
			}
		})
		client, conn := f.client("live")
		defer func() { _ = conn.Close() }()
		broken.Store(true)
		if err := client.WriteMessage(rtmp.UserControl(rtmp.EventPingRequest, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.wantLog(`reason="write failed"`, 1)
		f.wantLog(`detail="no route to host"`, 1)
	})
}

// TestAPanicInTheWriterEndsItsConnection breaks the socket under the writing
// goroutine.
func TestAPanicInTheWriterEndsItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		var broken atomic.Bool
		f.hook(func(c *hookedConn) {
			c.write = func(b []byte) (int, error) {
				if broken.Load() {
					panic("bug")
				}
				return c.Conn.Write(b)
			}
		})
		client, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		broken.Store(true)
		if err := client.WriteMessage(rtmp.UserControl(rtmp.EventPingRequest, 1)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f.wantLog("msg=panic", 1)
		f.wantLog("msg=end", 1)
		f.wantLog(`reason="internal error"`, 1)
		if n := f.registry.Len() + f.Connections(); n != 0 {
			t.Errorf("%d channels and connections left", n)
		}
	})
}

// ledger is an Authorizer that keeps count of what it accepted.
type ledger struct {
	// start is called by Start, stop by Stop; either may be nil.
	start func(ctx context.Context, r access.Request) error
	stop  func(r access.Request)

	mu      sync.Mutex
	started []string
	stopped []string
}

func (l *ledger) Start(ctx context.Context, r access.Request) (string, error) {
	if l.start != nil {
		if err := l.start(ctx, r); err != nil {
			return "", err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.started = append(l.started, r.Channel)
	return "id-" + r.Channel, nil
}

func (l *ledger) Stop(r access.Request, _ string) {
	l.mu.Lock()
	l.stopped = append(l.stopped, r.Channel)
	l.mu.Unlock()
	if l.stop != nil {
		l.stop(r)
	}
}

func (l *ledger) counts() (started, stopped int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.started), len(l.stopped)
}

// TestAStartThatComesTooLateClaimsNothing has the authorizer accept a publisher
// whose time is up by then: the one it would have replaced goes on.
func TestAStartThatComesTooLateClaimsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := &ledger{}
		f := newFixture(t, func(o *Options) { o.Authorizer = accepted })
		defer f.stop()
		_, present := f.publish("live", "key")
		defer func() { _ = present.Close() }()
		go func() { _ = drain(present) }()
		time.Sleep(stream.IdleAfter + time.Second)
		accepted.start = func(context.Context, access.Request) error {
			time.Sleep(acceptTimeout + time.Second)
			return nil
		}
		client, conn := f.client("live")
		defer func() { _ = conn.Close() }()
		id, err := client.CreateStream()
		if err != nil {
			t.Fatal(err)
		}
		var refused *rtmp.StatusError
		if err := client.Publish(id, "key"); err == nil || errors.As(err, &refused) {
			t.Errorf("publishing returned %v, want the end of the connection", err)
		}
		synctest.Wait()
		f.wantLog(string(stream.ReasonReplaced), 0)
		f.wantLog("msg=publish", 1)
		if started, stopped := accepted.counts(); started != 2 || stopped != 1 {
			t.Errorf("%d starts and %d stops, want 2 and 1", started, stopped)
		}
	})
}

// session is a player that is no connection.
type session func(stream.Reason)

func (s session) Kick(reason stream.Reason) { s(reason) }

func (s session) RequestReconnect(string) bool { return false }

// TestAFreshClaimIsNotSilent has another publisher try its luck while a claim
// is not complete yet: a player with another key is just being turned out.
func TestAFreshClaimIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &ledger{start: func(context.Context, access.Request) error {
			time.Sleep(stream.IdleAfter + time.Second)
			return nil
		}}
		f := newFixture(t, func(o *Options) { o.Authorizer = slow })
		defer f.stop()
		tried := false
		waiting, err := f.registry.Subscribe("live", "other", session(func(stream.Reason) {
			tried = true
			if _, err := f.registry.Apply("live", "key", nil); !errors.Is(err, stream.ErrBusy) {
				t.Errorf("a channel that was claimed this moment is available: %v", err)
			}
		}), nobody{})
		if err != nil {
			t.Fatal(err)
		}
		defer waiting.Close()
		_, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		if !tried {
			t.Error("nobody tried")
		}
	})
}

// rival is a publisher that is no connection, and breaks when the registry asks
// for the second time.
type rival struct{ asked int }

func (r *rival) Kick(stream.Reason) {}

func (r *rival) RequestReconnect(string) bool { return false }

func (r *rival) Leaving() bool { return false }

func (r *rival) Silent() time.Duration {
	if r.asked++; r.asked == 2 {
		panic("bug")
	}
	return time.Hour
}

func TestAPanicAfterAStartGivesItBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := &ledger{}
		f := newFixture(t, func(o *Options) { o.Authorizer = accepted })
		defer f.stop()
		publication, err := f.registry.Publish(stream.Claim{Channel: "live", Key: "key", Publisher: &rival{}})
		if err != nil {
			t.Fatal(err)
		}
		defer publication.Close()
		client, conn := f.client("live")
		defer func() { _ = conn.Close() }()
		id, err := client.CreateStream()
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Publish(id, "key"); err == nil {
			t.Error("publishing went well")
		}
		synctest.Wait()
		f.wantLog("msg=panic", 1)
		if started, stopped := accepted.counts(); started != 1 || stopped != 1 {
			t.Errorf("%d starts and %d stops, want one of each", started, stopped)
		}
	})
}

// TestEveryStreamIsClosedAlthoughClosingPanics has a client publish twice, to
// an authorizer that breaks at each stop.
func TestEveryStreamIsClosedAlthoughClosingPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := &ledger{stop: func(access.Request) { panic("bug") }}
		f := newFixture(t, func(o *Options) { o.Authorizer = broken })
		defer f.stop()
		client, conn := f.client("")
		for _, name := range []string{"one/key", "two/key", "three/key"} {
			id, err := client.CreateStream()
			if err != nil {
				t.Fatal(err)
			}
			if err := client.Publish(id, name); err != nil {
				t.Fatal(err)
			}
		}
		_ = conn.Close()
		synctest.Wait()
		if started, stopped := broken.counts(); started != 3 || stopped != 3 {
			t.Errorf("%d starts and %d stops, want 3 of each", started, stopped)
		}
		f.wantLog("msg=panic", 1) // once for the place
		if n := f.Panics(); n != 3 {
			t.Errorf("%d panics counted, want 3", n)
		}
		f.wantLog("msg=end", 1)
		if n := f.registry.Len(); n != 0 {
			t.Errorf("%d channels left", n)
		}
	})
}

// nobody is a viewer that has nothing written.
type nobody struct{}

func (nobody) Wake(stream.Pages) {}
func (nobody) Expect()           {}
