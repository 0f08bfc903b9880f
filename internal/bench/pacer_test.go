package bench

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// sink is a connection that takes everything, or nothing.
type sink struct {
	took int
	err  error
}

func (s *sink) Read([]byte) (int, error) { return 0, os.ErrClosed }

func (s *sink) Write(b []byte) (int, error) {
	s.took += len(b)
	return len(b), s.err
}

func TestPacerKeepsTheSchedule(t *testing.T) {
	c := newClock()
	r := &run{clock: c, window: newWindow(), shape: shapeOf(t, Defaults())}
	r.window.from.Store(0)
	pacer := newPacer(r)
	start := time.Now()
	p := &publisher{client: rtmp.NewClient(&sink{}), stream: 1, start: start}
	pacer.add(p)
	pacer.add(&publisher{client: rtmp.NewClient(&sink{}), stream: 1, start: start.Add(time.Hour)})
	for _, step := range []struct {
		at    time.Duration
		video int64
		next  time.Duration
	}{
		{0, 1, audioSamples * time.Second / audioRate},
		{time.Second, 31, 44 * audioSamples * time.Second / audioRate},
		{1100 * time.Millisecond, 34, 0},
		{60 * time.Second, 34, 0}, // held up: what was missed is left out, and audio is next
		{61 * time.Second, 64, 0},
	} {
		next := pacer.pass(start.Add(step.at))
		if p.video != step.video {
			t.Errorf("at %v: %d video frames, want %d", step.at, p.video, step.video)
		}
		if step.next != 0 && next.Sub(start) != step.next {
			t.Errorf("at %v: next at %v, want %v", step.at, next.Sub(start), step.next)
		}
	}
	if p.messages.Load() != p.video+p.audio {
		t.Errorf("%d messages counted of %d", p.messages.Load(), p.video+p.audio)
	}
}

func TestPacerLetsGoOfABrokenPublisher(t *testing.T) {
	r := &run{clock: newClock(), window: newWindow(), shape: shapeOf(t, Defaults())}
	pacer := newPacer(r)
	end, _ := net.Pipe()
	p := &publisher{conn: end, client: rtmp.NewClient(&sink{err: errors.New("gone")}), stream: 1, start: time.Now()}
	pacer.add(p)
	for range 2 {
		pacer.pass(p.start)
	}
	if !p.failed.Load() || len(pacer.publishers) != 0 || p.video != 1 {
		t.Errorf("failed %v, %d publishers left", p.failed.Load(), len(pacer.publishers))
	}
}
