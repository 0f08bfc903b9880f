package server

import (
	"io"
	"net"
	"runtime"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// footprint is what the process holds: memory on the heap, and goroutines.
func footprint() (heap, goroutines int) {
	runtime.GC()
	runtime.GC() // the first one leaves what was in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc), runtime.NumGoroutine()
}

// TestAHandshakeCostsLittle has many clients stop in each step of the handshake.
func TestAHandshakeCostsLittle(t *testing.T) {
	conformance.Covers(t, 20)
	for _, test := range []struct {
		name  string
		sent  []byte
		limit int
	}{
		{"nothing sent", nil, 4 << 10},
		{"C0 sent", hello()[:1], 5 << 10},
		{"C1 sent", hello(), 4 << 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			limit := test.limit
			if !directInputs {
				limit += smallestBuffer
			}
			// What else happens in the process can only add to it.
			each := idleCost(t, test.sent)
			for try := 0; try < 3 && each > limit; try++ {
				each = idleCost(t, test.sent)
			}
			if each > limit {
				t.Errorf("a connection takes %d bytes, want %d at most", each, limit)
			}
		})
	}
}

// idleCost returns what the server needs for each connection whose client has
// sent some bytes and waits.
func idleCost(t *testing.T, sent []byte) int {
	t.Helper()
	const clients = 200
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heap, _ := footprint()
	pairs := socketPairs(t, listener, clients)
	sockets, _ := footprint()
	sockets -= heap
	f := newFixture(t, nil)
	go func() { _ = f.Serve(listener) }()
	heap, goroutines := footprint()
	conns := idleClients(t, listener.Addr().String(), clients, sent)
	for f.Connections() < clients {
		runtime.Gosched()
	}
	with, running := footprint()
	if each := float64(running-goroutines) / clients; each > 1.1 {
		t.Errorf("a connection takes %.2f goroutines, want one", each)
	}
	for _, conn := range append(pairs, conns...) {
		_ = conn.Close()
	}
	f.stop()
	return (with - heap - sockets) / clients
}

// socketPairs returns both ends of n connections that nobody serves.
func socketPairs(t *testing.T, listener net.Listener, n int) []net.Conn {
	t.Helper()
	ends := idleClients(t, listener.Addr().String(), n, nil)
	for range n {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, conn)
	}
	return ends
}

// idleClients connects n clients that send some bytes each, and read the reply
// if that is a whole C1.
func idleClients(t *testing.T, addr string, n int, sent []byte) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = conn
		if _, err = conn.Write(sent); err == nil && len(sent) == helloSize {
			_, err = io.ReadFull(conn, make([]byte, replySize))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return conns
}
