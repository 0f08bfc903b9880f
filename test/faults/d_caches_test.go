package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// pictureHeader is a sequence header of H.264, with a number in it.
func pictureHeader(stream uint32, number byte) rtmp.Message {
	return rtmp.Message{
		Type: rtmp.TypeVideo, ChunkStream: 6, Stream: stream,
		Payload: []byte{0x17, 0, 0, 0, 0, 1, 0x64, 0, 0x1F, 0xFF, 0xE1, 0, 1, 0x67, 1, 0, 1, number},
	}
}

// soundOnly is a frame of AAC.
func soundOnly(stream uint32, number int) rtmp.Message {
	return rtmp.Message{
		Type: rtmp.TypeAudio, ChunkStream: 4, Stream: stream, Timestamp: uint32(number),
		Payload: append([]byte{0xAF, 1}, make([]byte, 200)...),
	}
}

// tiny is a frame of nothing but its head.
func tiny(stream uint32, number int) rtmp.Message {
	return rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: 6, Stream: stream, Timestamp: uint32(number / 20), Payload: []byte{0x27}}
}

// D3: three streams that never begin a new group. Their caches end at their bound,
// and newcomers wait for a keyframe.
func TestStreamsWithoutKeyframes(t *testing.T) {
	t.Parallel()
	const cacheMB = 2
	f := begin(t, "D3", fmt.Sprint("GOP_CACHE_SIZE_MB=", cacheMB))
	ctx, stop := context.WithTimeout(f.Context(), time.Duration(f.scale(4, 90))*time.Second)
	defer stop()
	bomb, _ := f.publishes("bomb")
	if err := bomb.WriteMessage(pictureHeader(bomb.Stream, 1)); err != nil {
		f.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { // 64 Mbit/s
		if _, err := (show{size: 160_000, every: 20 * time.Millisecond}).run(ctx, bomb); err != nil {
			f.Errorf("the one without keyframes: %v", err)
		}
	})
	var sent atomic.Int64
	for name, message := range map[string]func(uint32, int) rtmp.Message{"sound": soundOnly, "tiny": tiny} {
		c, _ := f.publishes(name)
		const each = 20 * time.Millisecond
		burst := map[string]int{"sound": 40, "tiny": 300}[name] // 2,000 and 15,000 a second
		running.Go(func() {
			for n := 0; stage.Pause(ctx, each); n += burst {
				for i := range burst {
					if err := c.WriteMessage(message(c.Stream, n+i)); err != nil {
						f.Errorf("%s: %v", name, err)
						return
					}
				}
				sent.Add(int64(burst))
			}
		})
	}
	running.Go(func() { // its rate is far above what is read
		c, _ := f.publishes("flood")
		for n := range 1 << 22 {
			if c.WriteMessage(tiny(c.Stream, n)) != nil {
				return
			}
		}
		f.Error("a flood of tiny frames was taken")
	})
	most, kept := int64(0), int64(0)
	for stage.Pause(ctx, 200*time.Millisecond) {
		kept = max(kept, f.budget("cache_bytes"))
		most = max(most, f.vitals().heap-f.before.heap)
	}
	running.Wait()
	f.awaitEnded("too many messages", 1, stage.Soon)
	f.figure("messages without keyframes", sent.Load())
	f.figure("most kept", megabytes(kept))
	f.figure("heap", megabytes(most))
	if kept > 5*cacheMB<<20+1<<20 || most > 5*cacheMB<<20+moreHeap {
		f.Errorf("%s were kept, the heap grew by %s", megabytes(kept), megabytes(most))
	}
	f.joinsAtKeyframe(bomb)
}

// joinsAtKeyframe wants a newcomer to get the header at once and no frame before the
// next keyframe.
func (f *fault) joinsAtKeyframe(publisher *stage.Client) {
	f.Helper()
	seen := f.watches(3, "bomb").Record()
	stage.AwaitEvent(f.T, seen, 1, stage.VideoHeader)
	s := show{size: 1000, every: 20 * time.Millisecond, group: 5}
	for n := 3; n < 8; n++ { // a keyframe is the third of them
		m := s.frame(publisher.Stream, n)
		m.Timestamp += 200_000
		if err := publisher.WriteMessage(m); err != nil {
			f.Fatal(err)
		}
	}
	for _, what := range stage.Events(stage.AwaitEvent(f.T, seen, 1, stage.Keyframe)) {
		if what == stage.VideoFrame {
			f.Error("a newcomer got frames before a keyframe")
		}
	}
}

// D4: many join at once, and each gets all that is kept, which is there once.
func TestManyJoinAtOnce(t *testing.T) {
	f := begin(t, "D4")
	joiners := f.scale(60, 100)
	group := f.scale(64, 128) // frames of 64 KiB
	s := show{size: 64 << 10, every: 40 * time.Millisecond, group: group}
	c, answers := f.publishes("full")
	witness := f.watches(0, "full")
	var gap time.Duration
	stopWatching := f.meanwhile(func(ctx context.Context) {
		last := time.Now()
		for ctx.Err() == nil {
			if _, err := witness.ReadMessage(); err != nil {
				return
			}
			gap = max(gap, time.Since(last))
			last = time.Now()
		}
	})
	for n := range group { // at once
		if err := c.WriteMessage(s.frame(c.Stream, n)); err != nil {
			f.Fatal(err)
		}
	}
	for f.budget("cache_bytes") < int64(group-1)*64<<10 {
		stage.Pause(f.bounded(), 20*time.Millisecond)
	}
	before := f.resident()
	most := int64(0)
	var waited time.Duration
	stopLive := f.meanwhile(func(ctx context.Context) {
		s.group = 0
		for n := group; stage.Pause(ctx, s.every); n++ {
			start := time.Now()
			if c.WriteMessage(s.frame(c.Stream, n)) != nil {
				return
			}
			waited = max(waited, time.Since(start))
			most = max(most, f.resident())
		}
	})
	var whole atomic.Int64
	start := time.Now()
	crowd(joiners, func(i int) {
		p, err := dial(f, host(i), f.server.Addr, nil)
		if err == nil {
			err = p.Start("full", "key", stage.Watching)
		}
		for n := 0; err == nil && n < group; {
			var m rtmp.Message
			if m, err = p.ReadMessage(); err == nil && m.Type == rtmp.TypeVideo {
				if want := s.frame(m.Stream, n).Payload[5:]; string(m.Payload[5:]) != string(want) {
					err = fmt.Errorf("%d bytes came in place of frame %d", len(m.Payload), n)
				}
				n++
			}
		}
		if err == nil {
			whole.Add(1)
		} else {
			f.Errorf("newcomer %d: %v", i, err)
		}
	})
	f.figure("newcomers", joiners)
	f.figure("kept for each", megabytes(int64(group)*64<<10))
	f.figure("all served after", time.Since(start).Round(10*time.Millisecond))
	stopLive()
	_ = witness.Conn.Close()
	stopWatching()
	f.figure("the publisher waited", waited.Round(100*time.Microsecond))
	f.figure("longest gap of who was there", gap.Round(time.Millisecond))
	f.figure("memory for it", megabytes(most-before))
	if waited > late || gap > 2*canaryGap || len(answers.All()) == 0 {
		f.Errorf("the publisher waited for %v, the one who was there for %v", waited, gap)
	}
	if limit := int64(joiners)*(512<<10) + moreHeap; most-before > limit {
		f.Errorf("%d newcomers took %s", joiners, megabytes(most-before))
	}
}

// D5: sixty-four caches that are each within their bound, but not together.
func TestCachesOfManyChannelsAreBoundedTogether(t *testing.T) {
	f := begin(t, "D5", "GOP_CACHE_TOTAL_MB=16", "GOP_CACHE_SIZE_MB=8")
	const total = 16 << 20
	const publishers = 64
	s := show{size: 128 << 10, every: time.Millisecond, group: 1 << 20}
	frames := f.scale(8, 32) // 1 MiB each, or 4
	var clients [publishers]*stage.Client
	for i := range clients {
		clients[i], _ = f.publishes(fmt.Sprint("channel", i))
	}
	most := int64(0)
	stop := f.meanwhile(func(ctx context.Context) {
		for stage.Pause(ctx, 20*time.Millisecond) {
			most = max(most, f.budget("cache_bytes"))
		}
	})
	crowd(8, func(i int) {
		for k := i; k < publishers; k += 8 {
			for n := range frames {
				if err := clients[k].WriteMessage(s.frame(clients[k].Stream, n)); err != nil {
					f.Error(err)
				}
			}
		}
	})
	line := f.server.AwaitLine("level=WARN", "caches dropped")
	start := time.Now()
	// The canary goes on, so that there is more at times until the next look.
	kept := f.budget("cache_bytes")
	for ; kept > total && time.Since(start) < stage.Soon; kept = f.budget("cache_bytes") {
		stage.Pause(f.bounded(), 20*time.Millisecond)
	}
	stop()
	f.figure("publishers", publishers)
	f.figure("published", megabytes(int64(publishers*frames)*128<<10))
	f.figure("most kept", megabytes(most))
	f.figure("kept in the end", megabytes(kept))
	f.figure("caches dropped at first", stage.Attr(line, "caches"))
	if kept > total || kept == 0 {
		f.Errorf("%s are kept, of %s", megabytes(kept), megabytes(total))
	}
	f.joinsAtOnce()
}

// D6: publishers above their bitrate are closed and told so, and one below is not.
func TestPublishersAboveTheirBitrate(t *testing.T) {
	f := begin(t, "D6", "MAX_PUBLISH_MBPS=16")
	const limit = 2_000_000 // bytes a second
	honest := show{size: limit / 25 * 9 / 10, every: 40 * time.Millisecond, group: 25}
	c, _ := f.publishes("honest")
	broken := make(chan error, 1)
	stopHonest := f.meanwhile(func(ctx context.Context) {
		_, err := honest.run(ctx, c)
		broken <- err
	})
	busy := f.processor()
	start := time.Now()
	for name, s := range map[string]show{
		"as fast as it can": {size: 60_000, every: 0},
		"two and a half":    {size: limit / 10, every: 40 * time.Millisecond, group: 25}, // times the limit
	} {
		began := time.Now()
		c, answers := f.publishes(strings.ReplaceAll(name, " ", "-"))
		ctx, cancel := context.WithTimeout(f.Context(), 3*stage.Soon)
		frames, err := s.run(ctx, c)
		cancel()
		took := time.Since(began)
		f.figure(name+" closed after", took.Round(100*time.Millisecond))
		if err == nil || took > 6*time.Second+late {
			f.Errorf("%s: %d frames in %v, %v", name, frames, took, err)
		}
		if _, ok := answers.Await(stage.Soon, func(m rtmp.Message) bool { return stage.Describe(m) == rtmp.CodePublishDenied }); !ok {
			f.Logf("%s: the status was lost with the connection", name)
		}
	}
	f.figure("processors", fmt.Sprintf("%.2f", (f.processor()-busy).Seconds()/time.Since(start).Seconds()))
	f.awaitEnded("bitrate too high", 2, stage.Soon)
	for _, end := range f.server.AwaitLines(2, stage.Soon, "msg=end", `reason="bitrate too high"`) {
		var taken int64
		if _, err := fmt.Sscan(stage.Attr(end, "bytes_in"), &taken); err != nil || taken > 13*limit {
			f.Errorf("%d bytes were taken, %v: %s", taken, err, end)
		}
	}
	stopHonest()
	if err := <-broken; err != nil && !errors.Is(err, context.Canceled) {
		f.Errorf("the one below the limit: %v", err)
	}
}
