package httpflv

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// peer is a connection with its place among those of the server and of its
// address. It may carry several requests.
type peer struct {
	net.Conn
	server  *Server
	secure  bool
	began   time.Duration
	account connAccount
	closed  sync.Once
	// awaited says that [Server.Shutdown] waits for it: net/http forgets a connection
	// before another goroutine is done with closing it.
	awaited bool
	// newcomer is its place in the line of those who have had no viewer, which the
	// server's lock guards.
	newcomer *list.Element
	// told says that its end is, or will be, told of: by a request, or because it was
	// refused.
	told atomic.Bool
	// spoke says that a request has begun, above TLS, and failure is what reading
	// failed with.
	spoke   atomic.Bool
	failure atomic.Pointer[error]

	mu         sync.Mutex // guards what follows
	identified bool
	refused    stream.Reason
	addr       netip.AddrPort
	releases   []func()
}

func newPeer(nc net.Conn, g *gate) *peer {
	p := &peer{Conn: nc, server: g.server, secure: g.secure, began: g.server.now()}
	p.account.open(g.server)
	return p
}

// NetConn returns the connection below.
func (p *peer) NetConn() net.Conn { return p.Conn }

// Read notes how reading ends.
func (p *peer) Read(b []byte) (int, error) {
	n, err := p.Conn.Read(b)
	if err != nil {
		p.failure.Store(&err)
	}
	return n, err
}

// enter takes the places, and returns why there is none. The client behind a load
// balancer is not known before its first request.
func (p *peer) enter() stream.Reason {
	if _, proxied := p.Conn.(*access.ProxyConn); !proxied {
		if _, refused := p.identify(); refused != "" {
			return refused
		}
	}
	if !p.server.await() {
		return stream.ReasonShutdown
	}
	p.awaited = true
	p.server.welcome(p)
	leave, refused := p.server.options.Host.Admit()
	if refused == "" {
		p.releases = append(p.releases, leave)
	}
	return refused
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
		p.refused = stream.ReasonProxyHeader
		return p.addr, p.refused
	}
	p.addr = addr
	limiter := p.server.options.Limiter
	if !limiter.Allow(addr.Addr()) {
		p.refused = stream.ReasonHasty
		return p.addr, p.refused
	}
	release, ok := limiter.Acquire(addr.Addr())
	if !ok {
		p.refused = stream.ReasonCrowded
		return p.addr, p.refused
	}
	p.releases = append(p.releases, release)
	return p.addr, ""
}

// Close gives the places back.
func (p *peer) Close() error {
	err := p.Conn.Close()
	p.closed.Do(p.leave)
	return err
}

func (p *peer) leave() {
	if p.awaited {
		defer p.server.running.Done()
	}
	defer func() {
		if v := recover(); v != nil {
			p.server.options.Panics.Caught(p.server.options.Log, v)
		}
	}()
	p.release()
	p.noLonger()
	p.account.close()
	if !p.told.Load() {
		p.server.turnAway(p.RemoteAddr().String(), p.fruitless())
	}
}

func (p *peer) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, release := range p.releases {
		release()
	}
}

// fruitless is why a connection ended that never had a request.
func (p *peer) fruitless() stream.Reason {
	var failure error
	if f := p.failure.Load(); f != nil {
		failure = *f
	}
	switch {
	case errors.Is(failure, access.ErrProxyHeader):
		return stream.ReasonProxyHeader
	case errors.Is(failure, io.EOF), errors.Is(failure, syscall.ECONNRESET):
		return ReasonProbe
	case errors.Is(failure, os.ErrDeadlineExceeded), p.server.now()-p.began >= requestTimeout:
		return ReasonSlowRequest
	case p.server.isStopping():
		return stream.ReasonShutdown
	case p.secure && !p.spoke.Load():
		return stream.ReasonTLS
	default:
		return ReasonBadRequest
	}
}

// peerOf returns the peer that a connection lies on, or nil.
func peerOf(nc net.Conn) *peer {
	for {
		if p, ok := nc.(*peer); ok {
			return p
		}
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = wrapper.NetConn()
	}
}

// noteState learns from net/http that the first byte of a request has come.
func noteState(nc net.Conn, state http.ConnState) {
	if state != http.StateActive {
		return
	}
	if p := peerOf(nc); p != nil {
		p.spoke.Store(true)
	}
}

// peerKey is what a request's context has its peer under.
type peerKey struct{}

// withPeer notes the peer of a connection.
func withPeer(ctx context.Context, nc net.Conn) context.Context {
	if p := peerOf(nc); p != nil {
		return context.WithValue(ctx, peerKey{}, p)
	}
	return ctx
}

// clientOf returns the address of the client of a request, and why it is refused if
// it is.
func clientOf(r *http.Request) (netip.AddrPort, stream.Reason) {
	if p, ok := r.Context().Value(peerKey{}).(*peer); ok {
		p.told.Store(true)
		p.account.speaks(protocolOf(r))
		return p.identify()
	}
	return addrPort(r.RemoteAddr), "" // of a server that is not this package's
}

// addrPort reads an address as net/http writes it.
func addrPort(text string) netip.AddrPort {
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}
