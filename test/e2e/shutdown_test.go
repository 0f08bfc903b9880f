package e2e

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// test/faults has the stop in every state of a session.
func TestStopEndsProgramsNormally(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	dir := t.TempDir()
	watcher := stage.Play(t, s, "channel/key").Record()
	player := stage.Ffmpeg(t, "-i", s.URL("channel/key"), "-c", "copy", "-f", "flv", dir+"/got.flv")
	s.AwaitLines(2, stage.Soon, "msg=play")
	publisher := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL("channel/key"))
	stage.AwaitTime(t, watcher, 2000)

	s.Stop()
	player.Succeed(stage.Soon)
	publisher.Refuse(stage.Soon) // it has not sent everything
	checkDecodes(t, dir+"/got.flv")
}
