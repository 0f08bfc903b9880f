package server

import (
	"crypto/tls"
	"net"
	"sync"
)

// transport is the way to a peer: a socket, with TLS on top or not.
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
	batches
}

// batches writes batches of media with as few system calls as the transport
// allows. It consumes what it is given.
type batches interface {
	writeBatch(*net.Buffers) (int64, error)
}

// newTransport makes the transport of a session on a socket, as TLS if there
// is a configuration for it.
func newTransport(socket net.Conn, config *tls.Config) *transport {
	if config == nil {
		return &transport{Conn: socket, socket: socket, batches: vectored{innermost(socket)}}
	}
	records := &recordBuffer{Conn: socket}
	secure := tls.Server(records, config)
	return &transport{Conn: secure, socket: socket, secure: secure, records: records, batches: sealed{secure, records}}
}

// innermost returns the connection below all wrappers: they have neither
// vectored writes nor socket options.
func innermost(nc net.Conn) net.Conn {
	for {
		wrapper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nc
		}
		nc = wrapper.NetConn()
	}
}

// vectored writes a batch in one call, where the socket is TCP.
type vectored struct{ nc net.Conn }

func (v vectored) writeBatch(b *net.Buffers) (int64, error) { return b.WriteTo(v.nc) }

// sealed writes a batch as TLS records in one call: the batch is gathered, since
// a record for each small message would be half overhead, and so are its
// records, since TLS writes each on its own.
type sealed struct {
	secure  *tls.Conn
	records *recordBuffer
}

// plainBuffers hold a batch while it is encrypted. They are shared, so that a
// viewer that has nothing to write costs none.
var plainBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (s sealed) writeBatch(b *net.Buffers) (int64, error) {
	plain := plainBuffers.Get().(*[]byte)
	defer plainBuffers.Put(plain)
	*plain = (*plain)[:0]
	for _, v := range *b {
		*plain = append(*plain, v...)
	}
	*b = nil
	s.records.hold()
	n, err := s.secure.Write(*plain)
	if released := s.records.release(); err == nil {
		err = released
	}
	return int64(n), err
}

// recordBuffer lies between TLS and the socket. While it holds, what TLS writes
// is kept back.
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
	*r.held = append(*r.held, p...)
	return len(p), nil
}

func (r *recordBuffer) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holding = true
	r.held = recordBuffers.Get().(*[]byte)
	*r.held = (*r.held)[:0]
}

// release writes what was kept back. Holding the lock meanwhile delays nobody
// but the reading side of this very connection.
func (r *recordBuffer) release() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.Conn.Write(*r.held)
	recordBuffers.Put(r.held)
	r.holding, r.held = false, nil
	return err
}
