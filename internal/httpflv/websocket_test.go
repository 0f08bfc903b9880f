package httpflv

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"golang.org/x/time/rate"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// frameRows are what a client may send, and how reading it ends.
var frameRows = map[string]struct {
	bytes string
	want  error
	pings int
}{
	"nothing":          {"", io.EOF, 0},
	"a ping":           {"\x89\x82\x01\x02\x03\x04\x01\x02", io.EOF, 1},
	"text":             {"\x81\x81\x00\x00\x00\x00x", io.EOF, 0},
	"cut short":        {"\x89\x82\x01\x02", io.ErrUnexpectedEOF, 0},
	"not masked":       {"\x89\x00", errProtocol, 0},
	"reserved bits":    {"\xc9\x80\x00\x00\x00\x00", errProtocol, 0},
	"reserved opcode":  {"\x83\x80\x00\x00\x00\x00", errProtocol, 0},
	"a part of a ping": {"\x09\x80\x00\x00\x00\x00", errProtocol, 0},
	"a long ping":      {"\x89\xfe\x00\x7e\x00\x00\x00\x00", errProtocol, 0},
	"negative length":  {"\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", errProtocol, 0},
	"an upload":        {"\x82\xff\x00\x00\x00\x00\x00\x01\x00\x01\x00\x00\x00\x00", errFlood, 0},
	"many pings":       {strings.Repeat("\x89\x80\x00\x00\x00\x00", frameBurst+50), errFlood, frameBurst},
}

func readFrames(text string) (pings int, err error) {
	f := &frames{in: strings.NewReader(text), rate: rate.NewLimiter(0, frameBurst)}
	for {
		code, _, err := f.next()
		if err != nil {
			return pings, err
		}
		if code == ws.OpPing {
			pings++
		}
	}
}

func TestFramesOfClientsAreBounded(t *testing.T) {
	for name, row := range frameRows {
		if pings, err := readFrames(row.bytes); !errors.Is(err, row.want) || pings != row.pings {
			t.Errorf("%s: %d pings, %v; want %d, %v", name, pings, err, row.pings, row.want)
		}
	}
}

func FuzzFramesOfClients(f *testing.F) {
	for _, row := range frameRows {
		f.Add([]byte(row.bytes))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if pings, err := readFrames(string(text)); err == nil || pings > len(text)/6 {
			t.Errorf("%d pings, %v", pings, err)
		}
	})
}

// rawWS opens a WebSocket by hand, with something right behind the request.
func rawWS(t *testing.T, addr, early string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_, _ = io.WriteString(c, "GET /live/secret.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"+early)
	return c
}

func TestPingsAreAnsweredAndACloseIsReturned(t *testing.T) {
	f := newFixture(t, nil)
	c := rawWS(t, f.addr, "\x89\x81\x00\x00\x00\x00p")
	f.log.await(t, "msg=play")
	_, _ = io.WriteString(c, "\x88\x80\x00\x00\x00\x00")
	all, err := io.ReadAll(c)
	_, frames, _ := bytes.Cut(all, []byte("\r\n\r\n"))
	if err != nil || !bytes.HasPrefix(frames, []byte("\x8a\x01p\x88")) {
		t.Errorf("got %q, %v", frames, err)
	}
	f.log.await(t, "msg=end", string(stream.ReasonClientClosed))
}

func TestABrokenWebSocketIsClosed(t *testing.T) {
	for early, reason := range map[string]string{
		"\x89\x00": string(stream.ReasonProtocol),
		strings.Repeat("\x89\x80\x00\x00\x00\x00", frameBurst+50): string(stream.ReasonFlood),
	} {
		f := newFixture(t, nil)
		_, _ = io.Copy(io.Discard, rawWS(t, f.addr, early))
		f.log.await(t, "msg=end", reason)
	}
}

func TestAHandshakeThatFailsIsNoViewer(t *testing.T) {
	f := newFixture(t, nil)
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "GET /live/secret.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	all, _ := io.ReadAll(c)
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 400")) {
		t.Errorf("got %q", all)
	}
	f.log.await(t, string(ReasonHandshake))
}

func TestAViewerThatUploadsIsCutOff(t *testing.T) {
	f := newFixture(t, nil)
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "GET /live/secret.flv HTTP/1.1\r\nHost: x\r\n\r\n")
	f.log.await(t, "msg=play")
	_, _ = c.Write(make([]byte, 2*maxChatter))
	f.log.await(t, "msg=end", string(stream.ReasonFlood))
}
