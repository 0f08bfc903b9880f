package coordinator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

const secret = "a secret of more than thirty-two bytes"

var publisher = access.Request{Channel: "ch", Key: "k3y-of-ch", Client: netip.MustParseAddr("192.0.2.1")}

// bench is a Coordinator, and the coordinator at the other end of its
// connections, in virtual time.
type bench struct {
	*testing.T
	*Coordinator
	log    logBuffer
	orders chan string // carried out by the target
	peers  chan *peer  // connections, as they come
	start  time.Time

	mu    sync.Mutex
	down  bool
	dials []time.Duration // since start
	// refuse, if set, answers connection attempts.
	refuse http.HandlerFunc
	// deaf coordinators do not answer pings.
	deaf bool

	listener pipeListener
	cancel   context.CancelFunc
	ended    chan struct{} // when Run has
}

// peer is a connection as the coordinator has it.
type peer struct {
	t      *testing.T
	ws     *websocket.Conn
	raw    net.Conn
	header http.Header
	path   string
	host   string
	frames chan string // closed after the end
	err    error       // of the last read
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// rawConn is the key of the connection in a request's context.
type rawConn struct{}

// simulate runs a test in a bubble, with Run under way. Only what sets b up
// before Run begins goes into prepare.
func simulate(t *testing.T, prepare func(b *bench, o *Options), test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{
			T: t, orders: make(chan string, 64), peers: make(chan *peer, 64), start: time.Now(), ended: make(chan struct{}),
			listener: pipeListener{make(chan net.Conn), make(chan struct{})},
		}
		options := Options{BaseURL: "http://coordinator.test/base/", Secret: secret, Target: b, Log: b.log.logger(), DialContext: b.dialPipe}
		if prepare != nil {
			prepare(b, &options)
		}
		server := &http.Server{
			Handler: http.HandlerFunc(b.serve),
			ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
				return context.WithValue(ctx, rawConn{}, nc)
			},
		}
		served := make(chan struct{})
		go func() {
			_ = server.Serve(b.listener)
			close(served)
		}()
		var err error
		if b.Coordinator, err = New(options); err != nil {
			t.Fatal(err)
		}
		b.jitter = func(pause time.Duration) time.Duration { return pause }
		ctx, cancel := context.WithCancel(t.Context())
		b.cancel = cancel
		go func() {
			if err := b.Coordinator.Run(ctx); err != nil {
				t.Error(err)
			}
			close(b.ended)
		}()
		defer func() {
			cancel()
			<-b.ended
			close(b.listener.closed)
			<-served
			_ = server.Close()
		}()
		test(b)
		if text := b.log.take(); strings.Contains(text, secret) || strings.Contains(text, publisher.Key) {
			t.Errorf("secrets in the log: %s", text)
		}
	})
}

func (b *bench) dialPipe(_ context.Context, _, addr string) (net.Conn, error) {
	b.mu.Lock()
	b.dials = append(b.dials, time.Since(b.start))
	down := b.down
	b.mu.Unlock()
	if down {
		return nil, errors.New("connection refused: " + addr)
	}
	client, server := net.Pipe()
	b.listener.conns <- server
	return client, nil
}

func (b *bench) setDown(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *bench) serve(w http.ResponseWriter, r *http.Request) {
	if b.refuse != nil {
		b.refuse(w, r)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		OnPingReceived: func(context.Context, []byte) bool { return !b.deaf },
	})
	if err != nil {
		b.Error(err)
		return
	}
	p := &peer{
		t: b.T, ws: ws, raw: r.Context().Value(rawConn{}).(net.Conn),
		header: r.Header, path: r.URL.Path, host: r.Host, frames: make(chan string, 256),
	}
	b.peers <- p
	defer close(p.frames)
	for {
		_, text, err := ws.Read(context.Background())
		if err != nil {
			p.err = err
			return
		}
		p.frames <- string(text)
	}
}

// connected returns the next connection.
func (b *bench) connected() *peer {
	b.Helper()
	p := <-b.peers
	synctest.Wait()
	return p
}

// after lets time pass.
func (b *bench) after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// at fails the test unless that much time has passed since the start.
func (b *bench) at(want time.Duration) {
	b.Helper()
	if got := time.Since(b.start); got != want {
		b.Errorf("at %v, want %v", got, want)
	}
}

// asked is a Start under way.
type asked struct{ result chan answer }

func (b *bench) ask(ctx context.Context, r access.Request) asked {
	a := asked{make(chan answer, 1)}
	go func() {
		id, err := b.Start(ctx, r)
		a.result <- answer{id, err}
	}()
	synctest.Wait()
	return a
}

func (a asked) refused(b *bench, want error) {
	b.Helper()
	if got := <-a.result; got.streamID != "" || !errors.Is(got.err, want) || strings.Contains(got.err.Error(), publisher.Key) {
		b.Errorf("answer %q, %v; want the error %v", got.streamID, got.err, want)
	}
}

func (a asked) accepted(b *bench, want string) {
	b.Helper()
	if got := <-a.result; got.streamID != want || got.err != nil {
		b.Errorf("answer %q, %v; want %q", got.streamID, got.err, want)
	}
}

// KillSession implements Target.
func (b *bench) KillSession(channel string) int {
	b.orders <- "kill " + channel
	return 2
}

// CloseStream implements Target.
func (b *bench) CloseStream(channel, streamID string) bool {
	b.orders <- fmt.Sprintf("close %s %s", channel, streamID)
	return true
}

// next returns the next frame that came, without waiting.
func (p *peer) next() frame {
	p.t.Helper()
	synctest.Wait()
	select {
	case text := <-p.frames:
		return parseFrame(text)
	default:
		return frame{}
	}
}

// request returns the id of the next frame, a request.
func (p *peer) request() string {
	p.t.Helper()
	f := p.next()
	id := f.get("Request-ID")
	if f.method != methodRequest || id == "" {
		p.t.Fatalf("no request but %q", f)
	}
	return id
}

// ends checks that the next frame tells of the end of a stream.
func (p *peer) ends(channel, streamID string) {
	p.t.Helper()
	if f := p.next(); f.String() != (end{channel, streamID}).frame().String() {
		p.t.Errorf("no end of %s but %q", streamID, f)
	}
}

// silent checks that nothing more came.
func (p *peer) silent() {
	p.t.Helper()
	if f := p.next(); f.method != "" {
		p.t.Errorf("not expected: %q", f)
	}
}

// say sends lines.
func (p *peer) say(lines ...string) {
	p.t.Helper()
	if err := p.ws.Write(p.t.Context(), websocket.MessageText, []byte(strings.Join(lines, "\n"))); err != nil {
		p.t.Error(err)
	}
	synctest.Wait()
}

func (p *peer) accept(request, streamID string) {
	p.t.Helper()
	p.say("PUBLISH-ACCEPT", "Request-Id: "+request, "Stream-Id: "+streamID, "")
}

// cut breaks the connection without a word.
func (p *peer) cut() {
	_ = p.raw.Close()
	synctest.Wait()
}

// logBuffer holds log lines without times.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// take returns what was logged since the last call.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}
