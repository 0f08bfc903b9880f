package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testSecret = "a secret of more than 32 bytes, as it is recommended"
	testUser   = "operator"
	testPass   = "pass-of-the-url"
	testKey    = "key-of-the-stream"
)

var wish = access.Request{Channel: "live", Key: testKey, Client: netip.MustParseAddr("192.0.2.7")}

// lines keeps what is logged.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }

// event is what a token says, and when and how it came.
type event struct {
	name, id string
	at       time.Time
	claims   map[string]any
	token    string
}

// verify checks a token as a backend without any library would, and returns its claims.
func verify(token, secret string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("token has %d parts", len(parts))
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if signature := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != parts[2] {
		return nil, fmt.Errorf("signature is %s, want %s", parts[2], signature)
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil {
		return nil, err
	}
	if string(header) != `{"alg":"HS256","typ":"JWT"}` {
		return nil, fmt.Errorf("header is %s", header)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	return claims, json.Unmarshal(body, &claims)
}

// memory is a network of one listener.
type memory struct {
	conns  chan net.Conn
	closed chan struct{}
	close  func()
	mu     sync.Mutex
	dialed []string
}

func newMemory() *memory {
	m := &memory{conns: make(chan net.Conn), closed: make(chan struct{})}
	m.close = sync.OnceFunc(func() { close(m.closed) })
	return m
}

func (m *memory) dial(ctx context.Context, _, address string) (net.Conn, error) {
	m.mu.Lock()
	m.dialed = append(m.dialed, address)
	m.mu.Unlock()
	client, server := net.Pipe()
	select {
	case m.conns <- server:
		return client, nil
	case <-m.closed:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) dials() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dialed
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case conn := <-m.conns:
		return conn, nil
	case <-m.closed:
		return nil, net.ErrClosed
	}
}
func (m *memory) Close() error   { m.close(); return nil }
func (m *memory) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }

// stub is a backend in memory. It gives each start an id, unless reply does something else.
type stub struct {
	t     testing.TB
	reply func(w http.ResponseWriter, r *http.Request, e event)

	mu       sync.Mutex
	events   []event
	ids      int
	handlers sync.WaitGroup
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.handlers.Add(1)
	defer s.handlers.Done()
	token := r.Header.Get("rtmp-event")
	claims, err := verify(token, testSecret)
	if err != nil {
		s.t.Error(err)
	}
	e := event{at: time.Now(), claims: claims, token: token}
	e.name, _ = claims["event"].(string)
	e.id, _ = claims["stream_id"].(string)
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	if s.reply != nil {
		s.reply(w, r, e)
		return
	}
	s.accept(w, e)
}

// accept answers as a good backend does.
func (s *stub) accept(w http.ResponseWriter, e event) {
	if e.name == eventStart {
		s.mu.Lock()
		s.ids++
		w.Header().Set("stream-id", fmt.Sprintf("id-%d", s.ids))
		s.mu.Unlock()
	}
	_, _ = w.Write([]byte("ok"))
}

// of returns the events of a name.
func (s *stub) of(name string) []event {
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []event
	for _, e := range s.events {
		if e.name == name {
			events = append(events, e)
		}
	}
	return events
}

// ids returns the stream ids of events.
func ids(events []event) []string {
	var all []string
	for _, e := range events {
		all = append(all, e.id)
	}
	return all
}

// fixture is a hook with its backend.
type fixture struct {
	*Hook
	t      testing.TB
	stub   *stub
	memory *memory
	log    *lines
	server *http.Server
	served chan error
	stop   func()
}

func newFixture(t testing.TB, change func(*Options, *stub)) *fixture {
	t.Helper()
	f := &fixture{t: t, stub: &stub{t: t}, memory: newMemory(), log: &lines{}, served: make(chan error, 1)}
	f.server = &http.Server{Handler: f.stub}
	go func() { f.served <- f.server.Serve(f.memory) }()
	o := Options{
		URL:    "http://" + testUser + ":" + testPass + "@backend.example/events?token=token-of-the-url",
		Secret: []byte(testSecret),
		Host:   "rtmp.example", Port: 1935,
		Log:  slog.New(slog.NewTextHandler(f.log, nil)),
		Dial: f.memory.dial,
	}
	if change != nil {
		change(&o, f.stub)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	f.Hook = h
	f.stop = sync.OnceFunc(f.end)
	t.Cleanup(f.stop)
	f.queue.mu.Lock()
	f.queue.jitter = func(d time.Duration) time.Duration { return d }
	f.queue.mu.Unlock()
	return f
}

// end shuts hook and backend down, and checks what must hold after every test.
func (f *fixture) end() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := f.Shutdown(ctx); err != nil {
		f.t.Errorf("shutdown: %v", err)
	}
	f.stopBackend()
	noSecrets(f.t, f.log.String())
}

func (f *fixture) stopBackend() {
	_ = f.server.Close()
	if err := <-f.served; !errors.Is(err, http.ErrServerClosed) {
		f.t.Error(err)
	}
	f.stub.handlers.Wait()
}

func (f *fixture) mustStart() string {
	f.t.Helper()
	id, err := f.Start(f.t.Context(), wish)
	if err != nil {
		f.t.Fatal(err)
	}
	return id
}

// refused starts a stream and expects the error.
func (f *fixture) refused(want error) {
	f.t.Helper()
	id, err := f.Start(f.t.Context(), wish)
	if !errors.Is(err, want) || id != "" {
		f.t.Fatalf("Start = %q, %v, want %v", id, err, want)
	}
	noSecrets(f.t, err.Error())
}

// noSecrets checks a text that somebody may read.
func noSecrets(t testing.TB, text string) {
	t.Helper()
	for _, secret := range []string{testSecret, testUser, testPass, testKey, "token-of-the-url", "eyJ", "/events"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q in: %s", secret, text)
		}
	}
}

// within returns a context of the test that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// status answers with a status and nothing else.
func status(code int) func(http.ResponseWriter, *http.Request, event) {
	return func(w http.ResponseWriter, _ *http.Request, _ event) { w.WriteHeader(code) }
}
