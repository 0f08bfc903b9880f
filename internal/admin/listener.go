package admin

import (
	"net"
	"sync"
	"sync/atomic"
)

// limitedListener closes connections beyond its limit at once: they would wait
// behind those of whoever made them.
type limitedListener struct {
	net.Listener
	limit int64
	open  *atomic.Int64
}

func limitConnections(l net.Listener, limit int64) net.Listener {
	return limitedListener{l, limit, new(atomic.Int64)}
}

// Accept implements net.Listener.
func (l limitedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.open.Add(1) <= l.limit {
			return &countedConn{Conn: conn, leave: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
		}
		l.open.Add(-1)
		_ = conn.Close()
	}
}

type countedConn struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *countedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
