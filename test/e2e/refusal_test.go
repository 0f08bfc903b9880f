package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestWrongKeyIsRefusedWithinASecond(t *testing.T) {
	t.Parallel()
	s := startServer(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	early, err := tryPlay(t, "", s.addr, "channel/guess")
	if err != nil {
		t.Fatalf("a player with any key may wait for a channel that is not live: %v", err)
	}
	waiting := early.record()
	watcher := play(t, s, "channel/key").record()
	ffmpegPublish(t, mediaPath(fileAV), s.url("channel/key"))
	awaitEvent(t, watcher, 1, keyframe)

	t.Run("client", func(t *testing.T) {
		c, err := tryPlay(t, "", s.addr, "channel/guess")
		checkRefused(t, c, err, rtmp.CodePlayBadName)
	})
	t.Run("waiting client", func(t *testing.T) {
		if !waiting.awaitEnd(time.Second) {
			t.Error("it is still connected a second after the publisher came")
		}
		for _, event := range events(waiting.all()) {
			if event == rtmp.CodePlayBadName {
				return
			}
		}
		t.Errorf("it was told %q", events(waiting.all()))
	})
	for _, p := range players {
		t.Run(p.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "got.flv")
			_ = p.play(t, s.url("channel/guess"), file).wait(soon) // not all take it for a failure
			if info, err := os.Stat(file); err == nil && info.Size() > media.FLVHeaderSize+media.BackPointerSize {
				t.Errorf("it stored %d bytes", info.Size())
			}
		})
	}
}

// The second publisher of a channel is told so at once, and nobody who watches
// the first one notices.
func TestBusyChannelRefusesTheSecondPublisher(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const path = "channel/key"
	player := play(t, s, path).record()
	first := ffmpegPublish(t, mediaPath(fileAV), s.url(path))
	awaitTime(t, player, 1000)

	ffmpegPublish(t, mediaPath(fileVideo), s.url(path)).refuse(3 * time.Second)
	second, err := tryPublish(t, "", s.addr, path)
	checkRefused(t, second, err, rtmp.CodePublishBadName)

	first.succeed(mediaLength + soon)
	got := frames(awaitEvent(t, player, 1, streamEOF))
	if err := sameFrames(got, framesOf(t, mediaPath(fileAV))); err != nil {
		t.Error(err)
	}
}
