package simulation

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/hook"
)

// What a backend may be like.
const (
	backendWell  = "well"
	backendDead  = "dead"  // it takes no connections, and those it had are gone
	backendHangs = "hangs" // it takes requests, and says nothing
	backendFails = "fails" // it answers with an error
	// backendForgets takes stops, does not answer, and breaks the connection.
	backendForgets = "forgets"
)

// backend is the operator's server that says who may publish. Each start that it
// has accepted, and said so in time, it has to hear the end of.
type backend struct {
	w        *world
	server   *http.Server
	conns    chan net.Conn
	closed   chan struct{}
	stateDir string

	mu    sync.Mutex // guards what follows
	state string
	open  map[net.Conn]struct{} // its ends
	// issued are all ids, and process counts those of the server.
	issued  map[string]*publication
	process int
}

// publication is what the backend knows of one.
type publication struct {
	claims
	// lost says that the server may not have heard of the id.
	lost bool
	// stops counts those that the backend answered, by the server's process.
	stops map[int]int
	heard bool // of a stop
}

type claims struct {
	Event    string `json:"event"`
	Channel  string `json:"channel"`
	Key      string `json:"key"`
	ClientIP string `json:"client_ip"`
	StreamID string `json:"stream_id"`
}

func newBackend(w *world, stateDir string) *backend {
	b := &backend{
		w: w, conns: make(chan net.Conn), closed: make(chan struct{}), stateDir: stateDir, state: backendWell,
		open: make(map[net.Conn]struct{}), issued: make(map[string]*publication),
	}
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: time.Hour}
	go func() { _ = b.server.Serve(b) }()
	return b
}

// boot returns what a process of the server has of the backend.
func (b *backend) boot(log *slog.Logger) *hook.Hook {
	b.mu.Lock()
	b.process++
	process := b.process
	b.mu.Unlock()
	h, err := hook.New(hook.Options{
		URL: "http://backend/events", Secret: []byte(strings.Repeat("s", 32)), StateDir: b.stateDir, Log: log,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.dial(ctx, process) },
	})
	if err != nil {
		b.w.violate("callback: %v", err)
		panic(err)
	}
	return h
}

var errUnreachable = errors.New("nobody listens there")

func (b *backend) dial(ctx context.Context, process int) (net.Conn, error) {
	b.mu.Lock()
	if b.state == backendDead || process != b.process {
		b.mu.Unlock()
		return nil, errUnreachable
	}
	client, end := net.Pipe()
	b.open[end] = struct{}{}
	b.mu.Unlock()
	select {
	case b.conns <- end:
		return client, nil
	case <-b.closed:
	case <-ctx.Done():
	}
	return nil, errUnreachable
}

// Accept, Close and Addr make the backend the listener of its own server.
func (b *backend) Accept() (net.Conn, error) {
	select {
	case c := <-b.conns:
		return c, nil
	case <-b.closed:
		return nil, net.ErrClosed
	}
}

func (b *backend) Close() error {
	close(b.closed)
	return nil
}

func (b *backend) Addr() net.Addr { return &net.TCPAddr{} }

// become changes what the backend is like.
func (b *backend) become(state string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.state = state
	if state == backendDead {
		b.hangUp()
	}
}

// cutOff parts the backend from the present process of the server for good, and
// returns what that has written by now.
func (b *backend) cutOff() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process++
	journal, err := os.ReadFile(filepath.Join(b.stateDir, journalName))
	if err != nil {
		b.w.violate("read journal: %v", err)
	}
	b.hangUp()
	return journal
}

func (b *backend) hangUp() {
	for c := range b.open {
		_ = c.Close()
	}
	clear(b.open)
}

// ServeHTTP takes an event.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := readToken(r.Header.Get("rtmp-event"))
	if err != nil {
		b.w.violate("token: %v", err)
	}
	b.mu.Lock()
	state, process := b.state, b.process
	b.mu.Unlock()
	switch {
	case state == backendHangs:
		<-r.Context().Done()
	case state == backendFails:
		w.WriteHeader(http.StatusInternalServerError)
	case c.Event == "stop":
		b.takeStop(w, c, process, state == backendForgets)
	default:
		b.takeStart(w, r, c)
	}
}

func (b *backend) takeStart(w http.ResponseWriter, r *http.Request, c claims) {
	client, _ := netip.ParseAddr(c.ClientIP)
	v := b.w.authorizer.verdict(client)
	var gone <-chan struct{}
	if !v.stubborn {
		gone = r.Context().Done()
	}
	select {
	case <-time.After(v.delay):
	case <-gone:
		return
	case <-b.closed:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case v.fails:
		w.WriteHeader(http.StatusInternalServerError)
	case c.Key == "wrong":
		w.WriteHeader(http.StatusForbidden)
	default:
		id := fmt.Sprintf("id-%d", len(b.issued)+1)
		b.issued[id] = &publication{claims: c, lost: r.Context().Err() != nil, stops: make(map[int]int)}
		w.Header().Set("stream-id", id)
	}
}

// takeStop hears of the end of a publication, which must be over, and must be told
// once by each process that knows that the backend has heard it.
func (b *backend) takeStop(w http.ResponseWriter, c claims, process int, forget bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.issued[c.StreamID]
	switch {
	case p == nil:
		b.w.violate("stop of %s, which the backend never issued", c.StreamID)
	case p.Channel != c.Channel || p.Key != c.Key || p.ClientIP != c.ClientIP:
		b.w.violate("stop of %v for %v", p.claims, c)
	case b.w.authorizer.runs(c.StreamID):
		b.w.violate("the backend hears that %s has stopped, which runs", c.StreamID)
	case p.stops[process] > 0:
		b.w.violate("the backend hears a second time that %s has stopped", c.StreamID)
	default:
		p.heard = true
	}
	if forget {
		panic(http.ErrAbortHandler)
	}
	if p != nil {
		p.stops[process]++
	}
	w.WriteHeader(http.StatusOK)
}

// checkBooks comes when the backend has had the time to hear everything.
func (b *backend) checkBooks() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, p := range b.issued {
		if !p.heard && !p.lost {
			b.w.violate("the backend has not heard of the end of %s on %s", id, p.Channel)
		}
	}
}

// readToken returns the claims of a token, whose signature is not looked at.
func readToken(token string) (c claims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errors.New("it has not three parts")
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}
