package httpflv

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// gate is a listener that counts what it accepts, and refuses what is too much
// before any work is done for it.
type gate struct {
	net.Listener
	server *Server
}

// Accept returns connections that are a [*peer].
func (g *gate) Accept() (net.Conn, error) {
	for {
		nc, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p := &peer{Conn: nc, server: g.server}
		if reason := p.enter(); reason != "" {
			g.server.logRefusal(nc.RemoteAddr().String(), reason)
			socket.ResetOnClose(nc)
			_ = p.Close()
			continue
		}
		_ = socket.Tune(nc, unreachableTimeout)
		return p, nil
	}
}

// peer is a connection with its place among those of the server and of its
// address. It may carry several requests.
type peer struct {
	net.Conn
	server *Server
	closed sync.Once

	mu         sync.Mutex // guards what follows
	identified bool
	refused    stream.Reason
	addr       netip.AddrPort
	releases   []func()
}

// NetConn returns the connection below.
func (p *peer) NetConn() net.Conn { return p.Conn }

// enter takes the places, and returns why there is none. The client behind a load
// balancer is not known before its first request.
func (p *peer) enter() stream.Reason {
	leave, ok := p.server.options.Host.Admit()
	if !ok {
		return ReasonFull
	}
	p.releases = append(p.releases, leave)
	if _, proxied := p.Conn.(*access.ProxyConn); proxied {
		return ""
	}
	_, reason := p.identify()
	return reason
}

// identify returns who the client is, and why it may not have one more connection
// if it may not.
func (p *peer) identify() (netip.AddrPort, stream.Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.identified {
		return p.addr, p.refused
	}
	p.identified = true
	addr, err := access.ClientAddr(p.Conn)
	if err != nil {
		p.refused = ReasonProxyHeader
		return p.addr, p.refused
	}
	p.addr = addr
	limiter := p.server.options.Limiter
	if !limiter.Allow(addr.Addr()) {
		p.refused = ReasonHasty
		return p.addr, p.refused
	}
	release, ok := limiter.Acquire(addr.Addr())
	if !ok {
		p.refused = ReasonCrowded
		return p.addr, p.refused
	}
	p.releases = append(p.releases, release)
	return p.addr, ""
}

// Close gives the places back.
func (p *peer) Close() error {
	err := p.Conn.Close()
	p.closed.Do(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, release := range p.releases {
			release()
		}
	})
	return err
}

// peerKey is what a request's context has its peer under.
type peerKey struct{}

// withPeer notes the peer of a connection, which TLS may lie on.
func withPeer(ctx context.Context, nc net.Conn) context.Context {
	for {
		if p, ok := nc.(*peer); ok {
			return context.WithValue(ctx, peerKey{}, p)
		}
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return ctx
		}
		nc = wrapper.NetConn()
	}
}

// clientOf returns the address of the client of a request, and why it is refused if
// it is.
func clientOf(ctx context.Context, remote string) (netip.AddrPort, stream.Reason) {
	if p, ok := ctx.Value(peerKey{}).(*peer); ok {
		return p.identify()
	}
	addr, err := netip.ParseAddrPort(remote) // of a server that is not this package's
	if err != nil {
		return netip.AddrPort{}, ""
	}
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()), ""
}

// logRefusal tells of a connection for which nothing was done.
func (s *Server) logRefusal(addr string, reason stream.Reason) {
	level := slog.LevelDebug
	if reason == ReasonFull {
		level = slog.LevelWarn
	}
	s.options.Host.LogRefusal(s.options.Log, level, reason, "connection refused", "addr", addr, "reason", string(reason))
}

// errFlood and errProtocol are what a viewer can do wrong.
var (
	errFlood    = errors.New("too much is sent by a viewer")
	errProtocol = errors.New("WebSocket protocol broken")
)
