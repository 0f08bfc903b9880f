package httpflv

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"
)

// upgrade opens a WebSocket. After an error the client has its answer.
func upgrade(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.Reader, error) {
	conn, buffered, _, err := ws.HTTPUpgrader{Timeout: requestTimeout}.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return nil, nil, fmt.Errorf("open WebSocket: %w", err)
	}
	return conn, buffered.Reader, nil
}

// appendFrameHeader appends the header of a frame that is a whole message. Servers
// do not mask theirs (RFC 6455 section 5.1).
func appendFrameHeader(dst []byte, code ws.OpCode, size int) []byte {
	out := bytes.NewBuffer(dst)
	// A buffer takes everything, and a size that is not negative is never refused.
	_ = ws.WriteHeader(out, ws.Header{Fin: true, OpCode: code, Length: int64(size)})
	return out.Bytes()
}

// appendFrame appends a control frame.
func appendFrame(dst []byte, code ws.OpCode, payload []byte) []byte {
	return append(appendFrameHeader(dst, code, len(payload)), payload...)
}

// listen reads what the viewer sends over a WebSocket, until there is no more. What
// it may want is an answer to its pings, and to close.
func (v *viewer) listen(in *bufio.Reader) error {
	var left net.Buffers // what came along with the request
	if n := in.Buffered(); n > 0 {
		early, _ := in.Peek(n)
		left = net.Buffers{bytes.Clone(early)}
	}
	counted := io.TeeReader(io.MultiReader(&left, v.out.conn), (*counter)(&v.received))
	from := &frames{in: counted, rate: rate.NewLimiter(frameRate, frameBurst)}
	for {
		if err := v.out.conn.SetReadDeadline(time.Now().Add(pongTimeout)); err != nil {
			return err
		}
		code, payload, err := from.next()
		if err != nil {
			return err
		}
		switch code {
		case ws.OpClose:
			return io.EOF
		case ws.OpPing:
			v.send(ws.OpPong, payload)
		}
	}
}

// counter counts what is read.
type counter atomic.Uint64

func (c *counter) Write(p []byte) (int, error) {
	(*atomic.Uint64)(c).Add(uint64(len(p)))
	return len(p), nil
}

// frames are what a client sends.
type frames struct {
	in   io.Reader
	rate *rate.Limiter
	data int64 // bytes that were no control frames
}

// next returns the next control frame, or one of data without its payload.
func (f *frames) next() (ws.OpCode, []byte, error) {
	h, err := ws.ReadHeader(f.in)
	switch {
	case errors.Is(err, ws.ErrHeaderLengthMSB), errors.Is(err, ws.ErrHeaderLengthUnexpected):
		return 0, nil, fmt.Errorf("%w: %w", errProtocol, err)
	case err != nil:
		return 0, nil, err
	case !h.Masked || h.Rsv != 0 || h.OpCode.IsReserved():
		return 0, nil, errProtocol // RFC 6455 sections 5.1 and 5.2
	case !f.rate.Allow():
		return 0, nil, errFlood
	case h.OpCode.IsControl():
		return f.control(h)
	}
	if f.data += h.Length; f.data > maxChatter {
		return 0, nil, errFlood
	}
	_, err = io.CopyN(io.Discard, f.in, h.Length)
	return h.OpCode, nil, err
}

func (f *frames) control(h ws.Header) (ws.OpCode, []byte, error) {
	if h.Length > ws.MaxControlFramePayloadSize || !h.Fin {
		return 0, nil, errProtocol // RFC 6455 section 5.5
	}
	payload := make([]byte, h.Length)
	_, err := io.ReadFull(f.in, payload)
	ws.Cipher(payload, h.Mask, 0)
	return h.OpCode, payload, err
}
