package stage

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// What the tests of the callback hide in their settings and stream keys, and no
// log may show.
const (
	CallbackSecret   = "pX4vTq9LmW2zRk7NcY5bHs8JdF3gAe6UoK1i"
	CallbackPassword = "Vw7Ht2Gq9Jx4"
	ShownKey         = "qk"
	HiddenKey        = "Zr6Wm1Qx8Lt3Vb0Ks5"
	CallbackKey      = ShownKey + HiddenKey
)

// Backend is the operator's server that the events go to. It checks
// each request, and its answer decides what becomes of it. None of the servers that
// it knows may have shown a secret, a key or a token in its log at the end.
type Backend struct {
	t      *testing.T
	URL    string
	TLS    *tls.Config // nil for plain HTTP; set before Open
	Answer func(w http.ResponseWriter, e Event)
	Ledger *Journal[Deed]
	Events *Journal[Event]
	// Instead is what becomes of new connections in place of HTTP; nil while all
	// is well.
	Instead atomic.Pointer[Misbehaviour]
	// Connections counts those that were opened to the HTTP server.
	Connections atomic.Int64

	addr    string
	http    *httptest.Server // nil while it is closed
	running sync.WaitGroup   // those who serve connections taken from it
	servers []*Server
}

// Deed is what a backend has done that a start and a stop are paired by.
type Deed struct {
	Kind string
	ID   string // of the stream
	Event
}

// The deeds.
const (
	DeedAccepted = "accepted" // the start: the id was given
	DeedTaken    = "taken"    // the stop: the backend has heard of the end
)

// StartBackend runs a backend on a free port of an address, 127.0.0.1 if empty,
// until the test ends.
func StartBackend(t *testing.T, host string, answer func(w http.ResponseWriter, e Event)) *Backend {
	t.Helper()
	b := NewBackend(t, host)
	b.Answer = answer
	b.Open()
	return b
}

// NewBackend returns a backend that does not serve yet.
func NewBackend(t *testing.T, host string) *Backend {
	t.Helper()
	if host == "" {
		host = "127.0.0.1"
	}
	addr, _ := FreeAddr(t, host)
	b := &Backend{t: t, addr: addr, Ledger: NewJournal[Deed](), Events: NewJournal[Event]()}
	t.Cleanup(func() { // after the servers have stopped
		b.Close()
		b.running.Wait()
		for _, s := range b.servers {
			for _, leak := range Leaks(s.Log.All(), b.Events.All()) {
				t.Errorf("the log shows %s", leak)
			}
		}
	})
	return b
}

// Open serves, on the same port each time.
func (b *Backend) Open() {
	b.t.Helper()
	listener, err := net.Listen("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.http = httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	_ = b.http.Listener.Close()
	b.http.Listener = &door{listener, b}
	b.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	b.http.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			b.Connections.Add(1)
		}
	}
	scheme := "http://"
	if b.TLS != nil {
		b.http.Listener = tls.NewListener(b.http.Listener, b.TLS)
		scheme = "https://"
	}
	b.http.Start()
	b.URL = scheme + b.addr + "/events"
}

// Close refuses connections from now on, and ends those that there are.
func (b *Backend) Close() {
	if b.http != nil {
		b.http.Close()
		b.http = nil
	}
}

// Settings have a server ask this backend.
func (b *Backend) Settings(more ...string) []string {
	return append([]string{
		"CALLBACK_URL=" + b.URL, "JWT_SECRET=" + CallbackSecret, "MAX_IP_CONCURRENT_CONNECTIONS=0", "KEY_GUESSES_PER_MINUTE=0",
	}, more...)
}

// Watch has the log of a server that asks this backend searched for secrets.
func (b *Backend) Watch(s *Server) {
	b.t.Helper()
	b.servers = append(b.servers, s)
	if shown := Attr(s.AwaitLine("JWT_SECRET="), "JWT_SECRET"); shown != "***" {
		b.t.Errorf("the server shows its secret as %q", shown)
	}
}

// StartCalled runs a server whose publishers this backend decides about.
func StartCalled(t *testing.T, b *Backend, more ...string) *Server {
	t.Helper()
	s := Start(t, b.Settings(more...)...)
	b.Watch(s)
	return s
}

func (b *Backend) serve(w http.ResponseWriter, r *http.Request) {
	e, err := readEvent(r)
	if err != nil {
		b.t.Errorf("the backend got a request that it cannot trust: %v", err)
	}
	b.Events.Add(e)
	b.Answer(w, e)
}

// Accept answers an event as a backend does that agrees to everything.
func (b *Backend) Accept(w http.ResponseWriter, e Event) {
	if e.Event == "stop" {
		b.Ledger.Add(Deed{DeedTaken, e.StreamID, e})
		w.WriteHeader(http.StatusOK)
		return
	}
	id := newStreamID()
	b.Ledger.Add(Deed{DeedAccepted, id, e})
	w.Header().Set("stream-id", id)
	w.WriteHeader(http.StatusOK)
}

// Take has misbehave serve the connection of a request in place of HTTP, and
// closes it afterwards.
func (b *Backend) Take(w http.ResponseWriter, misbehave Misbehaviour) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		b.t.Error(err)
		return
	}
	b.running.Go(func() { misbehave.serve(conn) })
}

// Started counts the start requests for a channel.
func (b *Backend) Started(channel string) (n int) {
	for _, e := range b.Events.All() {
		if e.Event == "start" && e.Channel == channel {
			n++
		}
	}
	return n
}

// Misbehaviour is what a backend does to a connection in place of HTTP.
type Misbehaviour func(conn net.Conn)

// misbehaviourLimit bounds how long a misbehaviour may last: the server has to
// give up long before.
const misbehaviourLimit = 20 * time.Second

func (m Misbehaviour) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(misbehaviourLimit))
	m(conn)
}

// Says answers with a text and closes the connection.
func Says(text string) Misbehaviour {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// Hangs answers with a text and then falls silent until the server gives up.
func Hangs(text string) Misbehaviour {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

// Floods answers with a text and then repeats another one for ever.
func Floods(text, endless string) Misbehaviour {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, text)
		for err == nil {
			_, err = io.WriteString(conn, endless)
		}
	}
}

// Drips is floods with a pause after each byte.
func Drips(text, endless string) Misbehaviour {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, text)
		beat := time.NewTicker(50 * time.Millisecond)
		defer beat.Stop()
		for i := 0; err == nil; i++ {
			<-beat.C
			_, err = io.WriteString(conn, endless[i%len(endless):][:1])
		}
	}
}

// Resets closes the connection with a reset.
func Resets(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
}

// door is a listener whose connections can be handed to a misbehaviour instead.
type door struct {
	net.Listener
	backend *Backend
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		instead := d.backend.Instead.Load()
		if instead == nil {
			return conn, nil
		}
		d.backend.running.Go(func() { instead.serve(conn) })
	}
}
