package e2e

import (
	"os"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// VLC plays and decodes to the end of the publication, and then ends by itself,
// without a complaint. It cannot tell which packets it got.
func TestVLCPlays(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t)
	const path = "channel/key"
	player := vlc(t, s.URL(path))
	s.AwaitLines(1, 2*stage.Soon, "msg=play")
	stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path)).Succeed(mediaLength + stage.Soon)
	player.Succeed(2 * stage.Soon)
}

// vlc plays a URL to its end, without a screen or a loudspeaker. VLC does not run
// as root.
func vlc(t *testing.T, url string) *stage.Program {
	t.Helper()
	args := []string{
		"env", "HOME=/nonexistent", "cvlc", "--quiet", "--ignore-config",
		"--vout=dummy", "--aout=dummy", "--play-and-exit", url,
	}
	if os.Getuid() == 0 {
		args = append([]string{"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"}, args...)
	}
	return stage.StartProgram(t, args[0], args[1:]...)
}
