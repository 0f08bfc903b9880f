package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// clock tells the time in microseconds since 1970. It never steps, and other
// processes on the same machine agree with it.
type clock struct {
	base    time.Time
	started uint64
}

func newClock() clock {
	now := time.Now()
	return clock{base: now, started: uint64(now.UnixMicro())}
}

func (c *clock) now() int64 { return int64(c.started) + time.Since(c.base).Microseconds() }

// time is the moment of a reading of the clock.
func (c *clock) time(us int64) time.Time {
	return c.base.Add(time.Duration(us-int64(c.started)) * time.Microsecond)
}

// dial connects to a target; the connection is closed when ctx ends.
func (r *run) dial(ctx context.Context, t *target) (net.Conn, error) {
	joining, cancel := context.WithTimeout(ctx, r.joinTimeout)
	defer cancel()
	socket, err := (&net.Dialer{}).DialContext(joining, "tcp", r.addr)
	if err != nil {
		return nil, err
	}
	if !t.secure {
		return &boundConn{socket, context.AfterFunc(ctx, func() { _ = socket.Close() })}, nil
	}
	conn := tls.Client(socket, &tls.Config{
		ServerName:         t.host,
		InsecureSkipVerify: r.options.Insecure, // #nosec G402 -- asked for by -insecure
		MinVersion:         tls.VersionTLS12,
	})
	if err := conn.HandshakeContext(joining); err != nil {
		_ = socket.Close()
		return nil, err
	}
	return &boundConn{conn, context.AfterFunc(ctx, func() { _ = socket.Close() })}, nil
}

// boundConn is a connection that a context ends too.
type boundConn struct {
	net.Conn
	release func() bool
}

func (c *boundConn) Close() error {
	c.release()
	return c.Conn.Close()
}

// reason is what an error has in common for all connections: their addresses
// differ.
func reason(err error) string {
	var op *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE): // it had not read everything
		return "the server closed the connection"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "the server did not answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	default:
		return err.Error()
	}
}
