package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The test media: FLV files with a keyframe each second.
const (
	fileAV    = "av"    // H.264 with B-frames, and AAC
	fileAudio = "audio" // AAC alone
	fileVideo = "video" // H.264 alone
	fileMP3   = "mp3"   // H.264 and MP3
	fileHeavy = "heavy" // H.264 of constant 8 Mbit/s, and AAC
)

// Files of what needs Enhanced RTMP, as MP4, with a keyframe each second too.
const (
	fileHEVC    = "hevc"    // HEVC with B-frames, and AAC
	fileHEVCAC3 = "hevcac3" // HEVC with B-frames, and AC-3
	fileAV1     = "av1"     // AV1 and Opus
	fileVP9     = "vp9"     // VP9 and Opus
	fileFLAC    = "flac"    // H.264 and FLAC
	fileAAC51   = "aac51"   // H.264 and AAC of six channels
	fileTracks  = "tracks"  // two tracks of H.264, and two of AAC
	fileTracksH = "tracksh" // two tracks of HEVC, and two of AAC
)

// mediaLength is how long each file plays.
const mediaLength = 5 * time.Second

var (
	mediaDir string

	h264 = strings.Fields("-c:v libx264 -preset ultrafast -g 30 -keyint_min 30 -sc_threshold 0 -pix_fmt yuv420p")
	aac  = strings.Fields("-c:a aac -b:a 96k")
	mp3  = strings.Fields("-c:a libmp3lame -b:a 96k")
)

// generateMedia makes the files, with one call of FFmpeg for all.
func generateMedia(dir string) error {
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		return errors.New("ffmpeg is missing: install package ffmpeg (test/packages.sh does)")
	}
	mediaDir = dir
	length := strconv.FormatFloat(mediaLength.Seconds(), 'f', -1, 64)
	args := []string{
		"-nostdin", "-v", "error",
		"-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=" + length,
		"-f", "lavfi", "-i", "sine=frequency=440:sample_rate=44100:duration=" + length,
	}
	for name, options := range map[string][]string{
		fileAV:    slices.Concat(h264, []string{"-bf", "2"}, aac),
		fileAudio: slices.Concat([]string{"-map", "1:a"}, aac),
		fileVideo: slices.Concat([]string{"-map", "0:v"}, h264),
		fileMP3:   slices.Concat(h264, mp3),
		fileHeavy: slices.Concat(h264, aac,
			strings.Fields("-b:v 8M -minrate 8M -maxrate 8M -bufsize 800k -x264-params nal-hrd=cbr")),
	} {
		args = append(append(args, options...), mediaPath(name))
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("generate media: %w\n%s", err, out)
	}
	return generateEnhanced(path, dir)
}

// generateEnhanced makes the files for Enhanced RTMP. Their sound begins after the
// picture: who waited is only sure to get everything from the first keyframe on.
func generateEnhanced(ffmpeg, dir string) error {
	args := strings.Fields("-nostdin -v error" +
		" -f lavfi -i testsrc2=size=320x180:rate=25:duration=4" +
		" -f lavfi -i testsrc=size=160x90:rate=25:duration=4" +
		" -itsoffset 0.1 -f lavfi -i sine=frequency=440:sample_rate=48000:duration=4" +
		" -itsoffset 0.1 -f lavfi -i sine=frequency=880:sample_rate=48000:duration=4")
	const (
		one  = "-map 0 -map 2 "
		all  = "-map 0 -map 1 -map 2 -map 3 "
		hevc = "-c:v libx265 -preset ultrafast -x265-params log-level=error:keyint=25:min-keyint=25:bframes=2 "
		avc  = "-c:v libx264 -preset ultrafast -g 25 -bf 2 -pix_fmt yuv420p "
	)
	for name, options := range map[string]string{
		fileHEVC:    one + hevc + "-c:a aac",
		fileHEVCAC3: one + hevc + "-c:a ac3",
		fileAV1:     one + "-c:v libsvtav1 -preset 12 -g 25 -c:a libopus",
		fileVP9:     one + "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -g 25 -c:a libopus",
		fileFLAC:    one + avc + "-c:a flac -strict -2",
		fileAAC51:   one + avc + "-c:a aac -ac 6",
		fileTracks:  all + avc + "-c:a aac",
		fileTracksH: all + hevc + "-c:a aac",
	} {
		args = append(append(args, strings.Fields(options)...), filepath.Join(dir, name+".mp4"))
	}
	if out, err := exec.Command(ffmpeg, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("generate media for Enhanced RTMP: %w\n%s", err, out)
	}
	return nil
}

func mediaPath(name string) string { return filepath.Join(mediaDir, name+".flv") }

func enhancedPath(name string) string { return filepath.Join(mediaDir, name+".mp4") }

// readTags returns the tags of an FLV file, which must be whole.
func readTags(t *testing.T, file string) []media.Tag {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var tags []media.Tag
	for tag, err := range media.ReadFLV(f, media.MaxTagSize) {
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		tags = append(tags, tag)
	}
	return tags
}

// packet is a demuxed packet of a file, as FFmpeg describes it.
type packet struct {
	dts, pts int64 // ms
	size     string
	hash     string
}

// packetsOf lists the packets of a file by track: "video" and "audio".
func packetsOf(t *testing.T, file string) map[string][]packet {
	t.Helper()
	return listPackets(t, file, "-c", "copy", "-copyts")
}

// picturesOf lists the decoded pictures of a file, none repeated or left out to
// keep a rate.
func picturesOf(t *testing.T, file string) []packet {
	t.Helper()
	return listPackets(t, file, "-map", "0:v", "-copyts", "-fps_mode", "passthrough")["video"]
}

// listPackets lists what FFmpeg makes of a file with the given options.
func listPackets(t *testing.T, file string, options ...string) map[string][]packet {
	t.Helper()
	list := filepath.Join(t.TempDir(), "packets")
	args := slices.Concat([]string{"-i", file}, options, []string{"-f", "framemd5", list})
	stage.Ffmpeg(t, args...).Succeed(2 * stage.Soon)
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]string)
	packets := make(map[string][]packet)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if declared, ok := strings.CutPrefix(line, "#media_type "); ok {
			index, kind, _ := strings.Cut(declared, ": ")
			kinds[index] = kind
			continue
		}
		// stream, dts, pts, duration, size, hash
		fields := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' })
		if strings.HasPrefix(line, "#") || len(fields) != 6 {
			continue
		}
		dts, err1 := strconv.ParseInt(fields[1], 10, 64)
		pts, err2 := strconv.ParseInt(fields[2], 10, 64)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		kind := kinds[fields[0]]
		packets[kind] = append(packets[kind], packet{dts, pts, fields[4], fields[5]})
	}
	return packets
}

// skipped is how many packets of a kind are missing at either end.
type skipped struct{ start, end int }

// comparePackets wants what was got to be one run of what was sent, for each
// track, with all timestamps shifted by the same amount, if at all. It returns
// what was left out before and behind.
func comparePackets(sent, got map[string][]packet) (map[string]skipped, error) {
	missing := make(map[string]skipped)
	var shift *int64
	for track, all := range sent {
		run := got[track]
		start := startOf(all, run)
		if start < 0 {
			return nil, fmt.Errorf("the %d %s packets are no run of the %d that were sent: %s",
				len(run), track, len(all), firstDifference(all, run))
		}
		missing[track] = skipped{start, len(all) - start - len(run)}
		if len(run) == 0 {
			continue
		}
		by := run[0].dts - all[start].dts
		if shift != nil && *shift != by {
			return nil, fmt.Errorf("%s is shifted by %d ms, another track by %d ms", track, by, *shift)
		}
		shift = &by
	}
	for track, run := range got {
		if len(sent[track]) == 0 && len(run) > 0 {
			return nil, fmt.Errorf("%d packets came of %s, which was never sent", len(run), track)
		}
	}
	return missing, nil
}

// startOf returns where the run begins, or -1.
func startOf(sent, got []packet) int {
	for start := 0; start+len(got) <= len(sent); start++ {
		if differs(sent[start:], got) < 0 {
			return start
		}
	}
	return -1
}

// differs returns the first place where got is not what sent begins with, but
// for a constant shift in time, or -1.
func differs(sent, got []packet) int {
	for i := range min(len(got), len(sent)) {
		want := sent[i]
		shift := got[0].dts - sent[0].dts
		want.dts += shift
		want.pts += shift
		if got[i] != want {
			return i
		}
	}
	if len(got) > len(sent) {
		return len(sent)
	}
	return -1
}

// firstDifference describes where a run breaks that begins with got's first
// packet.
func firstDifference(sent, got []packet) string {
	start := slices.IndexFunc(sent, func(p packet) bool { return p.hash == got[0].hash })
	if start < 0 {
		return fmt.Sprintf("the first one, %v, was never sent", got[0])
	}
	at := differs(sent[start:], got)
	if start+at >= len(sent) {
		return "more came than was sent"
	}
	return fmt.Sprintf("number %d is %v, sent was %v", at, got[at], sent[start+at])
}

// checkStart wants the first video frame of a file, if any, to be a keyframe. It returns
// what lies before that frame: sound that was sent before the picture, for a
// player that was there when the publisher began.
func checkStart(t *testing.T, file string) (before []rtmp.Message) {
	t.Helper()
	list := framesOf(t, file)
	first := slices.IndexFunc(list, func(m rtmp.Message) bool { return m.Type == rtmp.TypeVideo })
	if first < 0 {
		return nil // audio only
	}
	if what := stage.Describe(list[first]); what != stage.Keyframe {
		t.Errorf("%s begins with a %s", file, what)
	}
	return list[:first]
}

// checkDecodes wants FFmpeg to decode a file without a complaint.
func checkDecodes(t *testing.T, file string) {
	t.Helper()
	// Not to the null format, which complains of equal timestamps: GStreamer sends
	// some when it is late.
	stage.Ffmpeg(t, "-xerror", "-i", file, "-fps_mode", "passthrough", "-enc_time_base", "1/1000",
		"-f", "framecrc", "-y", os.DevNull).Succeed(2 * stage.Soon)
}
