package bench

import (
	"bufio"
	"crypto/rand"
	"net"
	"sync"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// fakeServer is a server that behaves as a test wants.
type fakeServer struct {
	addr string

	mu    sync.Mutex
	conns int
}

// startFake has each connection, by its number from 0, handled by its own
// goroutine, and closed at the end of that.
func startFake(t *testing.T, handle func(number int, c net.Conn)) *fakeServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeServer{addr: l.Addr().String()}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			number := f.conns
			f.conns++
			f.mu.Unlock()
			running.Go(func() {
				defer func() { _ = c.Close() }()
				handle(number, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		running.Wait()
	})
	return f
}

func (f *fakeServer) url() string { return "rtmp://" + f.addr + "/bench{n}/key" }

// silent reads and never answers.
func silent(_ int, c net.Conn) {
	_, _ = bufio.NewReader(c).WriteTo(nowhere{})
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

// converse answers a client until what it asks for in the end, "play" or
// "publish", which is for the caller to answer.
func converse(c net.Conn) (r *rtmp.Reader, asked string) {
	buffered := bufio.NewReader(c)
	if _, err := rtmp.AcceptHandshake(buffered, c, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		return nil, ""
	}
	r = rtmp.NewReader(buffered, rtmp.AcceptedLimits)
	for {
		m, err := r.ReadMessage()
		if err != nil {
			return nil, ""
		}
		if m.Type != rtmp.TypeCommand {
			continue
		}
		command, err := rtmp.ParseCommand(m)
		if err != nil {
			return nil, ""
		}
		switch command.Name {
		case "connect":
			say(c, rtmp.ConnectResult(command.Transaction, 0))
		case "createStream":
			say(c, rtmp.Result(command.Transaction, 1.0))
		case "play", "publish":
			return r, command.Name
		}
	}
}

func say(c net.Conn, m rtmp.Message) { _, _ = c.Write(wire(m)) }

func started(asked string) rtmp.Message {
	code := rtmp.CodePlayStart
	if asked == "publish" {
		code = rtmp.CodePublishStart
	}
	return rtmp.OnStatus(1, rtmp.Status{Level: rtmp.LevelStatus, Code: code})
}

// listen reads until the client leaves.
func listen(r *rtmp.Reader) {
	for {
		if _, err := r.ReadMessage(); err != nil {
			return
		}
	}
}
