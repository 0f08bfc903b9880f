package bench

import (
	"math"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func newTestStream(t *testing.T) *Stream {
	t.Helper()
	s, err := NewStream(Defaults())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStreamKeepsToItsBitrate(t *testing.T) {
	s, size := newTestStream(t), 0
	const length = 20 * time.Second // whole groups
	for s.Due() < length {
		size += len(s.Next(time.Now()).Payload)
	}
	want := float64(Defaults().Bitrate) / 8 * length.Seconds()
	if math.Abs(float64(size)/want-1) > 0.005 {
		t.Errorf("%d bytes, want %.0f", size, want)
	}
}

func TestFramesOfAStreamAreMarkedAndInOrder(t *testing.T) {
	s := newTestStream(t)
	sent := time.UnixMicro(1_700_000_000_123_456)
	seen := map[rtmp.MessageType]uint64{}
	var last time.Duration
	for range 500 {
		due := s.Due()
		if due < last {
			t.Fatalf("a frame is due at %v, after one at %v", due, last)
		}
		last = due
		m := s.Next(sent)
		at := audioMarkerAt
		if m.Type == rtmp.TypeVideo {
			at = videoMarkerAt
		}
		seen[m.Type]++
		mark, ok := parseMarker(m.Payload, at)
		if !ok || mark.seq != seen[m.Type] || mark.sent != sent.UnixMicro() || time.Duration(m.Timestamp) != due/time.Millisecond {
			t.Fatalf("frame due at %v: %v at %d with %+v, %v", due, m.Type, m.Timestamp, mark, ok)
		}
	}
	if seen[rtmp.TypeVideo] < 150 || seen[rtmp.TypeAudio] < 150 {
		t.Errorf("made %v", seen)
	}
}

func TestStreamAllocatesNothing(t *testing.T) {
	s, now := newTestStream(t), time.Now()
	if n := testing.AllocsPerRun(1000, func() { s.Next(now) }); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestStreamWithoutRoomForMarkersIsRefused(t *testing.T) {
	o := Defaults()
	o.Bitrate = 1
	if _, err := NewStream(o); err == nil {
		t.Error("a bit a second is enough")
	}
}
