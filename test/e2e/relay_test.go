package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// playing is a player program and the file it writes.
type playing struct {
	*program
	name, file string
	drops      int
}

// playAll starts one player of each kind and waits until the server knows them.
func playAll(t *testing.T, s *server, path string, already int) []playing {
	t.Helper()
	var all []playing
	dir := t.TempDir()
	for _, p := range players {
		file := filepath.Join(dir, p.name+".flv")
		all = append(all, playing{p.play(t, s.url(path), file), p.name, file, p.drops})
	}
	s.awaitLines(already+len(all), 2*soon, "msg=play")
	return all
}

// Each player stores exactly what each encoder sent, whether it waited for the
// publisher or came in the middle.
func TestPlayersGetWhatWasPublished(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 151, 152, 153)
	for _, name := range []string{fileAV, fileAudio, fileVideo, fileMP3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// FFmpeg's goodbye is lost now and then, see ffmpegPublish.
			s := startServer(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
			const path = "channel/key"
			watcher := play(t, s, path).record()
			waiting := playAll(t, s, path, 1)
			publisher := ffmpegPublish(t, mediaPath(name), s.url(path))
			awaitTime(t, watcher, 2200)
			late := playAll(t, s, path, 1+len(waiting))
			publisher.succeed(mediaLength + soon)

			sent := packetsOf(t, mediaPath(name))
			for _, p := range waiting {
				for kind, missing := range checkStored(t, p, sent) {
					if missing.start != 0 {
						t.Errorf("%s waited and missed the first %d %s packets", p.name, missing.start, kind)
					}
				}
			}
			for _, p := range late {
				if before := checkStart(t, p.file); len(before) > 0 {
					t.Errorf("%s came late and got %d frames before the keyframe", p.name, len(before))
				}
				for kind, missing := range checkStored(t, p, sent) {
					if len(sent[kind]) > 0 && missing.start == 0 {
						t.Errorf("%s came late and got old %s", p.name, kind)
					}
				}
			}
		})
	}
}

// checkStored wants what a player stored to be a run of what was sent, up to the
// end, that begins with a keyframe and decodes.
func checkStored(t *testing.T, p playing, sent map[string][]packet) map[string]skipped {
	t.Helper()
	p.succeed(soon)
	got := packetsOf(t, p.file)
	missing, err := comparePackets(sent, got)
	if err != nil {
		t.Errorf("%s: %v", p.name, err)
		return nil
	}
	for kind, m := range missing {
		if m.end > p.drops {
			t.Errorf("%s missed the last %d %s packets", p.name, m.end, kind)
		}
	}
	checkStart(t, p.file)
	checkDecodes(t, p.file)
	return missing
}

func TestFFmpegPlaysWhatGStreamerPublishes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	const path = "channel/key"
	dir := t.TempDir()
	sent, got := filepath.Join(dir, "sent.flv"), filepath.Join(dir, "got.flv")
	player := ffmpeg(t, "-i", s.url(path), "-c", "copy", "-copyts", "-f", "flv", got)
	s.awaitLine("msg=play")
	publisher := startProgram(t, "gst-launch-1.0", "-q",
		"videotestsrc", "is-live=true", "num-buffers=120", "!", "video/x-raw,width=640,height=360,framerate=30/1", "!",
		"x264enc", "key-int-max=30", "speed-preset=ultrafast", "tune=zerolatency", "!", "h264parse", "!", "mux.",
		"audiotestsrc", "is-live=true", "num-buffers=172", "!", "voaacenc", "!", "aacparse", "!", "mux.",
		"flvmux", "name=mux", "streamable=true", "!", "tee", "name=tee",
		"tee.", "!", "queue", "!", "rtmp2sink", "location="+s.url(path),
		"tee.", "!", "queue", "!", "filesink", "location="+sent)
	publisher.succeed(4*time.Second + 2*soon)
	player.succeed(soon)

	checkStart(t, got)
	checkDecodes(t, got)
	missing, err := comparePackets(packetsOf(t, sent), packetsOf(t, got))
	if err != nil {
		t.Error(err)
	}
	for kind, m := range missing {
		if m != (skipped{}) {
			t.Errorf("%d %s packets are missing at the start, %d at the end", m.start, kind, m.end)
		}
	}
}
