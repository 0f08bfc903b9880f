package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Viewers come and go in any way at any time, while the publisher restarts in
// any way. The server, under the race detector, keeps none of them.
func TestCrowdComesAndGoes(t *testing.T) {
	t.Parallel()
	const (
		viewers      = 200
		publications = 6
	)
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
	ctx, cancel := context.WithCancel(t.Context())
	var connections, frames atomic.Int64
	var crowd sync.WaitGroup
	for range viewers {
		crowd.Go(func() {
			for ctx.Err() == nil {
				connections.Add(1)
				frames.Add(visit(t, s))
			}
		})
	}
	connections.Add(1)
	watcher := stage.Play(t, s, "channel/key")
	witness := watcher.Record()
	messages := messagesOf(t, mediaPath(fileAV))
	for i := range publications {
		publisher := stage.Publish(t, s, "channel/key")
		connections.Add(1)
		playing, stop := context.WithTimeout(ctx, time.Second)
		if _, err := feed(playing, publisher, messages); err != nil {
			t.Error(err)
		}
		stop()
		switch i % 3 {
		case 0:
			publisher.Reset()
		case 1:
			_ = publisher.Conn.Close()
		default:
			_ = publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{1.0}}.Message(0))
		}
		stage.AwaitEvent(t, witness, i+1, rtmp.CodePlayUnpublishNotify)
		_ = publisher.Conn.Close()
	}
	cancel()
	crowd.Wait()
	_ = watcher.Conn.Close()
	t.Logf("%d connections got %d frames", connections.Load(), frames.Load())
	if frames.Load() == 0 {
		t.Error("nobody got anything")
	}

	s.AwaitEnds(int(connections.Load()), 2*stage.Soon)
	start := time.Now()
	s.Stop()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the stop took %v with nobody there", took)
	}
	if n := stage.Attr(s.AwaitLine("msg=stopping"), "connections"); n != "0" {
		t.Errorf("%s connections are left", n)
	}
}

// visit plays for a while and leaves, and returns how many frames came. The
// first video frame of each publication has to be a keyframe.
func visit(t *testing.T, s *stage.Server) (frames int64) {
	c, err := stage.TryPlay(t, "", s.Addr, "channel/key")
	if err != nil {
		t.Error(err)
		return 0
	}
	if rand.IntN(2) == 0 {
		defer c.Reset()
	} else {
		defer func() { _ = c.Conn.Close() }()
	}
	stay := time.Duration(rand.IntN(1500)) * time.Millisecond
	if err := c.Conn.SetReadDeadline(time.Now().Add(stay)); err != nil {
		t.Error(err)
	}
	fresh := true
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return frames
		}
		switch what := stage.Describe(m); what {
		case stage.StreamBegin:
			fresh = true
		case stage.VideoFrame:
			if fresh {
				t.Error("video does not begin with a keyframe")
			}
		case stage.Keyframe:
			fresh = false
		}
		if stage.IsMedia(m) {
			frames++
		}
	}
}
