package stage

import (
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
// each request, and its answer decides what becomes of it.
type Backend struct {
	t      *testing.T
	URL    string
	HTTP   *httptest.Server
	Door   *door
	Answer func(w http.ResponseWriter, e Event)
	Ledger *Journal[Deed]
	Events *Journal[Event]
	// running counts those who serve connections taken from the HTTP server.
	running sync.WaitGroup
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
	b.HTTP.Start()
	b.URL = b.HTTP.URL + "/events"
	return b
}

// NewBackend returns a backend that does not serve yet.
func NewBackend(t *testing.T, host string) *Backend {
	t.Helper()
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	b := &Backend{t: t, Ledger: NewJournal[Deed](), Events: NewJournal[Event]()}
	b.Door = &door{Listener: listener, running: &b.running}
	b.HTTP = httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	_ = b.HTTP.Listener.Close()
	b.HTTP.Listener = b.Door
	b.HTTP.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		b.HTTP.Close()
		b.running.Wait()
	})
	return b
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

// Door is a listener whose connections can be handed to a misbehaviour instead.
type door struct {
	net.Listener
	running *sync.WaitGroup
	// Instead is nil while all is well.
	Instead atomic.Pointer[Misbehaviour]
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		instead := d.Instead.Load()
		if instead == nil {
			return conn, nil
		}
		d.running.Go(func() { instead.serve(conn) })
	}
}
