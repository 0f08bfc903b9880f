//go:build linux && !portable

package socket

import (
	"fmt"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkPass measures what a pass costs for each viewer, written and sent from a
// pipe, the making of which counts. minPages, worthPages, and the size of an audience
// that gets pages, lie where the second begins to cost less than the first. The
// clients read between the passes.
func BenchmarkPass(b *testing.B) {
	for _, viewers := range []int{8, 16, 64, 256} {
		audience := newAudience(b, viewers)
		for _, kilobytes := range []int{4, 8, 16, 32, 64} {
			name := fmt.Sprintf("%d_viewers_%d_KiB", viewers, kilobytes)
			run := pattern(kilobytes << 10)
			b.Run(name+"/write", func(b *testing.B) { audience.measure(b, run, audience.write) })
			b.Run(name+"/pipe", func(b *testing.B) { audience.measure(b, run, audience.send) })
		}
	}
}

// audience are viewers with room for a run each.
type audience struct {
	viewers []Writer
	clients []*net.TCPConn
	memory  Call
}

func newAudience(tb testing.TB, viewers int) *audience {
	var a audience
	for range viewers {
		server, client := pair(tb)
		if err := server.SetWriteBuffer(200_000); err != nil {
			tb.Fatal(err)
		}
		a.viewers, a.clients = append(a.viewers, NewWriter(server)), append(a.clients, client)
	}
	return &a
}

func (a *audience) measure(b *testing.B, run []byte, pass func(b *testing.B, run []byte)) {
	var took time.Duration
	for b.Loop() {
		start := time.Now()
		pass(b, run)
		took += time.Since(start)
		for _, c := range a.clients {
			discard(b, c, len(run))
		}
	}
	b.ReportMetric(0, "ns/op") // has the clients in it
	b.ReportMetric(float64(took.Nanoseconds())/float64(b.N*len(a.viewers)), "ns/viewer")
}

func (a *audience) write(b *testing.B, run []byte) {
	for _, v := range a.viewers {
		if n, err := v.Write(net.Buffers{run}, &a.memory, false); n != len(run) || err != nil {
			b.Fatalf("wrote %d bytes, %v", n, err)
		}
	}
}

func (a *audience) send(b *testing.B, run []byte) {
	s := &sheet{shared: run}
	pipe, err := s.write()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { pipe.close() }()
	for _, v := range a.viewers {
		if n, err := v.WritePipe(pipe.from, net.Buffers{run}, &a.memory); n != len(run) || err != nil {
			b.Fatalf("sent %d bytes, %v", n, err)
		}
	}
}

// discard takes n bytes from a socket without a copy of them.
func discard(b *testing.B, c *net.TCPConn, n int) {
	raw, err := c.SyscallConn()
	if err != nil {
		b.Fatal(err)
	}
	room := make([]byte, n)
	if err := raw.Read(func(fd uintptr) bool {
		for n > 0 {
			taken, _, err := unix.Recvfrom(int(fd), room[:n], unix.MSG_TRUNC)
			if err != nil {
				return err != unix.EAGAIN && err != unix.EINTR
			}
			n -= taken
		}
		return true
	}); err != nil || n > 0 {
		b.Fatalf("%d bytes are missing, %v", n, err)
	}
}
