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

// stalledPlayer is a player that does not read, while a publisher sends more
// than the buffers in between hold.
func stalledPlayer(t *testing.T, s *stage.Server) {
	t.Helper()
	c := stage.Play(t, s, "channel/key")
	if err := c.Conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	watcher := stage.Play(t, s, "channel/key").Record()
	publisher := stage.Publish(t, s, "channel/key")
	publisher.Record()
	messages := messagesOf(t, mediaPath(fileHeavy))
	for i, m := range messages {
		m.Stream, m.Timestamp = publisher.Stream, uint32(i)
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	stage.AwaitTime(t, watcher, uint32(len(messages)-1))
}
