package server

import (
	"crypto/tls"
	"net"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
)

// transport is the way to a peer: a socket, with TLS on top or not. It does not
// change once it is made.
type transport struct {
	// Conn carries the session: reads, and the writes of the handshakes.
	net.Conn
	// socket is what lies below: closing it never waits for the peer, as
	// closing TLS does.
	socket net.Conn
	// secure is Conn if it is TLS, and records what lies below it; both are nil
	// otherwise.
	secure  *tls.Conn
	records *recordBuffer
	// direct writes to the socket without waiting, where that can be done.
	direct socket.Writer
}

// newTransport makes the transport of a session on a socket, as TLS if there
// is a configuration for it.
func newTransport(nc net.Conn, config *tls.Config) *transport {
	t := &transport{Conn: nc, socket: nc, direct: socket.NewWriter(socket.Innermost(nc))}
	if config != nil {
		t.records = &recordBuffer{Conn: nc}
		t.secure = tls.Server(t.records, config)
		t.Conn = t.secure
	}
	return t
}

// writeNow writes as much of the step as the socket takes at once. It must not
// be called where direct does not exist.
func (t *transport) writeNow(b *batch) (n int, err error) {
	pipe := -1
	if t.secure == nil {
		pipe = b.pipe()
	}
	if pipe >= 0 {
		n, err = t.direct.WritePipe(pipe, b.step, &b.direct)
	} else {
		n, err = t.direct.Write(b.step, &b.direct, false)
	}
	b.consume(n)
	return n, err
}

// write writes some of the step, and waits until the socket takes it: all of it
// in one system call where the socket is TCP and has room.
func (t *transport) write(b *batch) (int, error) {
	if !t.direct.Exists() {
		n, err := b.step.WriteTo(socket.Innermost(t.socket))
		return int(n), err
	}
	n, err := t.direct.Write(b.step, &b.direct, true)
	b.consume(n)
	return n, err
}

// seal appends to dst the TLS records of a text. What the reading side of the
// connection had to say goes before them.
func (t *transport) seal(text, dst []byte) ([]byte, error) {
	if _, err := t.secure.Write(text); err != nil {
		return nil, err
	}
	return t.records.take(dst), nil
}

// recordBuffer lies between TLS and the socket. While it holds, what TLS writes
// is kept back, so that the records of a batch go out in one system call.
type recordBuffer struct {
	net.Conn
	// turn is that of the TLS handshake under way; it belongs to the reading
	// goroutine.
	turn *turn

	// mu guards what follows, and the order of writes: reading from TLS may
	// write as well, as when the peer changes its keys.
	mu      sync.Mutex
	holding bool
	held    *[]byte
}

// recordBuffers hold the records of a batch until they are written.
var recordBuffers = sync.Pool{New: func() any { return new([]byte) }}

// NetConn returns the socket.
func (r *recordBuffer) NetConn() net.Conn { return r.Conn }

func (r *recordBuffer) Read(p []byte) (int, error) {
	if r.turn == nil {
		return r.Conn.Read(p)
	}
	r.turn.give()
	n, err := r.Conn.Read(p)
	if err == nil {
		err = r.turn.take()
	}
	return n, err
}

func (r *recordBuffer) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.holding {
		return r.Conn.Write(p)
	}
	if r.held == nil {
		r.held = recordBuffers.Get().(*[]byte)
		*r.held = (*r.held)[:0]
	}
	*r.held = append(*r.held, p...)
	return len(p), nil
}

// hold keeps back what is written from now on: the handshakes are over, and the
// socket's writes belong to the connection's writer.
func (r *recordBuffer) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = true
}

// take appends what was kept back to dst.
func (r *recordBuffer) take(dst []byte) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held == nil {
		return dst
	}
	dst = append(dst, *r.held...)
	recordBuffers.Put(r.held)
	r.held = nil
	return dst
}

// release lets writes through again: the writer is done, and TLS may say
// goodbye.
func (r *recordBuffer) release() error {
	last := r.take(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = false
	if len(last) == 0 {
		return nil
	}
	_, err := r.Conn.Write(last)
	return err
}
