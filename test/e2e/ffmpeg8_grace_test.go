package e2e

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// A player of FFmpeg 8.1 stays while its publisher is cut off and comes back. It
// gets all of the first publication that arrived, then the second from its first
// keyframe on, and time goes on.
func TestFFmpeg8PlaysOnWhenThePublisherReconnects(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t)
	const path = "channel/key"
	watcher := stage.Play(t, s, path).Record()
	player := startFFmpeg8(t, "play", s.URL(path+"?tracks=all"))
	s.AwaitLines(2, 2*stage.Soon, "msg=play")
	first := startFFmpeg8(t, "publish", enhancedPath(fileHEVC), s.URL(path))
	stage.AwaitTime(t, watcher, 1500)
	_ = first.Cmd.Process.Kill()
	<-first.Done
	sent := startFFmpeg8(t, "publish", enhancedPath(fileHEVC), s.URL(path)).streams(t, mediaLength+stage.Soon)

	got := player.streams(t, stage.Soon)
	for name, all := range sent.packets {
		run := got.packets[name]
		split := len(run) - len(all) // where the second publication begins
		if split <= 0 {
			t.Errorf("%d packets of %s came, the second publication alone has %d", len(run), name, len(all))
			continue
		}
		if differs(all, run[:split]) >= 0 {
			t.Errorf("the first publication of %s: %s", name, firstDifference(all, run[:split]))
		}
		if differs(all, run[split:]) >= 0 {
			t.Errorf("the second publication of %s: %s", name, firstDifference(all, run[split:]))
		}
		checkTimeGoesOn(t, name, run)
	}
}
