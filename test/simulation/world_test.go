package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// settings are those of the server that matter here.
type settings struct {
	Takeover      stream.Takeover
	Grace         time.Duration
	PlayWait      time.Duration
	CacheBytes    int64
	ChunkSize     int
	MaxWriteDelay time.Duration
	Strict        bool
	Network       network
	// Callback puts a backend behind the server, with a journal of what it has to
	// be told, and Redis has orders come that way.
	Callback, Redis bool
}

func newSettings(r *rand.Rand) settings {
	return settings{
		Takeover:      oneOf(r, stream.TakeoverIdle, stream.TakeoverIdle, stream.TakeoverNever, stream.TakeoverAlways),
		Grace:         oneOf(r, 0, 3*time.Second, 10*time.Second),
		PlayWait:      oneOf(r, 0, 0, 8*time.Second),
		CacheBytes:    oneOf[int64](r, 0, 8<<10, 1<<20, 1<<20),
		ChunkSize:     oneOf(r, 128, 4096, 60000),
		MaxWriteDelay: oneOf(r, 0, 80*time.Millisecond),
		Strict:        r.IntN(4) == 0,
		Network:       newNetwork(r),
		Callback:      r.IntN(3) == 0,
		Redis:         r.IntN(3) == 0,
	}
}

// world is a server and everything around it.
type world struct {
	settings   settings
	registry   *stream.Registry
	server     *server.Server
	limiter    *access.Limiter
	listener   *rtmptest.Listener
	authorizer *authorizer
	served     chan error
	start      time.Time
	backend    *backend // nil without a callback
	redis      *fakeRedis
	commands   *operator

	mu         sync.Mutex // guards what follows
	peers      []*peer
	sources    map[uint32]*source
	lastSource uint32
	// frozen says that publishers wait for what is under way to arrive.
	frozen bool
	// complaints are what the last look at the world found.
	complaints []string

	memory memory
	// collecting says that the next look is at the memory as well.
	collecting bool

	journalMu sync.Mutex // guards what follows
	journal   []string
	violation error
	// doomed are the addresses of those whom an operator's order is for.
	doomed map[string]bool
}

func newWorld(s settings, stateDir string) *world {
	w := &world{settings: s, start: time.Now(), sources: make(map[uint32]*source), doomed: make(map[string]bool)}
	w.authorizer = newAuthorizer(w.violate)
	if s.Callback {
		w.backend = newBackend(w, stateDir)
	}
	if s.Redis {
		w.redis = &fakeRedis{up: true}
	}
	w.boot()
	return w
}

// note adds a line to what is printed of a failing run.
func (w *world) note(format string, args ...any) {
	w.journalMu.Lock()
	defer w.journalMu.Unlock()
	w.journal = append(w.journal, fmt.Sprintf("%9.3f  ", time.Since(w.start).Seconds())+fmt.Sprintf(format, args...))
}

// violate notes that something happened which must not.
func (w *world) violate(format string, args ...any) {
	w.note("VIOLATION "+format, args...)
	w.journalMu.Lock()
	defer w.journalMu.Unlock()
	if w.violation == nil {
		w.violation = fmt.Errorf(format, args...)
	}
}

func (w *world) violated() error {
	w.journalMu.Lock()
	defer w.journalMu.Unlock()
	return w.violation
}

// serverLog takes the server's log into the journal.
type serverLog struct{ w *world }

func (l serverLog) Write(b []byte) (int, error) {
	_, line, _ := strings.Cut(string(b), "level=")
	l.w.note("server: %s", strings.TrimSpace(line))
	if strings.Contains(line, "msg=panic") {
		l.w.violate("the server panicked")
	}
	if client := clientOf(line); strings.Contains(line, string(stream.ReasonKilled)) && !l.w.isDoomed(client) {
		l.w.violate("%s was killed, and nobody wanted that", client)
	}
	return len(b), nil
}

// take carries out one step.
func (w *world) take(s step) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("%v", s)
	switch s.action {
	case publish:
		p := w.newPeer(s.client)
		w.dial(p, p.publishCommands(s))
	case play:
		for range s.number {
			p := w.newPeer(s.client)
			w.dial(p, p.playCommands(s))
		}
	case advance:
		w.mu.Unlock()
		time.Sleep(s.time)
		w.mu.Lock()
	case kill, closeStream, reconnect:
		w.command(s)
	case backendDoes:
		if w.backend != nil {
			w.backend.become(s.how)
		}
	case redisDoes:
		if w.redis != nil {
			w.redis.do(s.how)
		}
	case collect:
		w.collecting = true
	case crash:
		w.mu.Unlock()
		w.crash()
		w.mu.Lock()
	default:
		if p := w.pick(s); p != nil {
			w.note("  by %s", p.name)
			w.order(p, s)
		}
	}
}

func (w *world) dial(p *peer, first []rtmp.Message) {
	conn, err := w.settings.Network.dial(w.listener, netip.AddrPortFrom(p.address(), 5000))
	if err != nil {
		w.violate("dial: %v", err)
		return
	}
	p.conn, p.client = conn, rtmp.NewClient(conn)
	go p.run(first...)
}

// pick chooses the peer that a step is for.
func (w *world) pick(s step) *peer {
	suits := map[action]func(*peer) bool{
		stall:    func(p *peer) bool { return p.plays() && !p.stalled },
		resume:   func(p *peer) bool { return p.stalled },
		throttle: (*peer).plays,
		cut:      func(*peer) bool { return true },
		stop:     func(p *peer) bool { return p.publishes() || p.plays() },
		again:    (*peer).idle,
		hush:     (*peer).publishes,
		burst:    (*peer).publishes,
		header:   (*peer).publishes,
		jump:     (*peer).publishes,
		pause:    (*peer).plays,
		lose:     func(*peer) bool { return true },
		sever:    func(*peer) bool { return true },
	}[s.action]
	var candidates []*peer
	for _, p := range w.peers {
		if !p.ended && !p.vanished && !p.mute && suits(p) {
			candidates = append(candidates, p)
		}
	}
	if len(candidates) == 0 {
		return nil
	}
	// A step back from the end: the newest peers have most to tell.
	return candidates[len(candidates)-1-s.pick%len(candidates)]
}

// idle reports whether the client has ended what it did with a word.
func (p *peer) idle() bool {
	return p.source != nil && p.source.live && p.source.over || p.viewing != nil && p.viewing.started && p.viewing.over
}

func (w *world) order(p *peer, s step) {
	switch s.action {
	case stall:
		p.stalled, p.stalledAt = true, time.Now()
		p.viewing.since = time.Time{} // a publication that begins meanwhile it meets in its midst
		p.conn.Stall()
	case resume:
		p.conn.Resume()
		if time.Since(p.stalledAt) > toleratedLag { // or throttled
			p.viewing.loosen()
			w.mu.Unlock()
			time.Sleep(recovery)
			w.mu.Lock()
		}
		p.stalled = false
	case throttle:
		p.viewing.loosen()
		p.stalled, p.stalledAt = true, time.Time{}
		p.conn.Throttle(s.number)
	case cut:
		w.cut(p, s.how)
	case stop:
		p.stop(s.how == "leave")
	case again:
		p.again(s)
	case hush:
		p.source.hushed = !p.source.hushed
	case burst:
		w.mu.Unlock()
		p.tick(s.number)
		w.mu.Lock()
	case header:
		p.newHeaders(media.Kind(s.pick % 2))
	case jump:
		p.source.base += uint32(s.number)
		p.source.timestamp += uint32(s.number)
	case pause:
		p.setPaused(!p.viewing.paused)
	case lose:
		p.lose(s.how)
	case sever:
		p.sever(s.how, s.number)
	}
}

func (w *world) cut(p *peer, how string) {
	if p.source != nil {
		p.source.over = true
	}
	switch how {
	case "fin":
		_ = p.conn.CloseWrite()
	case "close":
		_ = p.conn.Close()
	case "reset":
		_ = p.conn.Reset()
	case "vanish":
		p.vanished = true
		p.conn.Stall()
	}
}

// stop ends the server in one of its ways, and then everybody.
func (w *world) stop(ending string) {
	w.note("%s", ending)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	switch ending {
	case "drain":
		w.server.Drain(ctx)
	case "close":
		_ = w.server.Close()
	case "impatient shutdown":
		_ = w.server.Shutdown(ctx)
	}
	if err := w.server.Shutdown(context.Background()); err != nil {
		w.violate("shutdown: %v", err)
	}
	if took := time.Since(start); took > longestShutdown {
		w.violate("the shutdown took %v", took)
	}
	if err := <-w.served; !errors.Is(err, server.ErrServerClosed) {
		w.violate("serve: %v", err)
	}
	w.checkNothingLeft()
	w.stopAround()
	for _, p := range w.peers {
		_ = p.conn.Close()
	}
	time.Sleep(recovery)
	synctest.Wait()
}
