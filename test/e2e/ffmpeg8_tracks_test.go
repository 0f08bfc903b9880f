package e2e

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The names of tracks.
var (
	firstSound  = []string{"audio 0"}
	firstTracks = []string{"video 0", "audio 0"}
	allTracks   = []string{"video 0", "video 1", "audio 0", "audio 1"}
)

// A player of FFmpeg 8.1 that does not ask for all tracks gets the first of each
// kind, as though there were no other.
func TestFFmpeg8PlaysTheFirstTracks(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 180, 214)
	s := stage.Start(t)
	const path = "channel/key"
	player := startFFmpeg8(t, "play", s.URL(path))
	s.AwaitLine("msg=play")
	sent := startFFmpeg8(t, "publish", enhancedPath(fileTracks), s.URL(path)).streams(t, mediaLength+stage.Soon)
	checkPlayedFromTheStart(t, "the player", sent.only(firstTracks...), player.streams(t, stage.Soon))
}
