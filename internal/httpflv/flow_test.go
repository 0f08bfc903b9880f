package httpflv

import (
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// sink is a connection that is not written directly, as one of TLS.
type sink struct {
	net.Conn // nil: only what is below may be called
	written  int
	// then is called after the first write, if it is not nil.
	then func()
}

func (s *sink) Write(p []byte) (int, error) {
	s.written += len(p)
	if then := s.then; then != nil {
		s.then = nil
		then()
	}
	return len(p), nil
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

// someone is a session that nobody asks for anything.
type someone struct{ stream.Publisher }

// TestWhoIsLateStopsWhereTheOthersDo has a message come while the connection is waited
// for. It is for the next pass: who went on would stand between two runs then.
func TestWhoIsLateStopsWhereTheOthersDo(t *testing.T) {
	registry := stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 20})
	publication, err := registry.Publish(stream.Claim{Channel: "live", Publisher: someone{}})
	if err != nil {
		t.Fatal(err)
	}
	defer publication.Close()
	log := publication.Log()
	frame := func(payload ...byte) {
		log.Append(rtmp.Message{Type: rtmp.TypeVideo, Payload: payload}, 0)
	}
	log.Append(rtmp.Message{Type: rtmp.TypeAudio, Payload: []byte{0x2F, 1, 2}}, 0)
	frame(0x17, 1, 0, 0, 0, 9)
	log.Join()

	out := &sink{then: func() { frame(0x27, 1, 0, 0, 0, 9) }}
	s := New(Options{Registry: registry, Log: slog.New(slog.DiscardHandler)})
	v := &viewer{server: s, out: connOutlet(out), log: s.options.Log, waiting: time.NewTimer(time.Hour), done: make(chan struct{})}
	if v.subscription, err = registry.Subscribe("live", "", someone{}, v); err != nil {
		t.Fatal(err)
	}
	v.Wake(nil)
	s.running.Wait()
	if out.written == 0 || !v.cursor.AtJoint() {
		t.Errorf("%d bytes were written, up to the end of the pass: %v", out.written, v.cursor.AtJoint())
	}
	log.Join()
	v.Wake(nil)
	s.running.Wait()
	passed, _ := v.cursor.Passed()
	if messages, _ := log.Head(); passed != messages {
		t.Errorf("%d messages of %d were written after the next pass", passed, messages)
	}
}
