package e2e

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// A player of FFmpeg 8.1 that does not ask for all tracks gets the first of each
// kind, as though there were no other.
func TestFFmpeg8PlaysTheFirstTracks(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 180, 214)
	s := startServer(t)
	const path = "channel/key"
	player := startFFmpeg8(t, "play", s.url(path))
	s.awaitLine("msg=play")
	sent := startFFmpeg8(t, "publish", enhancedPath(fileTracks), s.url(path)).streams(t, mediaLength+soon)
	for _, name := range []string{"video 1", "audio 1"} {
		delete(sent.tracks, name)
		delete(sent.packets, name)
	}
	for name, missed := range checkPlayed(t, "the player", sent, player.streams(t, soon)) {
		if missed != 0 {
			t.Errorf("it missed the first %d packets of %s", missed, name)
		}
	}
}
