package rtmptest

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one end of a connection in memory. Unlike net.Pipe it can be closed
// for writing alone, as TCP can. A write waits for its reader.
type Conn struct {
	in, out       half
	local, remote net.Addr
	pace          *pace
	reset         *atomic.Bool // of both ends
	// up and down are the network of [PipeOver], at the client's end.
	up, down *wire
}

// Pipe returns the two ends of a connection between a client at the given
// address and a server.
func Pipe(client netip.AddrPort) (clientEnd, serverEnd *Conn) {
	up, upServer := net.Pipe()
	down, downServer := net.Pipe()
	clientEnd, serverEnd = newConns(client)
	clientEnd.in, clientEnd.out = down, up
	serverEnd.in, serverEnd.out = upServer, downServer
	return clientEnd, serverEnd
}

// newConns returns two ends with nothing between them.
func newConns(client netip.AddrPort) (clientEnd, serverEnd *Conn) {
	clientAddr := net.TCPAddrFromAddrPort(client)
	serverAddr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1935}
	reset := new(atomic.Bool)
	return &Conn{local: clientAddr, remote: serverAddr, pace: newPace(), reset: reset},
		&Conn{local: serverAddr, remote: clientAddr, pace: newPace(), reset: reset}
}

func (c *Conn) Read(p []byte) (int, error) {
	rate := c.pace.wait()
	if rate > 0 && len(p) > 0 {
		p = p[:min(len(p), (rate+pacedReads-1)/pacedReads)]
	}
	n, err := c.in.Read(p)
	if rate := c.pace.wait(); rate > 0 { // it may have changed meanwhile
		time.Sleep(min(time.Duration(n)*time.Second/time.Duration(rate), time.Second/pacedReads))
	}
	return n, c.fault("read", err)
}

func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	return n, c.fault("write", err)
}

// fault is what an end of the connection looks like after a reset.
func (c *Conn) fault(op string, err error) error {
	if err == nil || !c.reset.Load() || errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Err: syscall.ECONNRESET}
}

// Close closes both directions.
func (c *Conn) Close() error {
	c.pace.set(false, 0)
	return errors.Join(c.in.Close(), c.out.Close())
}

// Reset is Close by a peer that is suddenly gone: the other end meets
// ECONNRESET instead of the end of the connection.
func (c *Conn) Reset() error {
	c.reset.Store(true)
	return c.Close()
}

// Stall has reads of this end wait for Resume, so that soon the other end's
// writes wait as well.
func (c *Conn) Stall() { c.pace.set(true, 0) }

// Resume ends Stall and Throttle.
func (c *Conn) Resume() { c.pace.set(false, 0) }

// Throttle has this end read so many bytes a second at most.
func (c *Conn) Throttle(bytesPerSecond int) { c.pace.set(false, bytesPerSecond) }

// CloseWrite tells the peer that nothing more comes.
func (c *Conn) CloseWrite() error { return c.out.Close() }

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.in.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

// Listener accepts connections that Dial makes.
type Listener struct {
	conns  chan net.Conn
	errs   chan error
	closed chan struct{}
	once   sync.Once
}

// NewListener returns a listener in memory.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn), errs: make(chan error), closed: make(chan struct{})}
}

// Dial connects from the given address and returns the client's end.
func (l *Listener) Dial(from netip.AddrPort) (*Conn, error) {
	return l.connect(Pipe(from))
}

// DialOver is Dial over a network, see [PipeOver].
func (l *Listener) DialOver(from netip.AddrPort, up, down Link) (*Conn, error) {
	return l.connect(PipeOver(from, up, down))
}

func (l *Listener) connect(client, server *Conn) (*Conn, error) {
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Fail has one Accept return err.
func (l *Listener) Fail(err error) { l.errs <- err }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case err := <-l.errs:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1935} }
