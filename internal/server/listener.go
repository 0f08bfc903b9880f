package server

import (
	"errors"
	"net"
	"time"
)

// Pauses after a failed accept, as when the process is out of descriptors.
const (
	minAcceptPause = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// Serve accepts connections on l until the server is stopped, and then returns
// [ErrServerClosed]. A failing accept is retried with growing pauses: running
// out of descriptors must not end the service. Serve closes l.
func (s *Server) Serve(l net.Listener) error {
	if !s.addListener(l) {
		_ = l.Close()
		return ErrServerClosed
	}
	defer s.removeListener(l)
	var pause time.Duration
	for {
		nc, err := l.Accept()
		switch {
		case err == nil:
			pause = 0
			s.accept(nc)
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

// accept starts a connection, or refuses it before any work is done for it.
func (s *Server) accept(nc net.Conn) {
	addr := clientAddr(nc)
	release, ok := s.options.Limiter.Acquire(addr.Addr())
	if !ok {
		s.log.Debug("connection refused", "addr", addr, "reason", "too many connections from this address")
		refuse(nc)
		return
	}
	c := newConn(s, nc, addr)
	if !s.track(c) {
		c.watch.stop()
		c.cancel()
		release()
		refuse(nc)
		return
	}
	go func() {
		defer s.untrack(c)
		defer release()
		c.serve()
	}()
}

// refuse closes a connection with a reset, so that a flood leaves no sockets
// behind that wait for their peer.
func refuse(nc net.Conn) {
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
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
