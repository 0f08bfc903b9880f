package soak

import (
	"bytes"
	"encoding/binary"
	"io"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// What the server promises of those who do not speak, with room for a busy machine.
const (
	handshakeLimit = 5*time.Second + busy
	acceptLimit    = 10*time.Second + busy
	busy           = 15 * time.Second
)

// script is a whole session as bytes, with its handshake: what a publisher, a
// player, or who only connects says.
func script(role, channel string) []byte {
	var b bytes.Buffer
	b.WriteByte(3)
	b.Write(make([]byte, 2*1536))
	w := rtmp.NewClient(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(nil), &b})
	say := func(stream uint32, name string, object amf.Object, args ...any) {
		_ = w.WriteMessage(rtmp.Command{Name: name, Transaction: 1, Object: object, Args: args}.Message(stream))
	}
	say(0, "connect", amf.Object{{Name: "app", Value: channel}})
	if role == "connect" {
		return b.Bytes()
	}
	say(0, "createStream", nil)
	say(1, role, nil, churnKey)
	for n := range 3 {
		if role == "publish" {
			_ = w.WriteMessage(stage.NumberedMessage(1, n))
		}
	}
	return b.Bytes()
}

// cut says a part of a session and is gone.
func (v *visit) cut() (string, error) {
	role := []string{"connect", "publish", "play"}[v.random.IntN(3)]
	text := script(role, v.churnName())
	conn, err := v.dial(v.soak.server.Addr)
	if err != nil {
		return "", err
	}
	switch role { // the server may have come to it
	case "publish":
		v.soak.book.publications.tried.Add(1)
	case "play":
		v.soak.book.views.tried.Add(1)
	}
	_, _ = conn.Write(text[:v.random.IntN(len(text)+1)])
	if v.random.IntN(2) == 0 {
		v.stay(time.Millisecond, 200*time.Millisecond)
	}
	if v.random.IntN(4) > 0 {
		_ = conn.SetLinger(0)
	}
	_ = conn.Close()
	return "cut", nil
}

// trickle shakes hands by the byte.
func (v *visit) trickle() (string, error) {
	conn, err := v.dial(v.soak.server.Addr)
	if err != nil {
		return "", err
	}
	began := time.Now()
	for b := byte(3); time.Since(began) < handshakeLimit; b = 0 {
		if _, err := conn.Write([]byte{b}); err != nil {
			break
		}
		v.stay(200*time.Millisecond, 600*time.Millisecond)
	}
	return "closed by the server", outlived(conn, time.Second)
}

// idle shakes hands and says nothing more.
func (v *visit) idle() (string, error) {
	g, err := v.arrive(v.random.IntN(3) == 0)
	if err != nil {
		return "", err
	}
	return "closed by the server", outlived(g.conn, acceptLimit)
}

// junk speaks something else.
func (v *visit) junk() (string, error) {
	conn, err := v.dial(v.soak.server.Addr)
	if err != nil {
		return "", err
	}
	openings := []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "SSH-2.0-OpenSSH_9.6\r\n",
		"\x06" + string(make([]byte, 1536)), "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", string(v.noise(2000)),
	}
	_, _ = io.WriteString(conn, openings[v.random.IntN(len(openings))])
	return "closed by the server", outlived(conn, handshakeLimit)
}

func (v *visit) noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(v.random.Uint32())
	}
	return b
}

// cutTLS breaks a TLS handshake off, or falls silent in it.
func (v *visit) cutTLS() (string, error) {
	conn, err := v.dial(v.soak.secure)
	if err != nil {
		return "", err
	}
	hello := append([]byte{22, 3, 1, 1, 0}, v.noise(256)...)
	_, _ = conn.Write(hello[:v.random.IntN(len(hello)+1)])
	switch v.random.IntN(8) {
	case 0:
		return "closed by the server", outlived(conn, handshakeLimit)
	case 1, 2, 3:
		_ = conn.SetLinger(0)
	}
	_ = conn.Close()
	return "cut", nil
}

// chunk is the start of a message on a chunk stream from 3 to 63 (RTMP 1.0 section
// 5.3.1), of any length.
func chunk(chunkStream byte, length int, kind rtmp.MessageType, text ...byte) []byte {
	b := []byte{chunkStream, 0, 0, 0, byte(length >> 16), byte(length >> 8), byte(length), byte(kind), 0, 0, 0, 0}
	return append(b, text...)
}

// bombs are what is sent after the handshake.
var bombs = []func(v *visit) []byte{
	func(v *visit) []byte { return v.noise(4000) },
	func(*visit) []byte { return chunk(3, 0xFFFFFF, rtmp.TypeCommand, make([]byte, 128)...) },
	func(*visit) []byte { // messages begun on all chunk streams
		var b []byte
		for id := byte(3); id < 64; id++ {
			b = append(b, chunk(id, 60_000, rtmp.TypeVideo, make([]byte, 128)...)...)
		}
		return b
	},
	func(*visit) []byte { // chunks of one byte
		b := chunk(2, 4, rtmp.TypeSetChunkSize, 0, 0, 0, 1)
		b = append(b, chunk(3, 4000, rtmp.TypeCommand, 2)...)
		for range 3999 {
			b = append(b, 0xC3, 0)
		}
		return b
	},
	func(*visit) []byte { // nested values, at AMF0 section 2.5
		deep := append([]byte{2, 0, 7}, "connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00"...)
		for range 20 {
			deep = append(deep, 3, 0, 1, 'a')
		}
		return chunk(3, len(deep), rtmp.TypeCommand, deep...)
	},
	func(*visit) []byte { // an array that claims to be of four thousand million
		many := append([]byte{2, 0, 7}, "connect\x00\x3f\xf0\x00\x00\x00\x00\x00\x00\x0a"...)
		many = binary.BigEndian.AppendUint32(many, 0xFFFFFFFF)
		return chunk(3, len(many), rtmp.TypeCommand, many...)
	},
	func(*visit) []byte { // a storm of control messages
		var b []byte
		for range 2000 {
			b = append(b, chunk(2, 4, rtmp.TypeAcknowledgement, 0, 0, 0, 1)...)
		}
		return b
	},
}

// bomb sends what is meant to cost much, and waits to be closed.
func (v *visit) bomb() (string, error) {
	g, err := v.arrive(v.random.IntN(8) == 0)
	if err != nil {
		return "", err
	}
	// By TLS this is no TLS any more, which is another bomb.
	_, _ = g.conn.Write(bombs[v.random.IntN(len(bombs))](v))
	return "closed by the server", outlived(g.conn, acceptLimit)
}
