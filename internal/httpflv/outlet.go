package httpflv

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
)

// outlet is the way to a viewer: a connection of its own, or the answer to a
// request of HTTP/2, which shares one.
type outlet struct {
	conn   net.Conn // nil for HTTP/2
	secure bool     // conn is TLS
	// direct writes to the socket without waiting, where that can be done.
	direct socket.Writer

	answer  http.ResponseWriter // nil for a connection
	control *http.ResponseController
}

func connOutlet(nc net.Conn) outlet {
	o := outlet{conn: nc}
	if _, o.secure = nc.(*tls.Conn); !o.secure {
		o.direct = socket.NewWriter(socket.Innermost(nc))
	}
	return o
}

func answerOutlet(w http.ResponseWriter) outlet {
	return outlet{answer: w, control: http.NewResponseController(w)}
}

// writeNow writes as much of the step as goes without waiting.
func (o *outlet) writeNow(b *batch) (n int, err error) {
	if pipe := b.pipe(); pipe >= 0 {
		n, err = o.direct.WritePipe(pipe, b.step, &b.direct)
	} else {
		n, err = o.direct.Write(b.step, &b.direct, false)
	}
	b.consume(n)
	return n, err
}

// write writes some of the step, and waits until that is possible.
func (o *outlet) write(b *batch) (int, error) {
	if o.direct.Exists() {
		n, err := o.direct.Write(b.step, &b.direct, true)
		b.consume(n)
		return n, err
	}
	n, err := o.writeText(b)
	b.consume(n)
	return n, err
}

func (o *outlet) writeText(b *batch) (int, error) {
	if o.conn != nil {
		return o.conn.Write(b.text())
	}
	n, err := o.answer.Write(b.text())
	if err == nil {
		err = o.control.Flush()
	}
	// This deadline ends the stream when it passes, whether anything is written then
	// or not.
	return n, errors.Join(err, o.control.SetWriteDeadline(time.Time{}))
}

// setDeadline bounds the writes from now on.
func (o *outlet) setDeadline(t time.Time) error {
	if o.conn != nil {
		return o.conn.SetWriteDeadline(t)
	}
	return o.control.SetWriteDeadline(t)
}

// closeWrite says that nothing more comes.
func (o *outlet) closeWrite() {
	switch {
	case o.secure:
		_ = socket.CloseWrite(o.conn)
	case o.conn != nil:
		_ = socket.CloseWrite(socket.Innermost(o.conn))
	}
}

// cut ends the way at once.
func (o *outlet) cut() {
	switch {
	case o.conn == nil:
		_ = o.control.SetWriteDeadline(time.Unix(1, 0))
	case o.secure: // closing TLS waits for the peer
		_ = o.conn.(*tls.Conn).NetConn().Close()
	default:
		_ = o.conn.Close()
	}
}
