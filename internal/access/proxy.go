package access

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
)

// ErrProxyHeader is wrapped by each error of a connection whose PROXY protocol header is malformed, too long or late.
var ErrProxyHeader = errors.New("bad PROXY protocol header")

const (
	// maxProxyLine is the longest header of version 1 (PROXY protocol section 2.1), where an endless one is given up. For
	// version 2 that is proxyproto.MaxV2HeaderSize, 4 KiB.
	maxProxyLine = 107
	// proxyBuffer holds a version 1 header and the usual ones of version 2, which may be longer than it.
	proxyBuffer = 256
)

// ProxyListener returns a listener for behind a load balancer. A connection from a trusted address may begin with a header
// of the PROXY protocol, version 1 or 2, that names the client it stands for; without one, as with a health check, it
// stands for itself. On connections from any other address headers mean nothing: they are returned as they are, and a
// header in front is as foreign to the protocol that follows as any other bytes.
//
// Accept never waits for a header. A connection from a trusted address is a [*ProxyConn], which reads it when the
// connection's own goroutine asks for it, through [ClientAddr] or a Read, and which fails when it is not complete within
// timeout after Accept. A trusted peer that sends nothing at all for that long fails too.
func ProxyListener(l net.Listener, trusted List, timeout time.Duration) net.Listener {
	if trusted.Empty() {
		return l
	}
	return &proxyListener{Listener: l, trusted: trusted, timeout: timeout}
}

type proxyListener struct {
	net.Listener
	trusted List
	timeout time.Duration
}

func (l *proxyListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil || !l.trusted.Contains(addrPort(nc.RemoteAddr()).Addr()) {
		return nc, err
	}
	c := &ProxyConn{Conn: nc, header: bufio.NewReaderSize(nc, proxyBuffer)}
	c.latest = time.Now().Add(l.timeout)
	_ = nc.SetReadDeadline(c.latest) // fails on closed connections only, and so will the read
	return c, nil
}

// ProxyConn is a connection from a load balancer. Its addresses are those of the balancer until the header has been read,
// and neither of them ever waits for that. Like each wrapper it has no vectored writes and no socket options of its own:
// use NetConn for both.
type ProxyConn struct {
	net.Conn

	once   sync.Once
	err    error         // of the header
	header *bufio.Reader // nil when all bytes that came along with the header are read

	mu     sync.Mutex
	client net.Addr // from the header, nil if there is none
	// latest is when the header has to be there, zero once it is; wanted the deadline that the owner asked for.
	latest, wanted time.Time
}

// NetConn returns the connection below, usually a [*net.TCPConn]. Writing to it is the same as writing to c. Reading from it
// loses what came along with the header.
func (c *ProxyConn) NetConn() net.Conn { return c.Conn }

// Read waits for the header first. Like [ProxyConn.Header] it must not run in two goroutines at once.
func (c *ProxyConn) Read(p []byte) (int, error) {
	if err := c.Header(); err != nil {
		return 0, err
	}
	if c.header != nil {
		if c.header.Buffered() > 0 {
			return c.header.Read(p)
		}
		c.header = nil
	}
	return c.Conn.Read(p)
}

// Header reads the header unless that was done before. The error wraps [ErrProxyHeader]; nothing else can be done with the
// connection then but to close it.
func (c *ProxyConn) Header() error {
	c.once.Do(func() {
		client, err := readProxyHeader(c.header)
		if err != nil {
			c.err = fmt.Errorf("%w: %w", ErrProxyHeader, err)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.client, c.latest = client, time.Time{}
		_ = c.Conn.SetReadDeadline(c.wanted)
	})
	return c.err
}

// readProxyHeader returns the address that a header names, or nil if there is no header or none with a TCP address: the
// balancer then speaks for itself, or for a client without an IP address.
func readProxyHeader(r *bufio.Reader) (net.Addr, error) {
	awaitProxyLine(r)
	header, err := proxyproto.Read(r)
	switch {
	case errors.Is(err, proxyproto.ErrNoProxyProtocol):
		return nil, nil
	case err != nil:
		return nil, err
	case header.Command.IsLocal():
		return nil, nil
	}
	if client, ok := header.SourceAddr.(*net.TCPAddr); ok {
		return client, nil
	}
	return nil, nil
}

// awaitProxyLine returns when a version 1 header is complete in the buffer, or when it is clear that there is none:
// go-proxyproto refuses one that comes in several segments. Whatever fails here fails again in its reader.
func awaitProxyLine(r *bufio.Reader) {
	for n := 1; n <= maxProxyLine; n++ {
		b, err := r.Peek(n)
		prefix := min(n, len(proxyproto.SIGV1))
		if err != nil || b[n-1] == '\n' || !bytes.Equal(b[:prefix], proxyproto.SIGV1[:prefix]) {
			return
		}
	}
}

// RemoteAddr returns the client's address if the header has been read and named one, else the balancer's.
func (c *ProxyConn) RemoteAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
}

// SetReadDeadline sets the deadline for reads; the one of the header stays in force as long as it is the earlier one.
func (c *ProxyConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wanted = t
	if !c.latest.IsZero() && (t.IsZero() || t.After(c.latest)) {
		t = c.latest
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline sets the deadlines for reads, with the same exception, and writes.
func (c *ProxyConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// CloseWrite ends what is sent to the peer, if the connection below can do that.
func (c *ProxyConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// ClientAddr returns the address of the client at the other end of nc, IPv4-mapped ones as IPv4, and the zero AddrPort if it
// has no IP address. For a [*ProxyConn], also below TLS, it waits for the header: call it in the connection's own goroutine
// and before its address is used for anything. An error means that the connection has to be closed.
func ClientAddr(nc net.Conn) (netip.AddrPort, error) {
	for inner := nc; inner != nil; {
		if p, ok := inner.(*ProxyConn); ok {
			if err := p.Header(); err != nil {
				return netip.AddrPort{}, err
			}
			break
		}
		wrapper, ok := inner.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		inner = wrapper.NetConn()
	}
	return addrPort(nc.RemoteAddr()), nil
}

func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
