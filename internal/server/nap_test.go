//go:build linux && !portable

package server

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// napper is an intake over TCP that can rest.
type napper struct {
	*intake
	ended chan struct{}
}

type noOwner struct{}

func (noOwner) settle() error { return nil }
func (noOwner) noteRead()     {}
func (noOwner) rise()         {}

// rests reports whether a rest is still under way after the poller has had
// every chance to end it: another connection's bytes came through it meanwhile.
func (n *napper) rests(t *testing.T) bool {
	t.Helper()
	for range 50 {
		client, server := tcpPair(t)
		if _, err := client.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(server, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-n.ended:
		return false
	default:
		return true
	}
}

// startNap returns when the rest has begun: bytes that come before may end it.
func startNap(t *testing.T, nc *net.TCPConn) *napper {
	t.Helper()
	n := &napper{newIntake(nc, noOwner{}), make(chan struct{})}
	if !n.canRest() {
		t.Fatal("TCP cannot rest")
	}
	go func() {
		defer close(n.ended)
		n.rest()
	}()
	for option(t, nc, unix.SO_RCVLOWAT) != napBytes {
		runtime.Gosched()
	}
	return n
}

// option returns an option of a socket.
func option(t *testing.T, nc *net.TCPConn, name int) (value int) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { value, failed = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, name) }); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	return value
}

func TestRestsEndWithMuchTheEndOrTheDeadline(t *testing.T) {
	text := bytes.Repeat([]byte("text"), napBytes/4)
	for name, c := range map[string]struct {
		end  func(client io.WriteCloser, deadline func(time.Time) error) error
		want []byte
	}{
		"much":         {func(c io.WriteCloser, _ func(time.Time) error) error { _, err := c.Write(text[4:]); return err }, text},
		"the end":      {func(c io.WriteCloser, _ func(time.Time) error) error { return c.Close() }, text[:4]},
		"the deadline": {func(_ io.WriteCloser, set func(time.Time) error) error { return set(longAgo) }, text[:4]},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := tcpPair(t)
			n := startNap(t, server)
			if _, err := client.Write(text[:4]); err != nil {
				t.Fatal(err)
			}
			if !n.rests(t) {
				t.Error("a few bytes ended the rest")
			}
			if err := c.end(client, server.SetReadDeadline); err != nil {
				t.Fatal(err)
			}
			<-n.ended
			if err := server.SetReadDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(c.want))
			if _, err := io.ReadFull(n, got); err != nil || !bytes.Equal(got, c.want) {
				t.Errorf("other bytes came, %v", err)
			}
		})
	}
}

// TestWaitingAfterARestHearsOfAnyByte has the mark of the rest lowered again.
func TestWaitingAfterARestHearsOfAnyByte(t *testing.T) {
	client, server := tcpPair(t)
	in := newIntake(server, noOwner{})
	if err := server.SetReadDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	in.rest()
	if err := server.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	read := make(chan byte)
	go func() {
		b, _ := in.ReadByte()
		read <- b
	}()
	if _, err := client.Write([]byte{7}); err != nil {
		t.Fatal(err)
	}
	if b := <-read; b != 7 {
		t.Errorf("read %d", b)
	}
}

// lifter is the owner of an intake that lifts the deadline of a rest.
type lifter struct {
	noOwner
	nc    *net.TCPConn
	risen int
}

func (l *lifter) rise() {
	l.risen++
	_ = l.nc.SetReadDeadline(time.Time{})
}

// TestTheDeadlineOfARestHoldsForNoRead has a deadline that has passed lifted when
// there is something to wait for, and not before.
func TestTheDeadlineOfARestHoldsForNoRead(t *testing.T) {
	client, server := tcpPair(t)
	owner := &lifter{nc: server}
	in := newIntake(server, owner)
	direct := in.input.(*directInput)
	direct.raw = watchedSocket{direct.raw, func() { _, _ = client.Write([]byte{7}) }}
	if err := server.SetReadDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	in.rest()
	for i := range byte(2) {
		if _, err := client.Write([]byte{i}); err != nil {
			t.Fatal(err)
		}
		arrived(t, server)
		if b, err := in.ReadByte(); b != i || err != nil {
			t.Fatalf("read %d, %v, want %d", b, err, i)
		}
	}
	if owner.risen != 0 {
		t.Error("lifted while there was something to read")
	}
	if b, err := in.ReadByte(); b != 7 || err != nil || owner.risen != 1 {
		t.Errorf("waited for %d, %v, with the deadline lifted %d times", b, err, owner.risen)
	}
}

// arrived waits until a socket has bytes.
func arrived(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// TestARestMakesRoom has the kernel take much more than ends a rest.
func TestARestMakesRoom(t *testing.T) {
	client, server := tcpPair(t)
	n := startNap(t, server)
	if _, err := client.Write(make([]byte, napBytes)); err != nil {
		t.Fatal(err)
	}
	<-n.ended
	if least := option(t, server, unix.SO_RCVLOWAT); least != napBytes {
		t.Errorf("the mark of the socket is %d", least)
	}
	if room := option(t, server, unix.SO_RCVBUF); room < napRoom {
		t.Errorf("the socket has room for %d", room)
	}
}

func TestPortableInputsDoNotRest(t *testing.T) {
	if newIntake(&sink{}, noOwner{}).canRest() {
		t.Error("an input that reads while it waits cannot rest")
	}
}
