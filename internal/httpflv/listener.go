package httpflv

import (
	"errors"
	"net"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// gate is a listener that counts what it accepts, and refuses what is too much
// before any work is done for it.
type gate struct {
	net.Listener
	server *Server
	secure bool // TLS lies on its connections
	spare  *socket.Spare
}

// newGate returns a gate that is released when it is not used any more.
func (s *Server) newGate(l net.Listener, secure bool) (g *gate, release func()) {
	g = &gate{Listener: l, server: s, secure: secure, spare: socket.NewSpare()}
	return g, func() { g.spare.Release() }
}

// Accept returns connections that are a [*peer]. What fails is tried again with
// growing pauses: net/http would end the service over some of it.
func (g *gate) Accept() (net.Conn, error) {
	var pause time.Duration
	for {
		nc, err := g.spare.Accept(g.Listener, g.turnDown)
		switch {
		case err == nil:
			pause = 0
			if p := g.admit(nc); p != nil {
				return p, nil
			}
		case errors.Is(err, net.ErrClosed), g.server.isStopping():
			return nil, err
		default:
			pause = min(max(2*pause, minAcceptPause), maxAcceptPause)
			g.server.options.Log.Error("accept failed", "error", err, "retry_in", pause)
			time.Sleep(pause)
		}
	}
}

// admit returns nil for a connection that was refused.
func (g *gate) admit(nc net.Conn) (admitted *peer) {
	p := newPeer(nc, g)
	defer func() {
		if v := recover(); v != nil {
			g.server.options.Panics.Caught(g.server.options.Log, v)
			p.told.Store(true)
			_ = p.Close() // and give back what it has taken by now
		}
	}()
	faultinject.At(faultinject.Accept, "")
	if reason := p.enter(); reason != "" {
		g.server.turnAway(nc.RemoteAddr().String(), reason)
		socket.ResetOnClose(nc)
		p.told.Store(true)
		_ = p.Close()
		return nil
	}
	_ = socket.Tune(nc, unreachableTimeout)
	return p
}

// turnDown refuses a connection for which there is no descriptor.
func (g *gate) turnDown(nc net.Conn) {
	g.server.turnAway(nc.RemoteAddr().String(), stream.ReasonNoFiles)
	socket.ResetOnClose(nc)
	_ = nc.Close()
}
