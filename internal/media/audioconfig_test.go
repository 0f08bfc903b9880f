package media

import (
	"errors"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const (
	opusHead   = "4F70757348656164 01 02 3801 80BB0000 0000 00"
	streamInfo = "1200 1200 0004B2 0004B2 0AC440F0 0000113A 970A8602EACA9FDDE598307EA787674B"
)

var audioConfigCases = []struct {
	name    string
	payload string
	want    AudioConfig
	ok      bool
}{
	{"AAC-LC 44.1 kHz stereo", "AF 00 1210", AudioConfig{AAC, "LC", 44100, 2}, true},
	{"AAC-LC 48 kHz stereo", "AF 00 1190", AudioConfig{AAC, "LC", 48000, 2}, true},
	{"AAC-LC 48 kHz 5.1", "AF 00 11B0", AudioConfig{AAC, "LC", 48000, 6}, true},
	{"AAC in the enhanced layout", "90 6D703461 1190", AudioConfig{AAC, "LC", 48000, 2}, true},
	{"AAC of track 1", "95 00 6D703461 01 1208", AudioConfig{AAC, "LC", 44100, 1}, true},
	{"AAC 7.1", "AF 00 11B8", AudioConfig{AAC, "LC", 48000, 8}, true},
	{"AAC with program config element", "AF 00 1180", AudioConfig{AAC, "LC", 48000, 0}, true},
	{"HE-AAC", "AF 00 2B920800", AudioConfig{AAC, "HE-AAC", 44100, 2}, true},
	{"HE-AACv2", "AF 00 EB8A0800", AudioConfig{AAC, "HE-AACv2", 44100, 2}, true},
	{"AAC-LC of FFmpeg, which says that there is no extension", "AF 00 119056E500", AudioConfig{AAC, "LC", 48000, 2}, true},
	{"HE-AAC signalled behind", "AF 00 139056E5A0", AudioConfig{AAC, "HE-AAC", 44100, 2}, true},
	{"HE-AACv2 signalled behind", "AF 00 138856E5A54880", AudioConfig{AAC, "HE-AACv2", 44100, 2}, true},
	{"HE-AAC signalled behind, reserved rate", "AF 00 139056E5E8", AudioConfig{AAC, "LC", 22050, 2}, true},
	{"AAC-LC with core coder", "AF 00 12120000", AudioConfig{AAC, "LC", 44100, 2}, true},
	{"explicit sample rate", "AF 00 1780800010", AudioConfig{AAC, "LC", 65536, 2}, true},
	{"escaped object type", "AF 00 F9464000", AudioConfig{AAC, "xHE-AAC", 48000, 2}, true},
	{"other object type", "AF 00 B990", AudioConfig{AAC, "object type 23", 48000, 2}, true},
	{"other object type is not followed by an extension", "AF 00 B99056E5A0", AudioConfig{AAC, "object type 23", 48000, 2}, true},
	{"reserved sample rate", "AF 00 1690", AudioConfig{Codec: AAC}, false},
	{"cut extension rate", "AF 00 2B92", AudioConfig{Codec: AAC}, false},
	{"Opus", "90 4F707573" + opusHead, AudioConfig{Opus, "", 48000, 2}, true},
	{"Opus without header", "90 4F707573", AudioConfig{Codec: Opus}, true},
	{"Opus cut", "90 4F707573 4F70757348656164 01 02", AudioConfig{Codec: Opus}, false},
	{"Opus version 16", "90 4F707573 4F70757348656164 10 02 3801 80BB0000 0000 00", AudioConfig{Codec: Opus}, false},
	{"Opus without channels", "90 4F707573 4F70757348656164 01 00 3801 80BB0000 0000 00", AudioConfig{Codec: Opus}, false},
	{"Opus comment header", "90 4F707573 4F70757354616773" + strings.Repeat("01", 11), AudioConfig{Codec: Opus}, false},
	{"FLAC stream info alone", "90 664C6143" + streamInfo, AudioConfig{FLAC, "", 44100, 1}, true},
	{"FLAC with signature", "90 664C6143 664C6143 80000022" + streamInfo, AudioConfig{FLAC, "", 44100, 1}, true},
	{"FLAC cut signature", "90 664C6143 664C6143 8000", AudioConfig{Codec: FLAC}, false},
	{"FLAC cut", "90 664C6143 1200", AudioConfig{Codec: FLAC}, false},
	{"AC-3", "90 61632D33", AudioConfig{Codec: AC3}, true},
	{"MP3 with something", "90 2E6D7033 00", AudioConfig{Codec: MP3}, true},
	{"frame", "AF 01 21", AudioConfig{Codec: AAC}, false},
	{"silence", "", AudioConfig{}, false},
}

func TestAudioConfigIsReadFromSequenceHeaders(t *testing.T) {
	for _, c := range audioConfigCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseAudioConfig(exact(unhex(c.payload)))
			if got != c.want || (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestAudioConfigTruncatedAnywhereIsHarmless(t *testing.T) {
	conformance.Covers(t, 163)
	for _, c := range audioConfigCases {
		whole := unhex(c.payload)
		for length := range whole {
			checkAudioConfig(t, exact(whole[:length]))
		}
	}
}

func checkAudioConfig(t *testing.T, payload []byte) {
	t.Helper()
	c, err := ParseAudioConfig(payload)
	if c.Channels < 0 || c.Channels > 255 || c.SampleRate < 0 || c.SampleRate >= 1<<24 || c.Codec != InspectAudio(payload).Codec {
		t.Errorf("% X: %+v", payload, c)
	}
	if err != nil && (!errors.Is(err, ErrMalformed) || c.SampleRate != 0) {
		t.Errorf("% X: %+v and %v", payload, c, err)
	}
}

func FuzzAudioConfig(f *testing.F) {
	for _, c := range audioConfigCases {
		f.Add(unhex(c.payload))
	}
	f.Fuzz(checkAudioConfig)
}
