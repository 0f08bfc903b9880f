package e2e

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
	callbackSecret   = "pX4vTq9LmW2zRk7NcY5bHs8JdF3gAe6UoK1i"
	callbackPassword = "Vw7Ht2Gq9Jx4"
	shownKey         = "qk"
	hiddenKey        = "Zr6Wm1Qx8Lt3Vb0Ks5"
	callbackKey      = shownKey + hiddenKey
)

// callbackBackend is the operator's server that the events go to. It checks
// each request, and its answer decides what becomes of it.
type callbackBackend struct {
	t      *testing.T
	url    string
	http   *httptest.Server
	door   *door
	answer func(w http.ResponseWriter, e callbackEvent)
	ledger *journal[deed]
	events *journal[callbackEvent]
	// running counts those who serve connections taken from the HTTP server.
	running sync.WaitGroup
}

// deed is what a backend has done that a start and a stop are paired by.
type deed struct {
	kind string
	id   string // of the stream
	callbackEvent
}

const (
	deedAccepted = "accepted" // the start: the id was given
	deedTaken    = "taken"    // the stop: the backend has heard of the end
)

// startBackend runs a backend on a free port of an address, 127.0.0.1 if empty,
// until the test ends.
func startBackend(t *testing.T, host string, answer func(w http.ResponseWriter, e callbackEvent)) *callbackBackend {
	t.Helper()
	b := newBackend(t, host)
	b.answer = answer
	b.http.Start()
	b.url = b.http.URL + "/events"
	return b
}

// newBackend returns a backend that does not serve yet.
func newBackend(t *testing.T, host string) *callbackBackend {
	t.Helper()
	if host == "" {
		host = "127.0.0.1"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	b := &callbackBackend{t: t, ledger: newJournal[deed](), events: newJournal[callbackEvent]()}
	b.door = &door{Listener: listener, running: &b.running}
	b.http = httptest.NewUnstartedServer(http.HandlerFunc(b.serve))
	_ = b.http.Listener.Close()
	b.http.Listener = b.door
	b.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(func() {
		b.http.Close()
		b.running.Wait()
	})
	return b
}

func (b *callbackBackend) serve(w http.ResponseWriter, r *http.Request) {
	e, err := readEvent(r)
	if err != nil {
		b.t.Errorf("the backend got a request that it cannot trust: %v", err)
	}
	b.events.add(e)
	b.answer(w, e)
}

// accept answers an event as a backend does that agrees to everything.
func (b *callbackBackend) accept(w http.ResponseWriter, e callbackEvent) {
	if e.event == "stop" {
		b.ledger.add(deed{deedTaken, e.streamID, e})
		w.WriteHeader(http.StatusOK)
		return
	}
	id := newStreamID()
	b.ledger.add(deed{deedAccepted, id, e})
	w.Header().Set("stream-id", id)
	w.WriteHeader(http.StatusOK)
}

// take has misbehave serve the connection of a request in place of HTTP, and
// closes it afterwards.
func (b *callbackBackend) take(w http.ResponseWriter, misbehave misbehaviour) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		b.t.Error(err)
		return
	}
	b.running.Go(func() { misbehave.serve(conn) })
}

// started counts the start requests for a channel.
func (b *callbackBackend) started(channel string) (n int) {
	for _, e := range b.events.all() {
		if e.event == "start" && e.channel == channel {
			n++
		}
	}
	return n
}

// misbehaviour is what a backend does to a connection in place of HTTP.
type misbehaviour func(conn net.Conn)

// misbehaviourLimit bounds how long a misbehaviour may last: the server has to
// give up long before.
const misbehaviourLimit = 20 * time.Second

func (m misbehaviour) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(misbehaviourLimit))
	m(conn)
}

// says answers with a text and closes the connection.
func says(text string) misbehaviour {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// hangs answers with a text and then falls silent until the server gives up.
func hangs(text string) misbehaviour {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	}
}

// floods answers with a text and then repeats another one for ever.
func floods(text, endless string) misbehaviour {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, text)
		for err == nil {
			_, err = io.WriteString(conn, endless)
		}
	}
}

// drips is floods with a pause after each byte.
func drips(text, endless string) misbehaviour {
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

// resets closes the connection with a reset.
func resets(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
}

// door is a listener whose connections can be handed to a misbehaviour instead.
type door struct {
	net.Listener
	running *sync.WaitGroup
	// instead is nil while all is well.
	instead atomic.Pointer[misbehaviour]
}

func (d *door) Accept() (net.Conn, error) {
	for {
		conn, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		instead := d.instead.Load()
		if instead == nil {
			return conn, nil
		}
		d.running.Go(func() { instead.serve(conn) })
	}
}
