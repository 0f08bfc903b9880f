package main

import (
	"context"
	"errors"
	"net"
	"sync"
)

// recorder is a listener that remembers what the newest connection sent.
type recorder struct {
	net.Listener
	accepted chan struct{} // one for each connection

	mu   sync.Mutex
	conn *recordedConn
}

// recordedConn is no *net.TCPConn, so that the server reads it by Read alone.
type recordedConn struct {
	net.Conn
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex
	sent []byte
}

// Accept implements net.Listener.
func (r *recorder) Accept() (net.Conn, error) {
	nc, err := r.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &recordedConn{Conn: nc, closed: make(chan struct{})}
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
	r.accepted <- struct{}{}
	return c, nil
}

// last returns what the newest connection sent to its end, up to the longest that
// is kept.
func (r *recorder) last(ctx context.Context) ([]byte, error) {
	r.mu.Lock()
	c := r.conn
	r.mu.Unlock()
	if c == nil {
		return nil, errors.New("nobody connected")
	}
	select {
	case <-c.closed: // the server has read all of it
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent, nil
}

func (c *recordedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent = append(c.sent, p[:min(n, longest-len(c.sent))]...)
	return n, err
}

func (c *recordedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
