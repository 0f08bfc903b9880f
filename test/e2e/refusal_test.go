package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestWrongKeyIsRefusedWithinASecond(t *testing.T) {
	t.Parallel()
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "KEY_GUESSES_PER_MINUTE=0")
	early, err := stage.TryPlay(t, "", s.Addr, "channel/guess")
	if err != nil {
		t.Fatalf("a player with any key may wait for a channel that is not live: %v", err)
	}
	waiting := early.Record()
	watcher := stage.Play(t, s, "channel/key").Record()
	stage.FfmpegPublish(t, mediaPath(fileAV), s.URL("channel/key"))
	stage.AwaitEvent(t, watcher, 1, stage.Keyframe)

	t.Run("client", func(t *testing.T) {
		c, err := stage.TryPlay(t, "", s.Addr, "channel/guess")
		stage.CheckRefused(t, c, err, rtmp.CodePlayBadName)
	})
	t.Run("waiting client", func(t *testing.T) {
		if !waiting.AwaitEnd(time.Second) {
			t.Error("it is still connected a second after the publisher came")
		}
		for _, event := range stage.Events(waiting.All()) {
			if event == rtmp.CodePlayBadName {
				return
			}
		}
		t.Errorf("it was told %q", stage.Events(waiting.All()))
	})
	for _, p := range stage.Players {
		t.Run(p.Name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "got.flv")
			_ = p.Play(t, s.URL("channel/guess"), file).Wait(stage.Soon) // not all take it for a failure
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
	s := stage.Start(t)
	const path = "channel/key"
	player := stage.Play(t, s, path).Record()
	first := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path))
	stage.AwaitTime(t, player, 1000)

	stage.FfmpegPublish(t, mediaPath(fileVideo), s.URL(path)).Refuse(3 * time.Second)
	second, err := stage.TryPublish(t, "", s.Addr, path)
	stage.CheckRefused(t, second, err, rtmp.CodePublishBadName)

	first.Succeed(mediaLength + stage.Soon)
	got := stage.Frames(stage.AwaitEvent(t, player, 1, stage.StreamEOF))
	if err := stage.SameFrames(got, framesOf(t, mediaPath(fileAV))); err != nil {
		t.Error(err)
	}
}
