package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Server is the administration of one server.
type Server struct {
	options     Options
	started     time.Time
	handler     http.Handler
	crossOrigin *http.CrossOriginProtection
	door        *door
	tickets     *passes[string] // for the previews of channels
	ends        ends
	events      events
	draining    atomic.Bool
}

// New returns an administration that waits for its Run.
func New(options Options) *Server {
	s := &Server{
		options:     options,
		started:     time.Now(),
		crossOrigin: http.NewCrossOriginProtection(),
		door:        newDoor(options.Token, options.Log),
		tickets:     newPasses[string](ticketLifetime, maxTickets),
	}
	s.options.Host = strings.ToLower(options.Host)
	s.events.state = s.state
	s.handler = s.guard(s.routes())
	return s
}

// Ended takes note of the end of a session. It does not block.
func (s *Server) Ended(e End) {
	s.ends.add(e)
	s.events.ended(e)
}

// Drain makes /readyz say that no new clients should be sent here.
func (s *Server) Drain() { s.draining.Store(true) }

// Run serves on a listener, which it closes, until ctx ends. The error says that
// the listener broke.
func (s *Server) Run(ctx context.Context, on net.Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           s.handler,
		Protocols:         protocols,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       requestTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelDebug),
		// What goes on for long ends with the server.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})
	err := server.Serve(limitConnections(on, MaxConnections))
	if stop() {
		_ = server.Close()
		return err
	}
	<-stopped
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
