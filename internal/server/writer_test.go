package server

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// sink is a connection that takes everything.
type sink struct {
	net.Conn // nil: only what is below may be called
	written  int
	// then is called after the first write, if it is not nil.
	then func()
}

func (s *sink) Write(b []byte) (int, error) {
	s.written += len(b)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return len(b), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// backlog returns the writer of a connection with one player, which is behind
// by n messages.
func backlog(tb testing.TB, n int) (*writer, *sink) {
	registry := stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 30})
	s := New(Options{Registry: registry, ChunkSize: 60000, Log: slog.New(slog.DiscardHandler)})
	out := &sink{}
	c := newConn(s, newTransport(out, nil))
	c.watch.stop()
	tb.Cleanup(c.cancel)
	publication, err := registry.Publish(stream.Claim{Channel: "live", Key: "key", Publisher: c})
	if err != nil {
		tb.Fatal(err)
	}
	subscription, err := registry.Subscribe("live", "key", c, c.out)
	if err != nil {
		tb.Fatal(err)
	}
	c.out.players = []*player{{stream: 1, subscription: subscription}}
	for i := range n {
		payload := make([]byte, 2000)
		payload[0], payload[1] = 0x27, 1
		if i == 0 {
			payload[0] = 0x17
		}
		publication.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: uint32(i), Payload: payload}, 0)
	}
	return c.out, out
}

// TestWritingAllocatesNothing keeps the cost of a message for each viewer free
// of garbage.
func TestWritingAllocatesNothing(t *testing.T) {
	w, out := backlog(t, 10_000)
	b := new(batch)
	step := func() {
		w.gather(b)
		if err := w.writeAll(b); err != nil {
			t.Fatal(err)
		}
	}
	step() // the vectors grow to their size
	if allocs := testing.AllocsPerRun(50, step); allocs != 0 {
		t.Errorf("%v allocations for a batch of messages, want none", allocs)
	}
	if want := 50 * maxBatch; out.written < want {
		t.Errorf("%d bytes written, want at least %d", out.written, want)
	}
}

func BenchmarkWriteBatch(b *testing.B) {
	const messages = 1000
	w, out := backlog(b, messages)
	p := w.players[0]
	gathered := new(batch)
	b.ReportAllocs()
	for b.Loop() {
		p.cursor.Close()
		out.written = 0
		for out.written < messages*2000 {
			w.gather(gathered)
			if err := w.writeAll(gathered); err != nil {
				b.Fatal(err)
			}
		}
		b.SetBytes(int64(out.written))
	}
}

// TestAPlayerThatStoppedHoldsNoLog has a connection stop playing and stay: its
// player is part of the writer, and would keep every message of the channel since.
func TestAPlayerThatStoppedHoldsNoLog(t *testing.T) {
	w, _ := backlog(t, 10)
	p := w.players[0]
	w.gather(new(batch))
	if !p.cursor.IsOpen() {
		t.Fatal("the player plays nothing")
	}
	w.remove(p)
	if p.cursor.IsOpen() {
		t.Error("its cursor is open")
	}
}

// TestWhoIsLateStopsWhereTheOthersDo has a message come while the socket is waited for.
// It is for the next pass: who went on would stand between two runs then, and have to be
// written each message of the next.
func TestWhoIsLateStopsWhereTheOthersDo(t *testing.T) {
	w, out := backlog(t, 10)
	log := w.players[0].subscription.Log()
	log.Join()
	message := func() {
		log.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: 10, Payload: []byte{0x27, 1, 2, 3}}, 0)
	}
	out.then = message
	w.Wake(nil)
	w.server.running.Wait()
	before := out.written
	if cursor := &w.players[0].cursor; before == 0 || !cursor.AtJoint() {
		t.Errorf("%d bytes were written, up to the end of the pass: %v", before, cursor.AtJoint())
	}
	log.Join()
	w.Wake(nil)
	w.server.running.Wait()
	passed, _ := w.players[0].cursor.Passed()
	if messages, _ := log.Head(); passed != messages {
		t.Errorf("%d messages of %d were written after the next pass", passed, messages)
	}
}

func TestLargeMessagesAreWrittenInSteps(t *testing.T) {
	w, out := backlog(t, 0)
	big := make([]byte, 3*maxBatch+100)
	b := new(batch)
	b.add(big)
	for _, v := range b.vectors {
		if len(v) > maxVector {
			t.Fatalf("a vector of %d bytes", len(v))
		}
	}
	if err := w.writeAll(b); err != nil {
		t.Fatal(err)
	}
	if out.written != len(big) {
		t.Errorf("%d bytes written, want %d", out.written, len(big))
	}
}
