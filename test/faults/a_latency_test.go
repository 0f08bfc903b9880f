package faults

import (
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// farAway forwards connections to the server as a satellite does: each piece of
// data arrives after 200 to 400 ms, in order, and a link carries 1 Mbit/s.
type farAway struct {
	f       *fault
	door    net.Listener
	running sync.WaitGroup
}

const (
	farDelay  = 200 * time.Millisecond
	farJitter = 200 * time.Millisecond
	farPiece  = 1250 // bytes, 10 ms of the link
)

func newFarAway(f *fault) *farAway {
	f.Helper()
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	away := &farAway{f: f, door: door}
	away.running.Go(func() {
		for {
			near, err := door.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", f.server.Addr)
			if err != nil {
				_ = near.Close()
				return
			}
			away.running.Go(func() { away.carry(near, far) })
			away.running.Go(func() { away.carry(far, near) })
		}
	})
	f.Cleanup(func() {
		_ = door.Close()
		away.running.Wait()
	})
	return away
}

type piece struct {
	due  time.Time
	data []byte
}

// carry forwards one direction until it ends.
func (a *farAway) carry(from, to net.Conn) {
	defer func() { _ = to.Close() }()
	under := make(chan piece, 256)
	a.running.Go(func() {
		defer close(under)
		last := time.Now()
		for buffer := make([]byte, farPiece); ; {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			due := time.Now().Add(farDelay + rand.N(farJitter))
			if due.Before(last.Add(10 * time.Millisecond)) {
				due = last.Add(10 * time.Millisecond)
			}
			last = due
			under <- piece{due, append([]byte(nil), buffer[:n]...)}
		}
	})
	for p := range under {
		stage.Pause(a.f.bounded(), time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			_ = from.Close()
			for range under { // until the reader has noticed
			}
		}
	}
}

// A publisher of 400 kbit/s and its player, both beyond a satellite.
func TestSatellites(t *testing.T) {
	t.Parallel()
	f := begin(t, "A10")
	addr := newFarAway(f).door.Addr().String()
	player, err := dial(f, "", addr, nil)
	if err == nil {
		err = player.Start("satellite", "key", stage.Watching)
	}
	if err != nil {
		f.Fatal(err)
	}
	seen := player.Record()
	publisher, err := dial(f, "", addr, nil)
	if err == nil {
		err = publisher.Start("satellite", "key", stage.Publishing)
	}
	if err != nil {
		f.Fatal(err)
	}
	var discarding sync.WaitGroup
	discarding.Go(func() { _, _ = io.Copy(io.Discard, publisher.Conn) })
	n := 25 * f.scale(5, 60)
	for i := range n {
		m := stage.CanaryMessage(publisher.Stream, i)
		m.Payload = m.Payload[:2000]
		if err := publisher.WriteMessage(m); err != nil {
			f.Fatal(err)
		}
		stage.Pause(f.bounded(), stage.CanaryEvery)
	}
	got := 0
	if _, ok := seen.Await(2*stage.Soon, func(m rtmp.Message) bool {
		if m.Type == rtmp.TypeVideo {
			got++
		}
		return got == n
	}); !ok {
		f.Errorf("%d of %d messages came", got, n)
	}
	f.figure("messages", n)
	_, _ = publisher.Conn.Close(), player.Conn.Close()
	discarding.Wait()
}
