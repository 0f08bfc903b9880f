package server

import (
	"net"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/fanout"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// A panic ends the session in whose work it happened, and nothing else. Each
// goroutine of a session, and each timer, defers one of the following.

// panicked ends the connection because of a panic, and tells the log.
func (c *conn) panicked(value any) {
	c.end(stream.ReasonInternal, nil)
	c.server.panics.Caught(c.log, value)
}

// contain is for goroutines that have nothing to clean up: the reading one does
// that, once the connection was asked to end.
func (c *conn) contain() {
	if p := recover(); p != nil {
		c.panicked(p)
	}
}

// isolate is for the reading goroutine.
func (c *conn) isolate() {
	if p := recover(); p != nil {
		c.panicked(p)
		defer c.isolate() // closing one stream may panic: the others follow
		c.closeStreams()
		c.out.close()
	}
}

// isolate is for whoever has the turn of the writer.
func (w *writer) isolate() {
	if p := recover(); p != nil {
		w.c.panicked(p)
		_ = w.c.nc.socket.Close()
		close(w.done)
	}
}

// abandon is for the acceptance of a connection, which is nil if there is none yet:
// the listener goes on with the next one.
func (s *Server) abandon(nc net.Conn, c **conn) {
	p := recover()
	if p == nil {
		return
	}
	s.panics.Caught(s.log, p)
	_ = nc.Close()
	if *c == nil {
		return
	}
	if s.holds(*c) {
		s.leave(*c)
	}
	(*c).discard()
}

// Panics returns how many panics have been caught so far, by this server and by
// those with whom it shares [Options.Panics].
func (s *Server) Panics() uint64 { return s.panics.Count() }

// holds reports whether the connection has a place.
func (s *Server) holds(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.places.taken[c]
	return ok
}

// fanOut serves the viewers of a publication until its end. A panic ends the
// publisher; those who watched hear of the end all the same.
func (c *conn) fanOut(p *stream.Publication, channel string) {
	defer c.contain()
	if c.passes(p, channel) {
		return
	}
	<-p.Done()
	for _, v := range p.AppendViewers(nil) {
		v.Wake(nil)
	}
}

// Settle returns when every pass of the fan-out that is under way has ended: at
// once, unless one is stuck.
func (s *Server) Settle() { s.passes.Settle() }

// passes reports whether the passes went well to the end.
func (c *conn) passes(p *stream.Publication, channel string) (ended bool) {
	defer c.contain()
	now := func() time.Duration {
		faultinject.At(faultinject.Pass, channel)
		return c.server.now()
	}
	c.server.passes.Run(p, fanout.Options{
		MaxDelay: c.server.options.MaxWriteDelay, Now: now, Observe: c.server.options.Passed, Pages: new(socket.Pages),
	})
	return true
}
