package e2e

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// A player of FFmpeg 8.1 stays while its publisher is cut off and comes back. It
// gets all of the first publication that arrived, then the second from its first
// keyframe on, and time goes on.
func TestFFmpeg8PlaysOnWhenThePublisherReconnects(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := startServer(t)
	const path = "channel/key"
	watcher := play(t, s, path).record()
	player := startFFmpeg8(t, "play", s.url(path+"?tracks=all"))
	s.awaitLines(2, 2*soon, "msg=play")
	first := startFFmpeg8(t, "publish", enhancedPath(fileHEVC), s.url(path))
	awaitTime(t, watcher, 1500)
	_ = first.cmd.Process.Kill()
	<-first.done
	sent := startFFmpeg8(t, "publish", enhancedPath(fileHEVC), s.url(path)).streams(t, mediaLength+soon)

	got := player.streams(t, soon)
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
