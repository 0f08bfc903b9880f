package e2e

import (
	"os"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// VLC plays and decodes to the end of the publication, and then ends by itself,
// without a complaint. It cannot tell which packets it got.
func TestVLCPlays(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := startServer(t)
	const path = "channel/key"
	player := vlc(t, s.url(path))
	s.awaitLines(1, 2*soon, "msg=play")
	ffmpegPublish(t, mediaPath(fileAV), s.url(path)).succeed(mediaLength + soon)
	player.succeed(2 * soon)
}

// vlc plays a URL to its end, without a screen or a loudspeaker. VLC does not run
// as root.
func vlc(t *testing.T, url string) *program {
	t.Helper()
	args := []string{
		"env", "HOME=/nonexistent", "cvlc", "--quiet", "--ignore-config",
		"--vout=dummy", "--aout=dummy", "--play-and-exit", url,
	}
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, args...)
	}
	return startProgram(t, args[0], args[1:]...)
}
