package httpflv

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// ErrServerClosed is returned by [Server.Serve] after Shutdown or Close.
var ErrServerClosed = http.ErrServerClosed

// Server serves viewers over HTTP on any number of listeners.
type Server struct {
	options Options
	epoch   time.Time
	nextID  atomic.Uint64

	mu        sync.Mutex // guards what follows
	stopping  bool
	closed    bool
	servers   []*http.Server
	viewers   map[*viewer]struct{}
	totals    totals
	newcomers newcomers

	// running counts the connections, the viewers and their goroutines.
	running sync.WaitGroup
}

// New returns a server that waits for its first [Server.Serve].
func New(options Options) *Server {
	if options.PlayWait == 0 || options.PlayWait > waitLimit {
		options.PlayWait = waitLimit
	}
	if options.Guesses == nil {
		options.Guesses = access.NewGuesses(0, access.List{}, 0)
	}
	if options.Panics == nil {
		options.Panics = logs.NewPanics()
	}
	return &Server{options: options, epoch: time.Now(), viewers: make(map[*viewer]struct{}), totals: newTotals(),
		newcomers: newcomers{limit: options.MaxNewcomers}}
}

// now is the time on the server's clock, which never steps back.
func (s *Server) now() time.Duration { return time.Since(s.epoch) }

// Serve serves HTTP/1.1 on l until the server is stopped, and then returns
// [ErrServerClosed]. It closes l.
func (s *Server) Serve(l net.Listener) error {
	h, err := s.newHTTP(nil)
	if err != nil {
		_ = l.Close()
		return err
	}
	g, release := s.newGate(l, false)
	defer release()
	return h.Serve(g)
}

// ServeTLS is Serve for HTTPS: HTTP/1.1 and HTTP/2.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	h, err := s.newHTTP(config.Clone())
	if err != nil {
		_ = l.Close()
		return err
	}
	g, release := s.newGate(l, true)
	defer release()
	return h.ServeTLS(g, "", "")
}

func (s *Server) newHTTP(config *tls.Config) (*http.Server, error) {
	h := &http.Server{
		Handler:           s.isolated(s.handle),
		TLSConfig:         config,
		ReadHeaderTimeout: requestTimeout,
		ReadTimeout:       requestTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnContext:       withPeer,
		ConnState:         noteState,
		// What fails before there is a request is no more news than port scans are.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			SendPingTimeout:      pingEach,
			PingTimeout:          pongTimeout - pingEach,
		},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, ErrServerClosed
	}
	s.servers = append(s.servers, h)
	return h, nil
}

// handle serves one request.
func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	addr, refused := clientOf(r)
	allowed := s.permit(w.Header(), r)
	request, ok := s.parseRequest(r)
	refuse := func(reason stream.Reason) { s.refuse(w, refusedRequest(r, addr, request.channel), reason) }
	switch {
	case refused != "":
		refuse(refused)
	case r.Method == http.MethodOptions:
		preflight(w)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", allowedMethods)
		http.Error(w, "This is for players.", http.StatusMethodNotAllowed)
	case !s.options.Players.Contains(addr.Addr()):
		refuse(stream.ReasonPlayDenied)
	case !allowed && wantsWebSocket(r):
		refuse(ReasonOrigin)
	case !ok && !wantsMedia(r):
		s.sendAway(w, refusedRequest(r, addr, ""))
	case !ok:
		refuse(stream.ReasonBadName)
	case r.Method == http.MethodHead:
		mediaHeader(w.Header())
	default:
		s.play(w, r, newViewer(s, request, addr, r))
	}
}

// mediaHeader is that of an answer with media.
func mediaHeader(h http.Header) {
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx would hold media back for a buffer of its own
}

// refuse answers that there is nothing to play.
func (s *Server) refuse(w http.ResponseWriter, what stream.Session, reason stream.Reason) {
	answer(w, answerOf(reason))
	s.noteRefusal(what, reason)
}

// noteRefusal tells of a request for which there was nothing to play.
func (s *Server) noteRefusal(what stream.Session, reason stream.Reason) {
	s.logRefusal(slog.LevelInfo, what, reason)
	s.tellRefusal(what, reason)
}

// sendAway answers who looks for something else than media, as browsers do for an icon, and
// port scans for what can be broken into.
func (s *Server) sendAway(w http.ResponseWriter, what stream.Session) {
	answer(w, answerOf(stream.ReasonBadName))
	s.logRefusal(slog.LevelDebug, what, stream.ReasonBadName)
	s.tellRefusal(what, stream.ReasonBadName)
}

// turnAway tells of a connection for which nothing was done.
func (s *Server) turnAway(addr string, reason stream.Reason) {
	level := slog.LevelDebug // no more news than port scans are
	switch reason {
	case stream.ReasonFull, stream.ReasonMemory, stream.ReasonNoFiles:
		level = slog.LevelWarn
	}
	s.options.Host.LogRefusal(s.options.Log, level, reason, "connection refused", "addr", addr, "reason", string(reason))
	s.tellRefusal(stream.Session{Protocol: stream.ProtocolHTTPFLV, Address: addrPort(addr)}, reason)
}

// answer says no more than the status.
func answer(w http.ResponseWriter, status int) {
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(idleTimeout/time.Second)))
	}
	http.Error(w, http.StatusText(status), status)
}

// Preview returns a handler that plays a channel without its key, over WebSocket
// only and for pages of the same host. Whoever mounts it has made sure that the
// client may see the channel; its connection takes no place of this server.
func (s *Server) Preview(channel string) http.Handler {
	return s.isolated(func(w http.ResponseWriter, r *http.Request) {
		addr, _ := clientOf(r)
		origin := r.Header.Get("Origin")
		switch {
		case r.Method != http.MethodGet || !wantsWebSocket(r):
			w.Header().Set("Upgrade", "websocket")
			answer(w, http.StatusUpgradeRequired)
		case origin != "" && !sameOrigin(origin, r):
			s.refuse(w, refusedRequest(r, addr, ""), ReasonOrigin)
		case !s.validID(channel):
			s.refuse(w, refusedRequest(r, addr, ""), stream.ReasonBadName)
		default:
			s.play(w, r, newViewer(s, s.wish(request{channel: channel, trusted: true}, r), addr, r))
		}
	})
}

// enter registers a viewer, who is one of those running, unless the server is
// stopping.
func (s *Server) enter(v *viewer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.viewers[v] = struct{}{}
	s.running.Add(1)
	return true
}

// await makes a connection one of those running, unless the server is stopping.
func (s *Server) await() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.running.Add(1)
	return true
}

// leave forgets a viewer, but for what it was sent.
func (s *Server) leave(v *viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.viewers, v)
	s.totals.add(v.moved())
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

func (s *Server) open() []*viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.viewers))
}

// Shutdown stops accepting, ends every viewer, and waits until the last one is
// gone. If ctx ends first, the rest is cut off and the error of ctx returned.
func (s *Server) Shutdown(ctx context.Context) error {
	servers := s.stop()
	done := make(chan error, 1)
	go func() {
		failed := make([]error, 0, len(servers))
		for _, h := range servers {
			failed = append(failed, h.Shutdown(ctx))
		}
		s.running.Wait()
		done <- errors.Join(failed...)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		err := s.Close()
		return errors.Join(ctx.Err(), err, <-done)
	}
}

// Close stops accepting and cuts every connection off.
func (s *Server) Close() error {
	servers := s.stop()
	failed := make([]error, 0, len(servers))
	for _, h := range servers {
		failed = append(failed, h.Close())
	}
	for _, v := range s.cutOff() {
		v.cut()
	}
	return errors.Join(failed...)
}

// attach gives a viewer its way, which is cut if it is too late.
func (s *Server) attach(v *viewer, o outlet) {
	s.mu.Lock()
	v.out, v.attached = o, true
	closed := s.closed
	s.mu.Unlock()
	if closed {
		o.cut()
	}
}

// cutOff returns the viewers who have a way, and lets no other have one.
func (s *Server) cutOff() []*viewer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var attached []*viewer
	for v := range s.viewers {
		if v.attached {
			attached = append(attached, v)
		}
	}
	return attached
}

// stop ends all viewers, and lets none in any more.
func (s *Server) stop() []*http.Server {
	s.mu.Lock()
	s.stopping = true
	servers := slices.Clone(s.servers)
	s.mu.Unlock()
	for _, v := range s.open() {
		v.end(stream.ReasonShutdown)
	}
	return servers
}
