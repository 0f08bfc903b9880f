package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// playing is a player program and the file it writes.
type playing struct {
	*stage.Program
	name, file string
	drops      int
}

// playAll starts one player of each kind and waits until the server knows them.
func playAll(t *testing.T, s *stage.Server, path string, already int) []playing {
	t.Helper()
	var all []playing
	dir := t.TempDir()
	for _, p := range stage.Players {
		file := filepath.Join(dir, p.Name+".flv")
		all = append(all, playing{p.Play(t, s.URL(path), file), p.Name, file, p.Drops})
	}
	s.AwaitLines(already+len(all), 2*stage.Soon, "msg=play")
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
			conformance.Covers(t, 214)
			// FFmpeg's goodbye is lost now and then, see ffmpegPublish.
			s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
			const path = "channel/key"
			watcher := stage.Play(t, s, path).Record()
			waiting := playAll(t, s, path, 1)
			publisher := stage.FfmpegPublish(t, mediaPath(name), s.URL(path))
			stage.AwaitTime(t, watcher, 2200)
			late := playAll(t, s, path, 1+len(waiting))
			publisher.Succeed(mediaLength + stage.Soon)

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
	p.Succeed(stage.Soon)
	return checkFile(t, p, sent)
}

// checkFile is checkStored for a player that may go on.
func checkFile(t *testing.T, p playing, sent map[string][]packet) map[string]skipped {
	t.Helper()
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

// GStreamer publishes with its own element and with the older one, which is
// librtmp: every frame arrives as it was sent, from the first keyframe on. Both
// send what they have gathered while they connected at once, and sound before the
// first keyframe is old then.
func TestFFmpegPlaysWhatGStreamerPublishes(t *testing.T) {
	t.Parallel()
	for _, sink := range []struct{ name, options string }{{"rtmp2sink", ""}, {"rtmpsink", " live=1"}} {
		t.Run(sink.name, func(t *testing.T) {
			t.Parallel()
			conformance.Covers(t, 214)
			s := stage.Start(t)
			url, dir := s.URL("channel/key"), t.TempDir()
			sent, got := filepath.Join(dir, "sent.flv"), filepath.Join(dir, "got.flv")
			player := stage.Ffmpeg(t, "-i", url, "-c", "copy", "-copyts", "-f", "flv", got)
			watcher := stage.Play(t, s, "channel/key").Record()
			s.AwaitLines(2, stage.Soon, "msg=play")
			gstreamerPublish(t, sent, sink.name, "location="+url+sink.options).Succeed(4*time.Second + 2*stage.Soon)

			relayed, all := stage.Frames(stage.AwaitEvent(t, watcher, 1, stage.StreamEOF)), framesOf(t, sent)
			before := len(all) - len(relayed)
			if err := stage.SameFrames(relayed, all[max(0, before):]); err != nil {
				t.Error(err)
			}
			if i := lastIndex(all[:max(0, before)], stage.Keyframe); i >= 0 {
				t.Errorf("it begins after the keyframe of %d ms", all[i].Timestamp)
			}
			for kind, m := range checkStored(t, playing{player, "ffmpeg", got, 0}, packetsOf(t, sent)) {
				if kind == "video" && m.start != 0 {
					t.Errorf("FFmpeg missed the first %d frames", m.start)
				}
			}
		})
	}
}

// rtmpsrc of GStreamer is librtmp. At the end of a publication it connects again,
// and waits for the next.
func TestGStreamerPlaysByLibrtmp(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := stage.Start(t)
	url, file := s.URL("channel/key"), filepath.Join(t.TempDir(), "played.flv")
	player := stage.StartProgram(t, "gst-launch-1.0", "-q", "rtmpsrc", "location="+url+" live=1", "!",
		"filesink", "buffer-mode=unbuffered", "location="+file)
	s.AwaitLine("msg=play")
	stage.FfmpegPublish(t, mediaPath(fileAV), url).Succeed(mediaLength + stage.Soon)
	s.AwaitLines(2, stage.Soon, "msg=play")
	for kind, m := range checkFile(t, playing{player, "rtmpsrc", file, 0}, packetsOf(t, mediaPath(fileAV))) {
		if m.start != 0 {
			t.Errorf("the first %d %s packets are missing", m.start, kind)
		}
	}
}

// gstreamerPublish publishes 4 s with a sink, and stores them in a file too.
func gstreamerPublish(t *testing.T, file string, sink ...string) *stage.Program {
	t.Helper()
	return stage.StartProgram(t, "gst-launch-1.0", append([]string{
		"-q",
		"videotestsrc", "is-live=true", "num-buffers=120", "!", "video/x-raw,width=640,height=360,framerate=30/1", "!",
		"x264enc", "key-int-max=30", "speed-preset=ultrafast", "tune=zerolatency", "!", "h264parse", "!", "mux.",
		"audiotestsrc", "is-live=true", "num-buffers=172", "!", "voaacenc", "!", "aacparse", "!", "mux.",
		"flvmux", "name=mux", "streamable=true", "!", "tee", "name=tee",
		"tee.", "!", "queue", "!", "filesink", "location=" + file,
		"tee.", "!", "queue", "!",
	}, sink...)...)
}
