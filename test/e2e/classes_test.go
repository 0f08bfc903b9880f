package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// oldFFmpeg plays with Debian's FFmpeg 5.1, which is older than Enhanced RTMP and,
// like every FFmpeg, announces nothing.
func oldFFmpeg(t *testing.T, url string) playing {
	t.Helper()
	file := filepath.Join(t.TempDir(), "got.flv")
	return playing{stage.Ffmpeg(t, "-i", url, "-c", "copy", "-copyts", "-f", "flv", file), url, file, 0}
}

// A viewer of every class watches one stream: two tracks of HEVC, and two of AAC.
// Each gets the tracks that it can take, packet for packet, whatever the others get.
func TestViewersOfEveryClassBesideEachOther(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		policy    string
		announced []string // tracks of a modern player that announces nothing
	}{
		{"permissive", firstTracks},
		{"strict", firstSound},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			t.Parallel()
			conformance.Covers(t, 180, 181, 192, 214)
			s := stage.Start(t, "PLAY_ENHANCED="+tt.policy, "MAX_IP_CONCURRENT_CONNECTIONS=0")
			const path = "channel/key"
			old := oldFFmpeg(t, s.URL(path))
			oldAsks := oldFFmpeg(t, s.URL(path+"?enhanced=no"))
			modern := startFFmpeg8(t, "play", s.URL(path))
			modernAsks := startFFmpeg8(t, "play", s.URL(path+"?tracks=all"))
			otherCodec := stage.Play(t, s, path, announcing("av01")).Record()
			capable := stage.Play(t, s, path, announcing("hvc1", "mp4a"), amf.Property{Name: "capsEx", Value: 2.0}).Record()
			s.AwaitLines(6, 2*stage.Soon, "msg=play")

			publisher := startFFmpeg8(t, "publish", enhancedPath(fileTracksH), s.URL(path))
			stage.AwaitTime(t, capable, 1200)
			oldLate := oldFFmpeg(t, s.URL(path+"?enhanced=no"))
			sent := publisher.streams(t, mediaLength+stage.Soon)

			checkOldFFmpeg(t, tt.policy, old, sent)
			if missed := checkSound(t, oldAsks, sent); missed != 0 {
				t.Errorf("FFmpeg 5.1 with ?enhanced=no missed the first %d packets", missed)
			}
			if missed := checkSound(t, oldLate, sent); missed == 0 {
				t.Error("FFmpeg 5.1, late, got old sound")
			}
			checkPlayedFromTheStart(t, "FFmpeg 8.1", sent.only(tt.announced...), modern.streams(t, stage.Soon))
			checkPlayedFromTheStart(t, "FFmpeg 8.1 with ?tracks=all", sent.only(allTracks...), modernAsks.streams(t, stage.Soon))
			checkPlayedFromTheStart(t, "who announced av01", sent.only(firstSound...), demuxed(t, otherCodec))
			checkPlayedFromTheStart(t, "who announced Multitrack", sent.only(allTracks...), demuxed(t, capable))
		})
	}
}

// checkOldFFmpeg wants FFmpeg 5.1 to have played the sound if the policy keeps from
// it what it does not know. If not, it takes HEVC for VP6, and gives up.
func checkOldFFmpeg(t *testing.T, policy string, p playing, sent streams) {
	t.Helper()
	if policy == "permissive" {
		p.Refuse(stage.Soon)
		return
	}
	if missed := checkSound(t, p, sent); missed != 0 {
		t.Errorf("FFmpeg 5.1 missed the first %d packets", missed)
	}
}

// checkSound wants a player to have stored the first track of sound alone, which
// decodes. It returns how many packets are missing at the start.
func checkSound(t *testing.T, p playing, sent streams) int {
	t.Helper()
	return checkStored(t, p, map[string][]packet{"audio": sent.packets["audio 0"]})["audio"].start
}

// announcing is what a client says in connect that takes some codecs by FourCC.
func announcing(fourCCs ...string) amf.Property {
	var list amf.StrictArray
	for _, fourCC := range fourCCs {
		list = append(list, fourCC)
	}
	return amf.Property{Name: "fourCcList", Value: list}
}

// demuxed returns what FFmpeg 8.1 makes of the messages that a client got up to
// the end of the stream.
func demuxed(t *testing.T, messages *stage.Journal[rtmp.Message]) streams {
	t.Helper()
	got := stage.AwaitEvent(t, messages, 1, stage.StreamEOF)
	has := func(kind rtmp.MessageType) bool {
		return slices.ContainsFunc(got, func(m rtmp.Message) bool { return m.Type == kind })
	}
	flv := media.AppendFLVHeader(nil, has(rtmp.TypeAudio), has(rtmp.TypeVideo))
	for _, m := range got {
		if m.Type == rtmp.TypeAudio || m.Type == rtmp.TypeVideo || m.Type == rtmp.TypeData {
			flv = media.AppendTag(flv, media.TagType(m.Type), m.Timestamp, m.Payload)
		}
	}
	file := filepath.Join(t.TempDir(), "got.flv")
	if err := os.WriteFile(file, flv, 0o600); err != nil {
		t.Fatal(err)
	}
	return startFFmpeg8(t, "play", file).streams(t, 2*stage.Soon)
}

// A player that can play nothing of a stream is told so, and ends with an error,
// whether it waited for the stream or came late.
func TestAnOldPlayerIsRefusedAStreamOfNewCodecs(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ policy, query string }{
		{"strict", ""},
		{"permissive", "?enhanced=no"},
	} {
		t.Run(tt.policy+tt.query, func(t *testing.T) {
			t.Parallel()
			conformance.Covers(t, 192, 214)
			s := stage.Start(t, "PLAY_ENHANCED="+tt.policy, "MAX_IP_CONCURRENT_CONNECTIONS=0")
			const path = "channel/key"
			waiting := oldFFmpeg(t, s.URL(path+tt.query))
			told := stage.Play(t, s, path+tt.query).Record()
			modern := startFFmpeg8(t, "play", s.URL(path+"?enhanced=yes"))
			s.AwaitLines(3, 2*stage.Soon, "msg=play")
			publisher := startFFmpeg8(t, "publish", enhancedPath(fileAV1), s.URL(path))

			checkNoTrack(t, waiting)
			stage.AwaitEvent(t, told, 1, rtmp.CodePlayNoTrack)
			if !told.AwaitEnd(time.Second) {
				t.Error("who was told is still connected")
			}
			checkNoTrack(t, oldFFmpeg(t, s.URL(path+tt.query)))
			const players = 3
			s.AwaitLines(players, stage.Soon, "msg=end", "role=player", `reason="no track that the player can take"`)
			sent := publisher.streams(t, mediaLength+stage.Soon)
			checkPlayedFromTheStart(t, "FFmpeg 8.1", sent, modern.streams(t, stage.Soon))
		})
	}
}

// checkNoTrack wants FFmpeg to end with an error, and to say what it was told.
func checkNoTrack(t *testing.T, p playing) {
	t.Helper()
	p.Refuse(stage.Soon)
	if said := p.Output.String(); !strings.Contains(said, "Server error: Nothing in this stream") {
		t.Errorf("FFmpeg says %q", said)
	}
}
