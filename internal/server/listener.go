package server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Pauses after a failed accept.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// Serve accepts connections on l until the server is stopped, and then returns
// [ErrServerClosed]. A failing accept is retried with growing pauses: running
// out of descriptors must not end the service. Serve closes l.
func (s *Server) Serve(l net.Listener) error { return s.serve(l, nil) }

// ServeTLS is Serve for RTMPS. The TLS handshakes run in the goroutines of their
// connections.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	config = config.Clone()
	// Batches are large: there is nothing to gain from small first records.
	config.DynamicRecordSizingDisabled = true
	return s.serve(l, config)
}

func (s *Server) serve(l net.Listener, config *tls.Config) error {
	if !s.addListener(l) {
		_ = l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)
	spare := socket.NewSpare()
	defer spare.Release()
	var pause time.Duration
	for {
		nc, err := spare.Accept(l, func(nc net.Conn) { s.turnDown(nc, stream.ReasonNoFiles) })
		switch {
		case err == nil:
			pause = 0
			if s.shortage.turnsAway() {
				s.turnDown(nc, stream.ReasonMemory)
				continue
			}
			s.accept(nc, config)
		case s.isStopping():
			return ErrServerClosed
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
			s.log.Error("accept failed", "error", err, "retry_in", pause)
			time.Sleep(pause)
		}
	}
}

// accept starts a connection, or refuses it before any work is done for it. The
// client behind a load balancer is not known yet: its connection looks for
// itself.
func (s *Server) accept(nc net.Conn, config *tls.Config) {
	var c *conn
	defer s.abandon(nc, &c)
	c = newConn(s, newTransport(nc, config))
	s.totals.accepted[c.nc.traffic()].Add(1)
	faultinject.At(faultinject.Accept, "")
	if err := c.enter(); err != nil {
		c.logRefusal(err)
		c.discard()
		return
	}
	go func() {
		defer c.contain()
		defer s.leave(c)
		c.serve()
	}()
}

// enter finds out whether there is room for the connection.
func (c *conn) enter() error {
	if _, proxied := c.nc.socket.(*access.ProxyConn); !proxied {
		if err := c.identify(); err != nil {
			return err
		}
	}
	return c.server.enter(c)
}

// turnDown refuses a connection for which the server itself lacks something.
func (s *Server) turnDown(nc net.Conn, reason stream.Reason) {
	s.refusals.write(s.log, slog.LevelWarn, reason, "connection refused",
		"addr", nc.RemoteAddr().String(), "reason", string(reason))
	reset(nc)
	s.tellTurnedDown(nc, reason)
}

// discard ends a connection that was never served.
func (c *conn) discard() {
	c.watch.stop()
	c.cancel()
	c.release()
	reset(c.nc.socket)
}

// reset closes a socket with a reset, so that a flood leaves no sockets behind
// that wait for their peer.
func reset(nc net.Conn) {
	socket.ResetOnClose(nc)
	_ = nc.Close()
}

func (s *Server) addListener(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	s.listeners[l] = struct{}{}
	return true
}

func (s *Server) removeListener(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	_ = l.Close()
}

func (s *Server) isStopping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}
