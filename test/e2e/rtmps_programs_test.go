package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// Programs publish and play by RTMPS, those that can verify the certificate. One
// player uses RTMP beside it.
func TestProgramsPublishAndPlayByRTMPS(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s := stage.Start(t, append(ca.Issue(t, t.TempDir()).Settings(), "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")...)
	publishers := []struct {
		name    string
		publish func(t *testing.T, url string) *stage.Program
		exact   bool // it sends the packets of the file as they are
	}{
		{"ffmpeg", func(t *testing.T, url string) *stage.Program {
			return stage.FfmpegPublish(t, mediaPath(fileVideo), url, "-tls_verify", "1", "-ca_file", ca.File)
		}, true},
		{"gstreamer", func(t *testing.T, url string) *stage.Program {
			return stage.StartProgram(t, "gst-launch-1.0", "-q", "filesrc", "location="+mediaPath(fileVideo), "!", "flvdemux", "!",
				"h264parse", "!", "flvmux", "streamable=true", "!",
				"rtmp2sink", "location="+url, "tls-validation-flags=0", "sync=true")
		}, false},
	}
	for _, from := range publishers {
		t.Run(from.name, func(t *testing.T) {
			t.Parallel()
			conformance.Covers(t, 214)
			path, dir := from.name+"/key", t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name+".flv") }
			plain := stage.Play(t, s, path).Record()
			waiting := []playing{
				{stage.Ffmpeg(t, "-tls_verify", "1", "-ca_file", ca.File, "-i", s.SecureURL(path), "-c", "copy", "-copyts", "-f", "flv", file("ffmpeg")),
					"ffmpeg", file("ffmpeg"), 0},
				{stage.StartProgram(t, "gst-launch-1.0", "-q", "rtmp2src", "location="+s.SecureURL(path), "tls-validation-flags=0", "!",
					"filesink", "location="+file("gstreamer")), "gstreamer", file("gstreamer"), 1},
			}
			s.AwaitLines(1+len(waiting), 2*stage.Soon, "msg=play", " channel="+from.name+" ")
			publisher := from.publish(t, s.SecureURL(path))
			publisher.Succeed(mediaLength + 2*stage.Soon)
			want := stage.Frames(stage.AwaitEvent(t, plain, 1, stage.StreamEOF))
			for _, p := range waiting {
				p.Succeed(stage.Soon)
				checkDecodes(t, p.file)
				missing, err := comparePackets(packetsOf(t, mediaPath(fileVideo)), packetsOf(t, p.file))
				switch lost := missing["video"]; {
				case err != nil && from.exact:
					t.Errorf("%s: %v", p.name, err)
				case lost.start != 0 || lost.end > p.drops:
					t.Errorf("%s misses %d packets at the start and %d at the end", p.name, lost.start, lost.end)
				}
				got := framesOf(t, p.file)
				if p.name == "gstreamer" { // which stores what came as it came
					if err := stage.SameFrames(got, want[:max(len(want)-p.drops, len(got))]); err != nil {
						t.Errorf("%s and the player by RTMP: %v", p.name, err)
					}
				}
			}
			if len(want) < int(mediaLength/time.Second)*30-2 {
				t.Errorf("%d frames came", len(want))
			}
		})
	}
}
