package media

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const (
	manyTracksFrames  = "A6 11 61766331 00 00000A 000000 00000003 419A24 01 00000B 000028 00000004 419A2411"
	manyCodecsFrames  = "A6 23 61766331 00 000007 00000003 419A24 68766331 01 000007 00000003 0201D0"
	manyTracksHeaders = "96 10 61766331 01 000018" + avcC720 + "00 000018" + avcC720
)

type splitCase struct {
	name    string
	kind    Kind
	payload string
	want    []TrackPacket
}

var splitCases = []splitCase{
	{"legacy AVC", Video, "17 01 000000 00", []TrackPacket{{0, H264, unhex("17 01 000000 00")}}},
	{"silence", Audio, "", []TrackPacket{{0, 0, []byte{}}}},
	{"plain enhanced", Video, "93 68766331 00", []TrackPacket{{0, H265, unhex("93 68766331 00")}}},
	{"command behind ModEx", Video, "D7 02 07A120 01 01", []TrackPacket{{0, 0, unhex("D1 01")}}},
	{"OneTrack", Video, "96 03 61766331 02 00", []TrackPacket{{2, H264, unhex("96 03 61766331 02 00")}}},
	{"OneTrack of track 0", Video, "96 03 61766331 00 00", []TrackPacket{{0, H264, unhex("93 61766331 00")}}},
	{"OneTrack metadata keeps its frame type", Video, "86 04 68766331 00 02", []TrackPacket{{0, H265, unhex("84 68766331 02")}}},
	{"ManyTracks", Video, manyTracksFrames, []TrackPacket{
		{0, H264, unhex("A1 61766331 000000 00000003 419A24")},
		{1, H264, unhex("A6 01 61766331 01 000028 00000004 419A2411")},
	}},
	{"ManyTracks headers", Video, manyTracksHeaders, []TrackPacket{
		{1, H264, unhex("96 00 61766331 01" + avcC720)},
		{0, H264, unhex("90 61766331" + avcC720)},
	}},
	{"ManyTracksManyCodecs", Video, manyCodecsFrames, []TrackPacket{
		{0, H264, unhex("A3 61766331 00000003 419A24")},
		{1, H265, unhex("A6 03 68766331 01 00000003 0201D0")},
	}},
	{"empty tracks and ModEx", Audio, "97 02 07A120 05 12 4F707573 03 000000 00 000000", []TrackPacket{
		{3, Opus, unhex("95 02 4F707573 03")},
		{0, Opus, unhex("92 4F707573")},
	}},
	{"unknown FourCC", Audio, "95 21 7A7A7A7A 01 000001 00", []TrackPacket{{1, 0x7A7A7A7A, unhex("95 01 7A7A7A7A 01 00")}}},
	{"32 tracks", Audio, "95 11 4F707573" + emptyTracks(32), opusTracks(32)},
	{"33 tracks", Audio, "95 11 4F707573" + emptyTracks(33), nil},
	{"track id twice", Video, "A6 13 61766331 01 000000 01 000000", nil},
	{"size beyond the end", Video, "A6 13 61766331 01 000001 00 02 000002 00", nil},
	{"cut size", Video, "A6 13 61766331 01 000001 00 02 0000", nil},
	{"cut FourCC of the second track", Video, "A6 23 61766331 01 000001 00 6176", nil},
	{"no tracks", Video, "A6 13 61766331", nil},
	{"reserved layout", Video, "96 30 61766331 00 00", nil},
	{"Multitrack inside Multitrack", Video, "96 16 61766331 00 000000", nil},
	{"ModEx beyond the end", Video, "97 05 00", nil},
}

func emptyTracks(n int) string {
	var s strings.Builder
	for id := range n {
		fmt.Fprintf(&s, "%02X 000000 ", id)
	}
	return s.String()
}

func opusTracks(n int) []TrackPacket {
	parts := []TrackPacket{{0, Opus, unhex("91 4F707573")}}
	for id := 1; id < n; id++ {
		parts = append(parts, TrackPacket{uint8(id), Opus, append(unhex("95 01 4F707573"), byte(id))})
	}
	return parts
}

func TestSplitGivesOneMessageForEachTrack(t *testing.T) {
	conformance.Covers(t, 175, 176, 177)
	for _, c := range splitCases {
		t.Run(c.name, func(t *testing.T) {
			payload := exact(unhex(c.payload))
			got, err := Split(c.kind, payload)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %X\nwant %X", got, c.want)
			}
			if (err != nil) != (c.want == nil) || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("error: %v", err)
			}
			checkRewrites(t, c.kind, payload)
			for length := range payload {
				checkRewrites(t, c.kind, exact(payload[:length]))
			}
		})
	}
}

func TestRewrites(t *testing.T) {
	strip, unwrap := StripModEx, Unwrap
	for _, c := range []struct {
		name          string
		rewrite       func(Kind, []byte) []byte
		kind          Kind
		payload, want string
	}{
		{"nanoseconds are stripped", strip, Video, "97 02 07A120 01 68766331 000028 00000003 2601AF", "91 68766331 000028 00000003 2601AF"},
		{"two blocks are stripped", strip, Video, "97 02 07A120 07 00 AA F1 68766331 000028 00000003 2601AF", "91 68766331 000028 00000003 2601AF"},
		{"Multitrack stays when stripped", strip, Video, "A7 02 07A120 06 01 61766331 01 000028 00", "A6 01 61766331 01 000028 00"},
		{"command is stripped", strip, Video, "D7 02 07A120 01 01", "D1 01"},
		{"unknown packet type is stripped", strip, Video, "97 00 AA 09 FF", "99 FF"},
		{"audio is stripped", strip, Audio, "97 02 07A120 01 4F707573 FCFFFE", "91 4F707573 FCFFFE"},
		{"AAC is not taken for ModEx", strip, Audio, "A7 01 2110 0000", "A7 01 2110 0000"},
		{"message without ModEx stays", strip, Video, "91 68766331 00", "91 68766331 00"},
		{"damaged ModEx stays", strip, Video, "97 09 07", "97 09 07"},
		{"legacy video stays", strip, Video, "17 01 000000 00", "17 01 000000 00"},

		{"OneTrack of track 0 is unwrapped", unwrap, Video, "96 01 61766331 00 000028 00", "91 61766331 000028 00"},
		{"audio OneTrack of track 0 is unwrapped", unwrap, Audio, "95 00 6D703461 00 1190", "90 6D703461 1190"},
		{"ModEx stays when unwrapped", unwrap, Video, "A7 02 07A120 06 01 61766331 00 000028 00", "A7 02 07A120 01 61766331 000028 00"},
		{"metadata keeps its frame type", unwrap, Video, "86 04 68766331 00 02", "84 68766331 02"},
		{"other tracks stay", unwrap, Video, "96 01 61766331 01 000028 00", "96 01 61766331 01 000028 00"},
		{"several tracks stay", unwrap, Video, manyTracksFrames, manyTracksFrames},
		{"plain stays", unwrap, Video, "91 61766331 000028 00", "91 61766331 000028 00"},
		{"command stays", unwrap, Video, "D6 00", "D6 00"},
		{"nested Multitrack stays", unwrap, Video, "96 06 61766331 00 00", "96 06 61766331 00 00"},
		{"cut track stays", unwrap, Video, "96 01 61766331", "96 01 61766331"},
		{"legacy audio stays", unwrap, Audio, "AF 01 21", "AF 01 21"},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload := exact(unhex(c.payload))
			got := c.rewrite(c.kind, payload)
			if !bytes.Equal(got, unhex(c.want)) {
				t.Errorf("got % X, want %s", got, c.want)
			}
			if !bytes.Equal(payload, unhex(c.payload)) {
				t.Errorf("payload changed to % X", payload)
			}
			if c.payload == c.want && &got[0] != &payload[0] {
				t.Error("an unchanged message was copied")
			}
		})
	}
}

func TestMetadataIsRelayedWithFrameType5(t *testing.T) {
	conformance.Covers(t, 169)
	const kept = ""
	for _, c := range []struct{ name, payload, want string }{
		{"of OBS", "84 68766331 020009", "D4 68766331 020009"},
		{"of a keyframe", "94 68766331 020009", "D4 68766331 020009"},
		{"of an inter frame", "A4 61763031 020009", "D4 61763031 020009"},
		{"behind ModEx", "97 02 07A120 04 68766331 020009", "D7 02 07A120 04 68766331 020009"},
		{"behind two ModEx blocks", "87 00 AA 07 00 AA 04 68766331 020009", "D7 00 AA 07 00 AA 04 68766331 020009"},
		{"of FFmpeg", "D4 68766331 020009", kept},
		{"of a track", "86 04 68766331 01 020009", kept},
		{"of track 0", "86 04 68766331 00 020009", kept},
		{"of several tracks", "86 14 68766331 00 000001 02 01 000001 02", kept},
		{"of a track behind ModEx", "87 00 AA 06 04 68766331 01 020009", kept},
		{"cut short", "84 687663", kept},
		{"empty", "", kept},
		{"a frame", "91 68766331 000028 00", kept},
		{"a command", "D1 00", kept},
		{"legacy VP6", "14 00", kept},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload := exact(unhex(c.payload))
			got := RelayMetadata(payload)
			if c.want == kept {
				if !same(got, payload) {
					t.Errorf("got % X", got)
				}
				return
			}
			if !bytes.Equal(got, unhex(c.want)) || !bytes.Equal(payload, unhex(c.payload)) {
				t.Errorf("got % X from % X", got, payload)
			}
			if p := InspectVideo(got); p.Type != Metadata || p.Keyframe {
				t.Errorf("became %+v", p)
			}
		})
	}
}

func FuzzSplit(f *testing.F) {
	for _, c := range splitCases {
		f.Add(c.kind == Video, unhex(c.payload))
	}
	f.Fuzz(func(t *testing.T, video bool, payload []byte) {
		kind := Audio
		if video {
			kind = Video
		}
		checkRewrites(t, kind, payload)
	})
}
