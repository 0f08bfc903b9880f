package server

import (
	"context"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// What a client and the request to connect anew have to do with each other.
const (
	cannotReconnect uint32 = iota
	canReconnect
	askedToReconnect
)

// RequestReconnect implements stream.Connection.
func (c *conn) RequestReconnect(tcURL string) bool {
	return c.askToReconnect(tcURL, "Connect anew when it suits you.")
}

// askToReconnect may be called from any goroutine and does not block. The client
// is served as before until it leaves.
func (c *conn) askToReconnect(tcURL, description string) bool {
	if c.ended() || c.reconnect.Load() == cannotReconnect {
		return false
	}
	c.reconnect.Store(askedToReconnect)
	c.out.send(rtmp.ReconnectRequest(tcURL, description))
	c.out.flush()
	return true
}

// Leaving implements stream.Publisher.
func (c *conn) Leaving() bool { return c.reconnect.Load() == askedToReconnect }

// Drain stops accepting, asks the clients that understand it to connect anew,
// which gets them to another server, and returns when the last of those has left
// or ctx ends: at once if there is none. Everybody is served as before meanwhile;
// Shutdown is what comes next.
func (s *Server) Drain(ctx context.Context) {
	s.stopAccepting()
	var asked []*conn
	for _, c := range s.open() {
		if c.askToReconnect("", "The server is stopping.") {
			asked = append(asked, c)
		}
	}
	if len(asked) == 0 {
		return
	}
	s.graces.end() // nobody comes back
	s.log.Info("waiting for clients that were asked to reconnect", "clients", len(asked))
	for _, c := range asked {
		select {
		case <-c.ctx.Done():
		case <-ctx.Done():
			return
		}
	}
}
