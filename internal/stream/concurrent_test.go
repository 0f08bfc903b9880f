package stream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// publishAtRandom appends audio and video whose headers change at random. Each
// message carries the version of the header it needs, and a number that counts
// the frames of its kind.
func publishAtRandom(l *Log, rng *rand.Rand, messages int) {
	var version, n [10]uint64
	header := func(kind rtmp.MessageType, token string, now time.Duration) {
		version[kind]++
		l.churn = 0 // or the log would leave most of these headers out
		l.Append(numbered(kind, token, version[kind], 0), now)
	}
	frame := func(kind rtmp.MessageType, token string, now time.Duration) {
		n[kind]++
		l.Append(numbered(kind, token, version[kind], n[kind]), now)
	}
	for i := range messages {
		now := time.Duration(i) * time.Millisecond
		switch roll := rng.IntN(100); {
		case roll < 10 || i < 2:
			header(rtmp.TypeAudio, "ah0", now)
		case roll < 15:
			header(rtmp.TypeVideo, "vh0", now)
			frame(rtmp.TypeVideo, "v0!", now)
		case roll < 25:
			frame(rtmp.TypeVideo, "v0!", now)
		case roll < 60:
			frame(rtmp.TypeVideo, "v0", now)
		default:
			frame(rtmp.TypeAudio, "a0", now)
		}
		if rng.IntN(8) == 0 {
			runtime.Gosched()
		}
	}
	l.end()
}

// witness checks what one viewer of publishAtRandom sees.
type witness struct {
	version, n [10]uint64
}

func (w *witness) see(m *Message) error {
	version, n := numbersOf(m)
	if m.packet == media.SequenceHeader {
		w.version[m.Type] = version
		return nil
	}
	last := w.n[m.Type]
	w.n[m.Type] = n
	switch {
	case version != w.version[m.Type]:
		return fmt.Errorf("%v frame %d needs header %d, the viewer has %d", m.Type, n, version, w.version[m.Type])
	case last != 0 && n != last+1:
		return fmt.Errorf("%v frame %d follows %d", m.Type, n, last)
	case last == 0 && m.Type == rtmp.TypeVideo && !m.groupStart:
		return fmt.Errorf("video begins with frame %d, which is no keyframe", n)
	}
	return nil
}

// watch reads some messages with a new cursor, and reports whether there may be
// more.
func watch(l *Log, rng *rand.Rand) (more bool, err error) {
	c := l.Cursor(Start(rng.IntN(2)))
	var w witness
	for range rng.IntN(100) {
		m, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case m == nil:
			runtime.Gosched()
			continue
		}
		if err := w.see(m); err != nil {
			return false, err
		}
		if rng.IntN(20) == 0 {
			if _, ok := c.CatchUp(time.Duration(rng.IntN(50)) * time.Millisecond); ok {
				w = witness{}
			}
		}
	}
	return true, nil
}

func TestEveryViewerSeesAContiguousStreamAndNoFrameBeforeItsHeader(t *testing.T) {
	for _, cacheBytes := range []int64{plenty, 10 * smallFrame, 0} {
		l := newLog(testChunkSize, cacheBytes)
		var running sync.WaitGroup
		for i := range 32 {
			running.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(i)))
				for more := true; more; {
					var err error
					if more, err = watch(l, rng); err != nil {
						t.Errorf("cache of %d bytes, viewer %d: %v", cacheBytes, i, err)
					}
				}
			})
		}
		publishAtRandom(l, rand.New(rand.NewPCG(2, 3)), 20000)
		running.Wait()
	}
}

// Joining takes two looks at the log, at the entry and at the tail, between
// which anything may be appended: headers and frames in turn, as fast as can be.
func TestJoinerAtTheTailHasTheHeaderOfTheNextFrame(t *testing.T) {
	l := newLog(testChunkSize, 0)
	var running sync.WaitGroup
	for range 4 {
		running.Go(func() {
			for !l.ended.Load() {
				c := l.Cursor(AtLive)
				var w witness
				for range 3 {
					m, _ := c.Next()
					if m == nil {
						break
					}
					if err := w.see(m); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for version := range uint64(40_000) {
		l.churn = 0
		l.Append(numbered(rtmp.TypeAudio, "ah0", version+1, 0), 0)
		l.Append(numbered(rtmp.TypeAudio, "a0", version+1, version+1), 0)
	}
	l.end()
	running.Wait()
}
