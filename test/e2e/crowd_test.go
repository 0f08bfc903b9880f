package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Viewers come and go in any way at any time, while the publisher restarts in
// any way. The server, under the race detector, keeps none of them.
func TestCrowdComesAndGoes(t *testing.T) {
	t.Parallel()
	const (
		viewers      = 200
		publications = 6
	)
	s := startServer(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
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
	watcher := play(t, s, "channel/key")
	witness := watcher.record()
	messages := messagesOf(t, mediaPath(fileAV))
	for i := range publications {
		publisher := publish(t, s, "channel/key")
		connections.Add(1)
		playing, stop := context.WithTimeout(ctx, time.Second)
		if _, err := publisher.feed(playing, messages); err != nil {
			t.Error(err)
		}
		stop()
		switch i % 3 {
		case 0:
			publisher.reset()
		case 1:
			_ = publisher.conn.Close()
		default:
			_ = publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{1.0}}.Message(0))
		}
		awaitEvent(t, witness, i+1, rtmp.CodePlayUnpublishNotify)
		_ = publisher.conn.Close()
	}
	cancel()
	crowd.Wait()
	_ = watcher.conn.Close()
	t.Logf("%d connections got %d frames", connections.Load(), frames.Load())
	if frames.Load() == 0 {
		t.Error("nobody got anything")
	}

	s.awaitLines(int(connections.Load()), 2*soon, "msg=end")
	start := time.Now()
	s.stop()
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the stop took %v with nobody there", took)
	}
	if n := attr(s.awaitLine("msg=stopping"), "connections"); n != "0" {
		t.Errorf("%s connections are left", n)
	}
}

// visit plays for a while and leaves, and returns how many frames came. The
// first video frame of each publication has to be a keyframe.
func visit(t *testing.T, s *server) (frames int64) {
	c, err := tryPlay(t, "", s.addr, "channel/key")
	if err != nil {
		t.Error(err)
		return 0
	}
	if rand.IntN(2) == 0 {
		defer c.reset()
	} else {
		defer func() { _ = c.conn.Close() }()
	}
	stay := time.Duration(rand.IntN(1500)) * time.Millisecond
	if err := c.conn.SetReadDeadline(time.Now().Add(stay)); err != nil {
		t.Error(err)
	}
	fresh := true
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return frames
		}
		switch what := describe(m); what {
		case streamBegin:
			fresh = true
		case videoFrame:
			if fresh {
				t.Error("video does not begin with a keyframe")
			}
		case keyframe:
			fresh = false
		}
		if isMedia(m) {
			frames++
		}
	}
}
