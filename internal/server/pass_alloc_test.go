//go:build linux && !portable && !race

package server

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/fanout"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// audience is a live channel with viewers over TCP.
type audience struct {
	server      *Server
	publication *stream.Publication
	clients     []net.Conn
	sent        uint32
	got         []byte
}

func newAudience(t *testing.T, viewers int) *audience {
	t.Helper()
	registry := stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 20})
	s := New(Options{Registry: registry, ChunkSize: 60000, Log: slog.New(slog.DiscardHandler)})
	a := &audience{server: s}
	for range viewers {
		nc, client := directPair(t)
		c := newConn(s, nc)
		c.watch.stop()
		t.Cleanup(c.cancel)
		if a.publication == nil {
			publication, err := registry.Publish(stream.Claim{Channel: "live", Key: "key", Publisher: c})
			if err != nil {
				t.Fatal(err)
			}
			a.publication = publication
		}
		subscription, err := registry.Subscribe("live", "key", c, c.out)
		if err != nil {
			t.Fatal(err)
		}
		c.out.players = []*player{{stream: stream.PlayStream, subscription: subscription}}
		a.clients = append(a.clients, client)
	}
	return a
}

// pass sends messages to everybody, and returns when all have come.
func (a *audience) pass(t *testing.T) {
	const messages, size = 20, 2000
	payload := make([]byte, size)
	for range messages {
		payload[0], payload[1] = 0x27, 1
		if a.sent++; a.sent == 1 {
			payload[0] = 0x17
		}
		a.publication.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: a.sent, Payload: payload}, 0)
	}
	a.publication.Flush()
	if a.got == nil {
		a.got = make([]byte, messages*(12+size))
	}
	for _, client := range a.clients {
		if _, err := io.ReadFull(client, a.got); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAPassAllocatesNothingForAViewer compares audiences: what a pass allocates once
// does not count. The race detector has pools forget what they are given, so that it
// is not for this.
func TestAPassAllocatesNothingForAViewer(t *testing.T) {
	allocations := func(viewers int) float64 {
		a := newAudience(t, viewers)
		var running sync.WaitGroup
		running.Go(func() {
			fanout.Run(a.publication, fanout.Options{Now: a.server.now, Pages: new(socket.Pages)})
		})
		defer running.Wait()
		defer a.publication.Close()
		a.pass(t) // who joins is served message by message
		return testing.AllocsPerRun(100, func() { a.pass(t) })
	}
	few, many := allocations(80), allocations(240)
	t.Logf("a pass allocates %v times for 80 viewers, and %v times for 240", few, many)
	if each := (many - few) / 160; each > 0.02 {
		t.Errorf("a pass allocates %.2f times for each viewer, want none", each)
	}
}
