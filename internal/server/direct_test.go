//go:build linux && !portable

package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// directPair is a transport over TCP that writes directly, and its client.
func directPair(t *testing.T) (*transport, *net.TCPConn) {
	t.Helper()
	client, server := tcpPair(t)
	nc := newTransport(server, nil)
	if !nc.direct.Exists() {
		t.Fatal("TCP is not written directly")
	}
	return nc, client
}

// stuff fills the socket, and returns what it took.
func stuff(t *testing.T, nc *transport, piece []byte) []byte {
	t.Helper()
	var taken []byte
	for {
		b := new(batch)
		b.add(piece)
		if err := b.next(nc); err != nil {
			t.Fatal(err)
		}
		n, err := nc.writeNow(b)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, piece[:n]...)
		if n < len(piece) {
			if left := bytes.Join(b.step, nil); !bytes.Equal(left, piece[n:]) {
				t.Fatalf("%d bytes are left of %d, %d were taken", len(left), len(piece), n)
			}
			return taken
		}
	}
}

// batchOfOne returns a batch of one text after an attempt to write it, and how
// much of it the socket took.
func batchOfOne(t *testing.T, nc *transport, text string) (b *batch, taken int) {
	t.Helper()
	b = new(batch)
	b.add([]byte(text))
	if err := b.next(nc); err != nil {
		t.Fatal(err)
	}
	taken, err := nc.writeNow(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, taken
}

func TestDirectWritesLeaveWhatAFullSocketDoesNotTake(t *testing.T) {
	nc, client := directPair(t)
	_, piece := numberedBatch(maxVectors, 400)
	want := stuff(t, nc, piece)
	b, taken := batchOfOne(t, nc, "more")
	for taken == len("more") { // what was on its way has made room
		want = append(want, "more"...)
		b, taken = batchOfOne(t, nc, "more")
	}
	if taken != 0 {
		t.Fatalf("%d bytes of %d were taken", taken, len("more"))
	}
	read := make(chan error, 1)
	got := make([]byte, len(want)+4)
	go func() {
		_, err := io.ReadFull(client, got)
		read <- err
	}()
	for !b.written() { // now it waits
		if _, err := nc.write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-read; err != nil || !bytes.Equal(got, append(want, "more"...)) {
		t.Errorf("other bytes came than were written, %v", err)
	}
}

func TestDirectWritesThatWaitKeepTheDeadline(t *testing.T) {
	nc, _ := directPair(t)
	stuff(t, nc, make([]byte, 64<<10))
	if err := nc.SetWriteDeadline(longAgo); err != nil {
		t.Fatal(err)
	}
	b := new(batch)
	b.add([]byte("more"))
	if err := b.next(nc); err != nil {
		t.Fatal(err)
	}
	if n, err := nc.write(b); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if err := nc.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.writeNow(b); err != nil { // what was on its way may have made room
		t.Error(err)
	}
}

func TestDirectWritesFailWithTheSocket(t *testing.T) {
	b := new(batch)
	for name, c := range map[string]struct {
		spoil func(nc *transport, client *net.TCPConn) error
		want  error
	}{
		"closed": {func(nc *transport, _ *net.TCPConn) error { return nc.socket.Close() }, net.ErrClosed},
		"broken": {func(nc *transport, _ *net.TCPConn) error { return nc.socket.(*net.TCPConn).CloseWrite() }, syscall.EPIPE},
	} {
		nc, client := directPair(t)
		if err := c.spoil(nc, client); err != nil {
			t.Fatal(err)
		}
		b.reset()
		b.add([]byte("text"))
		if err := b.next(nc); err != nil {
			t.Fatal(err)
		}
		if n, err := nc.writeNow(b); n != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: wrote %d, %v", name, n, err)
		}
	}
}

func TestDirectWritesAllocateNothing(t *testing.T) {
	nc, client := directPair(t)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	pieces, _ := numberedBatch(8, 400)
	b := new(batch)
	if allocs := testing.AllocsPerRun(100, func() {
		b.reset()
		for _, p := range pieces {
			b.add(p)
		}
		if err := b.next(nc); err != nil {
			t.Fatal(err)
		}
		if _, err := nc.writeNow(b); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations, want none", allocs)
	}
}
