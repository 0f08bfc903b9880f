package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal keeps the lines of the log.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, string(b))
	return len(b), nil
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, line := range j.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// fixture is a server on a listener in memory.
type fixture struct {
	*Server
	t        testing.TB
	registry *stream.Registry
	listener *rtmptest.Listener
	journal  *journal
	served   chan error
}

func newFixture(t testing.TB, change func(*Options)) *fixture {
	j := &journal{}
	registry := stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 20})
	everyone, _ := access.ParseList("*")
	options := Options{
		Registry:    registry,
		Limiter:     access.NewLimiter(0, access.List{}, 64),
		Players:     everyone,
		ChunkSize:   60000,
		IDMaxLength: 128,
		Log:         slog.New(slog.NewTextHandler(j, nil)),
		LogRequests: true,
	}
	if change != nil {
		change(&options)
	}
	f := &fixture{
		Server: New(options), t: t, registry: registry,
		listener: rtmptest.NewListener(), journal: j, served: make(chan error, 1),
	}
	go func() { f.served <- f.Serve(f.listener) }()
	return f
}

// stop checks that nothing is left behind.
func (f *fixture) stop() {
	f.t.Helper()
	if err := f.Shutdown(context.Background()); err != nil {
		f.t.Errorf("shutdown: %v", err)
	}
	if err := <-f.served; !errors.Is(err, ErrServerClosed) {
		f.t.Errorf("serve returned %v", err)
	}
	if n := f.Connections(); n != 0 {
		f.t.Errorf("%d connections left", n)
	}
	if n := f.registry.Len(); n != 0 {
		f.t.Errorf("%d channels left", n)
	}
}

var testAddr = netip.MustParseAddrPort("203.0.113.9:4000")

func (f *fixture) dial() *rtmptest.Conn {
	f.t.Helper()
	conn, err := f.listener.Dial(testAddr)
	if err != nil {
		f.t.Fatal(err)
	}
	return conn
}

// client returns a client whose handshake and connect are done.
func (f *fixture) client(app string) (*rtmp.Client, *rtmptest.Conn) {
	f.t.Helper()
	conn := f.dial()
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		f.t.Fatal(err)
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: app}); err != nil {
		f.t.Fatal(err)
	}
	return client, conn
}

func (f *fixture) publish(app, key string) (*rtmp.Client, *rtmptest.Conn) {
	f.t.Helper()
	client, conn := f.client(app)
	id, err := client.CreateStream()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := client.Publish(id, key); err != nil {
		f.t.Fatal(err)
	}
	return client, conn
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// drain reads until the connection ends, and reports the error if it is
// another one than its end.
func drain(conn io.Reader) error {
	_, err := io.Copy(io.Discard, conn)
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

func TestAcceptErrorsAreRetriedWithGrowingPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		start := time.Now()
		var pauses []time.Duration
		for range 10 {
			f.listener.Fail(syscall.ENOBUFS) // taken by the next Accept only
			pauses = append(pauses, time.Since(start))
			start = time.Now()
		}
		ms := time.Millisecond
		want := []time.Duration{0, 5 * ms, 10 * ms, 20 * ms, 40 * ms, 80 * ms, 160 * ms, 320 * ms, 640 * ms, time.Second}
		if !reflect.DeepEqual(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		conn := f.dial() // the listener still works
		defer func() { _ = conn.Close() }()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		f.listener.Fail(syscall.ENOMEM)
		if n := f.journal.count("accept failed"); n != 10 {
			t.Errorf("%d lines in the log, want 10", n)
		}
		if n := f.journal.count("retry_in=5ms"); n != 1 {
			t.Errorf("%d pauses of 5 ms before the success", n)
		}
	})
}

func TestConnectionsOverTheLimitAreClosedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := access.NewLimiter(2, access.List{}, 64)
		f := newFixture(t, func(o *Options) { o.Limiter = limiter })
		defer f.stop()
		first, second, third := f.dial(), f.dial(), f.dial()
		if n, err := third.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("the third connection read %d bytes and %v, want the end", n, err)
		}
		if n := f.Connections(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		_ = first.Close()
		synctest.Wait()
		fourth := f.dial()
		synctest.Wait()
		if n := f.Connections(); n != 2 {
			t.Errorf("%d connections after one was replaced, want 2", n)
		}
		_ = second.Close()
		_ = fourth.Close()
		synctest.Wait()
		if n := limiter.Active(); n != 0 {
			t.Errorf("%d connections still counted", n)
		}
	})
}

// panicky is an Authorizer with a bug.
type panicky struct{}

func (panicky) Start(context.Context, access.Request) (string, error) { panic("bug") }
func (panicky) Stop(access.Request, string)                           {}

func TestAPanicEndsItsOwnConnectionOnly(t *testing.T) {
	conformance.Covers(t, 204)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.Authorizer = panicky{} })
		defer f.stop()
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
		if f.journal.count("level=ERROR msg=panic") != 1 || f.journal.count(string(stream.ReasonInternal)) != 1 {
			t.Errorf("the log does not tell of the panic:\n%s", strings.Join(f.journal.lines, ""))
		}
		other, otherConn := f.client("live")
		defer func() { _ = otherConn.Close() }()
		if _, err := other.CreateStream(); err != nil {
			t.Errorf("another connection suffers: %v", err)
		}
	})
}

func TestFloodsAreCutOff(t *testing.T) {
	restart := rtmp.AppendMessage(nil, rtmp.Command{Name: "play", Args: []any{"key"}}.Message(2), 60000)
	restart = rtmp.AppendMessage(restart, rtmp.Command{Name: "closeStream"}.Message(2), 60000)
	tests := []struct {
		name   string
		flood  []byte // repeated
		reason stream.Reason
	}{
		// After one header, each byte C4 is an empty message.
		{name: "empty messages", flood: []byte{0xC4}, reason: stream.ReasonFlood},
		{name: "plays", flood: restart, reason: stream.ReasonFlood},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				client, conn := f.client("live")
				defer func() { _ = conn.Close() }()
				playing, _ := client.CreateStream()
				_, _ = client.CreateStream()
				if err := client.Play(playing, "key"); err != nil {
					t.Fatal(err)
				}
				go func() { _ = drain(conn) }()
				if _, err := conn.Write([]byte{4, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0}); err != nil {
					t.Fatal(err)
				}
				block := []byte(strings.Repeat(string(test.flood), 1+4096/len(test.flood)))
				for range 2000 {
					if _, err := conn.Write(block); err != nil {
						break
					}
				}
				time.Sleep(2 * lingerTimeout)
				synctest.Wait()
				if f.journal.count("reason=\""+string(test.reason)+"\"") != 1 {
					t.Errorf("not ended for %q:\n%s", test.reason, strings.Join(f.journal.lines, ""))
				}
			})
		})
	}
}

func TestPingsAreAnsweredAtABoundedRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		client, conn := f.client("live")
		answers := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				m, err := client.ReadMessage()
				if err != nil {
					return
				}
				if event, _, ok := rtmp.ParseUserControl(m); ok && event == rtmp.EventPingResponse {
					answers++
				}
			}
		}()
		for range chatterBurst / 2 {
			if err := client.WriteMessage(rtmp.UserControl(rtmp.EventPingRequest, 7)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		_ = conn.Close()
		<-done
		if answers != pingBurst {
			t.Errorf("%d answers to many pings at once, want %d", answers, pingBurst)
		}
	})
}

func TestShutdownCutsOffWhoeverDoesNotLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		conn := f.dial() // never reads nor closes
		defer func() { _ = conn.Close() }()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := f.Shutdown(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("shutdown returned %v", err)
		}
		if err := <-f.served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("serve returned %v", err)
		}
		if err := f.Serve(rtmptest.NewListener()); !errors.Is(err, ErrServerClosed) {
			t.Errorf("serving again returned %v", err)
		}
	})
}

func TestForeignProtocolsAreClosedWithoutAnAnswer(t *testing.T) {
	for _, first := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", "\x06" + strings.Repeat("\x00", 1536), "PROXY TCP4"} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			conn := f.dial()
			go func() { _, _ = conn.Write([]byte(first)) }()
			got, err := io.ReadAll(bufio.NewReader(conn))
			if len(got) != 0 || err != nil {
				t.Errorf("%q was answered with %d bytes and %v", first[:4], len(got), err)
			}
			_ = conn.Close()
			synctest.Wait()
			if n := len(f.journal.lines); n != 0 {
				t.Errorf("%q left %d lines in the log: scans are no news", first[:4], n)
			}
		})
	}
}

// TestDocumentedReasons keeps docs/configuration.md complete.
func TestDocumentedReasons(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []stream.Reason{
		stream.ReasonClientClosed, stream.ReasonReset, stream.ReasonUnreachable, stream.ReasonReadFailed, stream.ReasonWriteFailed, ReasonProbe,
		ReasonForeignProtocol, ReasonHandshakeTimeout, ReasonAcceptTimeout, ReasonPublisherTimeout, ReasonIdle,
		stream.ReasonPingTimeout, stream.ReasonPlayWait, stream.ReasonStalled, stream.ReasonProtocol, ReasonLimit, stream.ReasonFlood,
		ReasonControlQueue, ReasonChatter, ReasonStrange, ReasonBitrate, stream.ReasonGuessing, ReasonConnectRefused, ReasonBadState, stream.ReasonBadName, ReasonBusy, ReasonDenied,
		stream.ReasonPlayDenied, stream.ReasonShutdown, stream.ReasonInternal, stream.ReasonCrowded, stream.ReasonProxyHeader, stream.ReasonTLS,
		stream.ReasonMemory, ReasonBudget,
		stream.ReasonReplaced, stream.ReasonWrongKey, stream.ReasonKilled,
	} {
		if !strings.Contains(string(text), string(reason)) {
			t.Errorf("docs/configuration.md does not explain %q", reason)
		}
	}
}

func TestReasonsOfErrors(t *testing.T) {
	tests := []struct {
		err  error
		want stream.Reason
	}{
		{io.EOF, stream.ReasonClientClosed},
		{io.ErrUnexpectedEOF, stream.ReasonClientClosed},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, stream.ReasonReset},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}, stream.ReasonUnreachable},
		{rtmp.ErrProtocol, stream.ReasonProtocol},
		{rtmp.ErrLimit, ReasonLimit},
		{rtmp.ErrBudget, ReasonBudget},
		{&rtmp.ForeignProtocolError{Seen: "TLS"}, ReasonForeignProtocol},
		{errors.New("something else"), stream.ReasonReadFailed},
	}
	for _, test := range tests {
		if got := readReason(test.err); got != test.want {
			t.Errorf("reading fails with %v: %q, want %q", test.err, got, test.want)
		}
	}
}
