package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wrapped is a connection with another around it.
type wrapped struct{ net.Conn }

func (w wrapped) NetConn() net.Conn { return w.Conn }

// pair returns both ends of a TCP connection.
func pair(tb testing.TB) (server, client *net.TCPConn) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = out.Close(); _ = in.Close() })
	return in.(*net.TCPConn), out.(*net.TCPConn)
}

func TestWhatIsAskedOfATurnWhileItIsTakenIsDoneByWhoHasIt(t *testing.T) {
	var turn Turn
	if !turn.Take() || turn.Take() || turn.Take() {
		t.Fatal("not one alone has the turn")
	}
	if turn.Give() {
		t.Error("the turn was given back although somebody wanted more")
	}
	if !turn.Give() || !turn.Take() {
		t.Error("the turn is not free")
	}
}

func TestNothingThatATurnIsAskedForIsLost(t *testing.T) {
	var turn Turn
	var asked, seen atomic.Int64
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for range 1000 {
				asked.Add(1)
				if !turn.Take() {
					continue
				}
				for {
					seen.Store(asked.Load())
					if turn.Give() {
						break
					}
				}
			}
		})
	}
	running.Wait()
	if seen.Load() != 4000 {
		t.Errorf("%d were seen of 4000", seen.Load())
	}
}

func TestDirectWritesTakeWhatTheSocketTakes(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	if !w.Exists() {
		t.Log("this system has no direct writes")
		return
	}
	var memory Call
	n, err := w.Write(net.Buffers{[]byte("one"), []byte("two")}, &memory, false)
	if n != 6 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	if n, err = w.Write(net.Buffers{[]byte("three")}, &memory, true); n != 5 || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	got := make([]byte, 11)
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, []byte("onetwothree")) {
		t.Errorf("read %q, %v", got, err)
	}
	_ = server.CloseWrite()
	if _, err = w.Write(net.Buffers{[]byte("x")}, &memory, false); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("wrote to a closed socket: %v", err)
	}
	_ = server.Close()
	if _, err = w.Write(net.Buffers{[]byte("x")}, &memory, true); err == nil {
		t.Error("wrote to no socket")
	}
}

func TestOnlyTCPIsWrittenDirectly(t *testing.T) {
	server, _ := pair(t)
	if w := NewWriter(wrapped{server}); w.Exists() {
		t.Error("a wrapper is written directly")
	}
	if Innermost(wrapped{wrapped{server}}) != net.Conn(server) {
		t.Error("the socket was not found")
	}
}

func TestOptionsAreForTCP(t *testing.T) {
	server, client := pair(t)
	if err := Tune(wrapped{server}, time.Second); err != nil {
		t.Errorf("tune: %v", err)
	}
	if err := CloseWrite(server); err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer reads %v, want the end", err)
	}
	ResetOnClose(wrapped{client})
	_ = client.Close()
	if _, err := server.Read(make([]byte, 1)); err == nil {
		t.Error("the peer was not reset")
	}
	if err := Tune(server, time.Second); err != nil {
		t.Logf("tune of a connection that was reset: %v", err)
	}
	_ = server.Close()
	if err := Tune(server, time.Second); err == nil {
		t.Error("a closed socket was tuned")
	}
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	ResetOnClose(a)
	if err := errors.Join(Tune(a, time.Second), CloseWrite(a)); err != nil {
		t.Errorf("a pipe has no options: %v", err)
	}
}
