package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// track is what FFmpeg 8.1 knows of a track before its first packet.
type track struct {
	Codec         string
	Width, Height int
	Rate          int // of samples, Hz
	Channels      int
	Header        string // hash of what decoders need
}

// streams are what FFmpeg 8.1 published or played, by track: "video 0",
// "audio 1".
type streams struct {
	tracks  map[string]track
	packets map[string][]packet
	keys    map[string][]bool // which packets are keyframes
}

// ffmpeg8 is FFmpeg 8.1 publishing or playing, and what it printed.
type ffmpeg8 struct {
	*stage.Program
	output *bytes.Buffer // to be read when it has ended
}

func startFFmpeg8(t *testing.T, args ...string) ffmpeg8 {
	t.Helper()
	script := filepath.Join("..", "ffmpeg8", "ffmpeg8.mjs")
	output := new(bytes.Buffer)
	return ffmpeg8{stage.Launch(t, output, "node", append([]string{script}, args...)...), output}
}

// streams returns what a program that ended without a complaint printed.
func (f ffmpeg8) streams(t *testing.T, within time.Duration) streams {
	t.Helper()
	f.Succeed(within)
	s, err := parseStreams(f.output.Bytes())
	if err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	return s
}

// only returns some of the tracks.
func (s streams) only(names ...string) streams {
	some := streams{make(map[string]track), make(map[string][]packet), make(map[string][]bool)}
	for _, name := range names {
		some.tracks[name], some.packets[name], some.keys[name] = s.tracks[name], s.packets[name], s.keys[name]
	}
	return some
}

// parseStreams reads the lines that test/ffmpeg8/ffmpeg8.mjs prints.
func parseStreams(text []byte) (streams, error) {
	s := streams{make(map[string]track), make(map[string][]packet), make(map[string][]bool)}
	names := make(map[int]string)
	for line := range bytes.Lines(text) {
		var entry struct {
			Stream   int
			Track    string // in the line of a track alone
			DTS, PTS int64
			Size     json.Number
			Hash     string
			Key      bool
			track
		}
		if err := json.Unmarshal(line, &entry); err != nil {
			return s, fmt.Errorf("%q: %w", line, err)
		}
		if entry.Track != "" {
			names[entry.Stream] = entry.Track
			s.tracks[entry.Track] = entry.track
			continue
		}
		name := names[entry.Stream]
		s.packets[name] = append(s.packets[name], packet{entry.DTS, entry.PTS, entry.Size.String(), entry.Hash})
		s.keys[name] = append(s.keys[name], entry.Key)
	}
	return s, nil
}

// checkPlayed wants a player to have got every track as it was published, up to
// its end, and nothing else. It returns how many packets of each it missed at
// the start.
func checkPlayed(t *testing.T, who string, sent, got streams) map[string]int {
	t.Helper()
	missing, err := comparePackets(sent.packets, got.packets)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return nil
	}
	starts := make(map[string]int)
	for name, m := range missing {
		starts[name] = m.start
		if m.end != 0 {
			t.Errorf("%s missed the last %d packets of %s", who, m.end, name)
		}
		want := sent.tracks[name]
		if want.Codec == "vp9" {
			want.Header = got.tracks[name].Header // MP4 has it elsewhere
		}
		if got.tracks[name] != want {
			t.Errorf("%s takes %s for %+v, it is %+v", who, name, got.tracks[name], want)
		}
	}
	return starts
}

// checkPlayedFromTheStart is checkPlayed for a player that was there before.
func checkPlayedFromTheStart(t *testing.T, who string, sent, got streams) {
	t.Helper()
	for name, missed := range checkPlayed(t, who, sent, got) {
		if missed != 0 {
			t.Errorf("%s missed the first %d packets of %s", who, missed, name)
		}
	}
}

// What FFmpeg 8.1 publishes in the codecs of Enhanced RTMP, and in several
// tracks, FFmpeg 8.1 plays packet for packet.
func TestFFmpeg8PlaysWhatFFmpeg8Publishes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file   string
		codecs []string // of the tracks, video first
		covers []int
	}{
		{file: fileHEVC, codecs: []string{"hevc", "aac"}},
		{file: fileHEVCAC3, codecs: []string{"hevc", "ac3"}, covers: []int{186}},
		{file: fileAV1, codecs: []string{"av1", "opus"}, covers: []int{182, 183}},
		{file: fileVP9, codecs: []string{"vp9", "opus"}, covers: []int{182, 183}},
		{file: fileFLAC, codecs: []string{"h264", "flac"}},
		{file: fileAAC51, codecs: []string{"h264", "aac"}},
		{file: fileTracks, codecs: []string{"h264", "h264", "aac", "aac"}},
	} {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			conformance.Covers(t, 214)
			conformance.Covers(t, tt.covers...)
			s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
			const path = "channel/key"
			all := s.URL(path + "?tracks=all")
			watcher := stage.Play(t, s, path).Record()
			waiting := startFFmpeg8(t, "play", all)
			s.AwaitLines(2, 2*stage.Soon, "msg=play")
			publisher := startFFmpeg8(t, "publish", enhancedPath(tt.file), s.URL(path))
			stage.AwaitTime(t, watcher, 1200)
			late := startFFmpeg8(t, "play", all)

			sent := publisher.streams(t, mediaLength+stage.Soon)
			checkCodecs(t, sent, tt.codecs)
			checkPlayedFromTheStart(t, "who waited", sent, waiting.streams(t, stage.Soon))
			for name, missed := range checkPlayed(t, "who came late", sent, late.streams(t, stage.Soon)) {
				if missed == 0 || !sent.keys[name][missed] {
					t.Errorf("who came late starts with packet %d of %s, which is a keyframe: %v",
						missed, name, sent.keys[name][missed])
				}
			}
		})
	}
}

// checkCodecs wants the tracks of a publication to be what the test is about.
func checkCodecs(t *testing.T, sent streams, want []string) {
	t.Helper()
	var got []string
	for _, kind := range []string{"video", "audio"} {
		for n := 0; sent.tracks[fmt.Sprint(kind, " ", n)].Codec != ""; n++ {
			got = append(got, sent.tracks[fmt.Sprint(kind, " ", n)].Codec)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("published %q, want %q", got, want)
	}
}
