package faults

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// leave ends a publisher's connection in one of three ways.
func leave(c *stage.Client, how int) {
	switch how % 3 {
	case 0:
		c.Reset()
	case 1:
		_ = c.Conn.Close()
	default:
		_ = c.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(c.Stream)}}.Message(0))
		_ = c.Conn.Close()
	}
}

// D12: test/e2e has the same with real media, under the race detector.
func TestPlayersComeAndGoWhileThePublisherRestarts(t *testing.T) {
	f := begin(t, "D12")
	const players = 100
	publications := f.scale(5, 100)
	s := show{size: 4000, every: 10 * time.Millisecond, group: 25}
	ctx, cancel := context.WithCancel(f.Context())
	defer cancel()
	var visits, frames atomic.Int64
	var running sync.WaitGroup
	for i := range players {
		running.Go(func() {
			for ctx.Err() == nil {
				visits.Add(1)
				frames.Add(int64(f.visits(i)))
			}
		})
	}
	for i := range publications {
		c, _ := f.publishes("stormy")
		playing, stop := context.WithTimeout(ctx, 800*time.Millisecond)
		if _, err := s.run(playing, c); err != nil {
			f.Error(err)
		}
		stop()
		leave(c, i)
		f.server.AwaitLines(i+1, stage.Soon, "msg=end", "role=publisher", "channel=stormy")
	}
	cancel()
	running.Wait()
	f.figure("publications", publications)
	f.figure("visits", visits.Load())
	f.figure("frames", frames.Load())
	if frames.Load() == 0 {
		f.Error("nobody got anything")
	}
	const canary = 3
	for start := time.Now(); f.metric("rtmp_connections") > canary; stage.Pause(f.bounded(), 50*time.Millisecond) {
		if time.Since(start) > 2*stage.Soon {
			f.Errorf("%v connections are left", f.metric("rtmp_connections")-canary)
			return
		}
	}
	if n := f.metric("rtmp_sessions"); n != canary {
		f.Errorf("%v sessions are left", n-canary)
	}
}

// visits plays for a while and leaves, and returns how many frames came. The first of
// each publication has to be a keyframe.
func (f *fault) visits(n int) (frames int) {
	c, err := dial(f, host(n), f.server.Addr, nil)
	if err == nil {
		err = c.Start("stormy", "key", stage.Watching)
	}
	if err != nil {
		f.Error(err)
		return 0
	}
	defer leave(c, rand.IntN(3))
	_ = c.Conn.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(1000)) * time.Millisecond))
	for fresh := true; ; {
		m, err := c.ReadMessage()
		if err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				f.Errorf("a player was closed: %v", err)
			}
			return frames
		}
		switch stage.Describe(m) {
		case stage.StreamBegin:
			fresh = true
		case stage.VideoFrame:
			if fresh {
				f.Error("video does not begin with a keyframe")
			}
			frames++
		case stage.Keyframe:
			fresh = false
			frames++
		}
	}
}

// D15: each publication has a header of its own, which players get before its frames,
// and never that of one before.
func TestAPublisherThatLeavesAndReturns(t *testing.T) {
	t.Parallel()
	f := begin(t, "D15")
	seen := f.watches(1, "back").Record()
	n := f.scale(100, 1000)
	s := show{size: 400, group: 3}
	var longest time.Duration
	for k := range n {
		start := time.Now()
		c, err := dial(f, host(2), f.server.Addr, nil)
		if err == nil {
			err = c.Start("back", "key", stage.Publishing)
		}
		if err != nil {
			f.Fatalf("return %d: %v", k, err)
		}
		messages := []rtmp.Message{pictureHeader(c.Stream, byte(k)), s.frame(c.Stream, 0), s.frame(c.Stream, 1)}
		for _, m := range messages {
			m.Timestamp += uint32(k) * 100
			if err := c.WriteMessage(m); err != nil {
				f.Fatal(err)
			}
		}
		var got []rtmp.Message
		to := 3 * (k + 1)
		all := 0
		if _, ok := seen.Await(stage.Soon, func(m rtmp.Message) bool {
			if m.Type == rtmp.TypeVideo {
				if all++; all > to-3 {
					got = append(got, m)
				}
			}
			return all == to
		}); !ok {
			f.Fatalf("return %d: %d of %d messages came", k, all, to)
		}
		longest = max(longest, time.Since(start))
		for i, m := range got {
			if !bytes.Equal(m.Payload, messages[i].Payload) {
				f.Fatalf("return %d: message %d is %x, want %x", k, i, m.Payload[:10], messages[i].Payload[:10])
			}
		}
		leave(c, k)
		stage.AwaitEvent(t, seen, k+1, rtmp.CodePlayUnpublishNotify)
	}
	f.figure("returns", n)
	f.figure("longest until a player went on", longest.Round(time.Millisecond))
}
