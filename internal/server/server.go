package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/fanout"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// ErrServerClosed is returned by [Server.Serve] after Shutdown or Close.
var ErrServerClosed = errors.New("server closed")

// Server serves RTMP on any number of listeners.
type Server struct {
	options Options
	log     *slog.Logger
	// epoch is when the clock of the server starts; arrival times and
	// deadlines count from it.
	epoch  time.Time
	nextID atomic.Uint64

	mu        sync.Mutex // guards what follows
	stopping  bool
	listeners map[net.Listener]struct{}
	places    places

	// running counts the goroutines of all connections.
	running sync.WaitGroup

	graces graces

	refusals *refusalLog
	steps    *stepLog

	shortage   shortage
	incomplete incomplete
	totals     totals

	panics *logs.Panics
	// passes are those of the publications.
	passes fanout.Passes

	// handshakes has room for the TLS handshakes that may run at once.
	handshakes chan struct{}
}

// New returns a server that waits for its first [Server.Serve].
func New(options Options) *Server {
	if options.Authorizer == nil {
		options.Authorizer = Everyone{}
	}
	if options.Guesses == nil {
		options.Guesses = access.NewGuesses(0, access.List{}, 0)
	}
	if options.Panics == nil {
		options.Panics = logs.NewPanics()
	}
	s := &Server{
		options:   options,
		log:       options.Log,
		epoch:     time.Now(),
		listeners: make(map[net.Listener]struct{}),
		places:    newPlaces(options.MaxConnections),
		graces:    newGraces(options.PublishGrace),
		refusals:  newRefusalLog(options.Log),
		steps:     newStepLog(options.Log),
		panics:    options.Panics,

		handshakes: make(chan struct{}, maxTLSHandshakes),
	}
	if options.MaxIncomplete > 0 {
		s.incomplete.budget = rtmp.NewBudget(options.MaxIncomplete, s.closeOldest)
	}
	return s
}

// now is the time on the server's clock, which never steps back.
func (s *Server) now() time.Duration { return time.Since(s.epoch) }

// at tells operators when a moment of the server's clock was, by the wall clock as it
// is now: that may have been set since the server started, as on machines that learn
// the time from the network when they are up.
func (s *Server) at(moment time.Duration) time.Time {
	now := time.Now()
	return now.Add(moment - now.Sub(s.epoch))
}

// Shutdown stops accepting, tells every peer that the server stops, and waits
// until the last one is gone. If ctx ends first, the rest is cut off and the
// error of ctx returned.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stopAccepting()
	for _, c := range s.open() {
		c.end(stream.ReasonShutdown, nil)
	}
	done := make(chan struct{})
	go func() {
		s.running.Wait()
		close(done)
	}()
	defer s.steps.end()
	defer s.refusals.end()
	defer s.graces.end() // by now nobody waits
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		err := s.Close()
		<-done
		return errors.Join(ctx.Err(), err)
	}
}

// Close stops accepting and cuts every connection off, without waiting.
func (s *Server) Close() error {
	s.stopAccepting()
	for _, c := range s.open() {
		c.end(stream.ReasonShutdown, nil)
		_ = c.nc.socket.Close()
	}
	s.graces.end()
	s.refusals.end()
	s.steps.end()
	return nil
}

func (s *Server) stopAccepting() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
	for l := range s.listeners {
		_ = l.Close()
	}
}

// grant is a start that the Authorizer accepted, and has to hear the end of.
type grant struct {
	access.Request
	streamID string
}

// authorize asks the Authorizer for the id of a stream.
func (s *Server) authorize(ctx context.Context, r access.Request) (*grant, error) {
	faultinject.At(faultinject.Authorize, r.Channel)
	streamID, err := s.options.Authorizer.Start(ctx, r)
	if err != nil {
		return nil, err
	}
	return &grant{r, streamID}, nil
}

// giveBack tells the Authorizer of the end of a grant.
func (s *Server) giveBack(g *grant) {
	s.options.Authorizer.Stop(g.Request, g.streamID)
}
