package stream

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// Messages as they are on the wire: the message type, and the payload.
const (
	avcHeader   = "9 17 00 00 00 00 01 42 C0 1F FF E1"
	avcHeader2  = "9 17 00 00 00 00 01 64 00 28 FF E1"
	avcKey      = "9 17 01 00 00 00 00 00 00 03 65 88 84"
	avcInter    = "9 27 01 00 00 00 00 00 00 03 41 9A 24"
	avcEnd      = "9 17 02 00 00 00"
	avc1Header  = "9 96 00 61 76 63 31 01 01 42 C0 1F FF E1 00 09 67 42 C0 1F DA 01 40 16 E4 01 00 04 68 CE 3C 80"
	avc1Key     = "9 96 01 61 76 63 31 01 00 00 28 00 00 00 03 65 88 84"
	avc1Inter   = "9 A6 01 61 76 63 31 01 00 00 28 00 00 00 03 41 9A 24"
	avc1End     = "9 A6 02 61 76 63 31 01"
	seekMarker  = "9 57 00"
	aacHeader   = "8 AF 00 11 90"
	aacFrame    = "8 AF 01 21 10 04 60"
	aac1Header  = "8 95 00 6D 70 34 61 01 11 90"
	aac1Frame   = "8 95 01 6D 70 34 61 01 21 10 04 60"
	surround    = "8 94 6D 70 34 61 01 06 00 00 00 3F"
	hevcHeader  = "9 90 68 76 63 31 01 01 60 00"
	hevcKey     = "9 93 68 76 63 31 00 00 00 03 26 01 AF"
	hevcKeyTime = "9 91 68 76 63 31 00 00 28 00 00 00 03 26 01 AF"
	hevcInter   = "9 A3 68 76 63 31 00 00 00 03 02 01 D0"
	colors      = "68 76 63 31 02 00 09 63 6F 6C 6F 72 49 6E 66 6F 03 00 06 68 64 72 43 6C 6C 03 00 00 09 00 00 09"
	manyKey     = "9 96 11 61 76 63 31 00 00 00 0A 00 00 00 00 00 00 03 41 9A 24 01 00 00 0B 00 00 28 00 00 00 04 41 9A 24 11"
	manyInter   = "9 A6 11 61 76 63 31 00 00 00 0A 00 00 00 00 00 00 03 41 9A 24 01 00 00 0B 00 00 28 00 00 00 04 41 9A 24 11"
	metaData    = "18 02 00 0A 6F 6E 4D 65 74 61 44 61 74 61 08 00 00 00 00 00 00 09"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

func appendVectors(l *Log, vectors []string) {
	for _, v := range vectors {
		var m rtmp.Message
		kind, payload, _ := strings.Cut(v, " ")
		if _, err := fmt.Sscan(kind, &m.Type); err != nil {
			panic(err)
		}
		m.Payload = unhex(payload)
		l.Append(m, 0)
	}
}

func sentVectors(c *Cursor) []string {
	var got []string
	for _, m := range sent(c) {
		got = append(got, fmt.Sprintf("%d % X", m.Type, m.Payload))
	}
	return got
}

// TestNewcomersAndThosePresentGetOf takes streams as encoders send them.
func TestNewcomersAndThosePresentGetOf(t *testing.T) {
	tests := []struct {
		name   string
		covers []int
		// The newcomer joins between before and after.
		before, after []string
		newcomer      []string
		// present is what a viewer gets that was there from the start; nil is
		// all of it.
		present []string
		viewers media.Capabilities
	}{
		{
			name: "metadata and headers before media", covers: []int{144, 145},
			before:   []string{metaData, aacHeader, avcHeader, avcKey, aacFrame, avcInter},
			after:    []string{avcInter},
			newcomer: []string{metaData, avcHeader, aacHeader, avcKey, aacFrame, avcInter, avcInter},
		},
		{
			name: "new header", covers: []int{146, 148},
			before:   []string{avcHeader, avcKey, avcInter, avcHeader2},
			after:    []string{avcInter, avcKey},
			newcomer: []string{avcHeader2, avcKey},
		},
		{
			name: "header with the type of an inter frame", covers: []int{147},
			before:   []string{"9 27 00 00 00 00 01 42 C0 1F FF E1", avcKey},
			newcomer: []string{"9 27 00 00 00 00 01 42 C0 1F FF E1", avcKey},
		},
		{
			name: "seek marker within a group", covers: []int{149},
			before:   []string{avcHeader, avcKey, seekMarker, avcInter},
			newcomer: []string{avcHeader, avcKey, seekMarker, avcInter},
		},
		{
			name: "seek marker without a group", covers: []int{149},
			before: []string{avcHeader, seekMarker}, after: []string{seekMarker},
			newcomer: []string{avcHeader, seekMarker},
		},
		{
			name: "audio only", covers: []int{151},
			before: []string{aacHeader, aacFrame}, after: []string{aacFrame},
			newcomer: []string{aacHeader, aacFrame},
		},
		{
			name: "video only", covers: []int{151},
			before: []string{avcHeader, avcKey}, after: []string{avcInter},
			newcomer: []string{avcHeader, avcKey, avcInter},
		},
		{
			name: "MP3, G.711 and Speex, which have no header", covers: []int{152},
			before: []string{"8 2F FF FB 90 64"}, after: []string{"8 2F FF FB 90 64", "8 72 D5 D5", "8 82 FF FF", "8 B6 1D DD"},
			newcomer: []string{"8 2F FF FB 90 64", "8 72 D5 D5", "8 82 FF FF", "8 B6 1D DD"},
		},
		{
			name: "sample access", covers: []int{160},
			before:   []string{"18 02 00 11 7C 52 74 6D 70 53 61 6D 70 6C 65 41 63 63 65 73 73 01 01 01 01"},
			after:    []string{"18 02 00 11 7C 52 74 6D 70 53 61 6D 70 6C 65 41 63 63 65 73 73 01 01 01 01", aacFrame},
			newcomer: []string{aacFrame}, present: []string{aacFrame},
		},
		{
			name: "end of sequence", covers: []int{162},
			before:   []string{avcHeader, avcKey, avcEnd, avcInter},
			after:    []string{avcEnd, avcInter},
			newcomer: []string{avcHeader, avcKey, avcEnd, avcInter, avcEnd, avcInter},
		},
		{
			name: "end of sequence, and on it goes", covers: []int{162},
			before: []string{avcHeader, avcEnd}, after: []string{avcKey},
			newcomer: []string{avcHeader, avcKey},
		},
		{
			name: "H.265 with composition times and without", covers: []int{171},
			before:   []string{hevcHeader, hevcKey, hevcInter, hevcKeyTime, hevcInter},
			newcomer: []string{hevcHeader, hevcKeyTime, hevcInter},
		},
		{
			name: "H.265 without composition times", covers: []int{171},
			before:   []string{hevcHeader, hevcKeyTime, hevcInter, hevcKey, hevcInter},
			newcomer: []string{hevcHeader, hevcKey, hevcInter},
		},
		{
			name: "legacy track 0 and another track, in turn", covers: []int{172, 173},
			before:   []string{avcHeader, avc1Header, avcHeader2, aac1Header, aacHeader, avcKey, avc1Key, avcInter, avc1Inter},
			newcomer: []string{avcHeader2, aacHeader, avc1Header, aac1Header, avcKey, avc1Key, avcInter, avc1Inter},
		},
		{
			name: "tracks of audio and of video", covers: []int{174},
			before:   []string{aac1Header, avc1Header},
			after:    []string{aac1Frame},
			newcomer: []string{avc1Header, aac1Header, aac1Frame},
		},
		{
			name: "the types of Multitrack the other way round", covers: []int{174},
			before: []string{"8 96 00 6D 70 34 61 01 11 90", "9 95 61 76 63 31 01 01"},
			// Reserved in audio, and the transport stream's header of track 0 in video.
			newcomer: []string{"9 95 61 76 63 31 01 01"},
		},
		{
			name: "several tracks in a frame", covers: []int{175},
			before:   []string{manyKey, manyInter},
			newcomer: []string{manyKey, manyInter},
			viewers:  multitrack,
		},
		{
			name: "several tracks in a frame, for players of one", covers: []int{175, 180},
			before: []string{manyKey}, after: []string{manyInter},
			newcomer: []string{"9 91 61 76 63 31 00 00 00 00 00 00 03 41 9A 24", "9 A1 61 76 63 31 00 00 00 00 00 00 03 41 9A 24"},
			present:  []string{"9 91 61 76 63 31 00 00 00 00 00 00 03 41 9A 24", "9 A1 61 76 63 31 00 00 00 00 00 00 03 41 9A 24"},
			viewers:  oneTrack,
		},
		{
			name: "header of several tracks whose size is too large", covers: []int{175},
			before: []string{"9 96 10 61 76 63 31 00 00 00 02 01 42 01 00 00 03 01 64"},
		},
		{
			name: "header of several tracks", covers: []int{175, 197},
			before:   []string{"9 96 10 61 76 63 31 00 00 00 02 01 42 01 00 00 02 01 64"},
			newcomer: []string{"9 90 61 76 63 31 01 42", "9 96 00 61 76 63 31 01 01 64"},
			present:  []string{"9 90 61 76 63 31 01 42", "9 96 00 61 76 63 31 01 01 64"},
		},
		{
			name: "ModEx, for players without", covers: []int{179},
			before:   []string{"9 97 02 07 A1 20 01 68 76 63 31 00 00 28 00 00 00 03 26 01 AF"},
			newcomer: []string{hevcKeyTime}, present: []string{hevcKeyTime},
			viewers: media.Capabilities{Restricted: true, Multitrack: true, Enhanced: media.AllCodecs},
		},
		{
			name: "ModEx, for players with", covers: []int{179},
			before:   []string{"9 97 02 07 A1 20 01 68 76 63 31 00 00 28 00 00 00 03 26 01 AF"},
			newcomer: []string{"9 97 02 07 A1 20 01 68 76 63 31 00 00 28 00 00 00 03 26 01 AF"},
			viewers:  multitrack,
		},
		{
			name: "two tracks, for players of one", covers: []int{180},
			before:   []string{avcHeader, avc1Header, aacHeader, aac1Header, avcKey, avc1Key},
			after:    []string{avcInter, avc1Inter, aac1Frame, aacFrame},
			newcomer: []string{avcHeader, aacHeader, avcKey, avcInter, aacFrame},
			present:  []string{avcHeader, aacHeader, avcKey, avcInter, aacFrame},
			viewers:  oneTrack,
		},
		{
			name: "track 0 with a Multitrack header, for players of one", covers: []int{180},
			before:   []string{"9 96 03 68 76 63 31 00 00 00 00 03 26 01 AF"},
			newcomer: []string{hevcKey}, present: []string{hevcKey},
			viewers: oneTrack,
		},
		{
			name: "two tracks, for players of all", covers: []int{181},
			before:   []string{avcHeader, avc1Header, aacHeader, aac1Header, avcKey, avc1Key},
			after:    []string{avcInter, avc1Inter, aac1Frame, aacFrame},
			newcomer: []string{avcHeader, aacHeader, avc1Header, aac1Header, avcKey, avc1Key, avcInter, avc1Inter, aac1Frame, aacFrame},
			viewers:  multitrack,
		},
		{
			name: "channels of legacy AAC", covers: []int{184},
			before: []string{aacHeader, surround, aacFrame}, after: []string{aacFrame},
			newcomer: []string{aacHeader, surround, aacFrame},
		},
		{
			name: "empty header", covers: []int{186},
			before: []string{"8 90 61 63 2D 33"}, after: []string{"8 91 61 63 2D 33 0B 77"},
			newcomer: []string{"8 90 61 63 2D 33", "8 91 61 63 2D 33 0B 77"},
		},
		{
			name: "what nobody knows", covers: []int{187},
			before:   []string{"9 91 7A 7A 7A 7A 01 02", "8 91 7A 7A 7A 7A 01 02", "9 98 68 76 63 31 01", "9 96 30 68 76 63 31 01", "8 95 30 6D 70 34 61 01"},
			after:    []string{"9 91 7A 7A 7A 7A 01 02", "8 98 7A", "9 96 30"},
			newcomer: []string{"9 91 7A 7A 7A 7A 01 02", "8 98 7A", "9 96 30"},
		},
		{
			name: "colour information", covers: []int{194},
			before:   []string{"9 84 " + colors, hevcHeader, hevcKey},
			newcomer: []string{hevcHeader, "9 D4 " + colors, hevcKey},
			present:  []string{"9 D4 " + colors, hevcHeader, hevcKey},
		},
		{
			name: "colour information taken back", covers: []int{194},
			before:   []string{hevcHeader, "9 D4 " + colors, "9 D4 68 76 63 31 02 00 09 63 6F 6C 6F 72 49 6E 66 6F 06", hevcKey},
			newcomer: []string{hevcHeader, hevcKey},
		},
		{
			name: "colour information emptied", covers: []int{194},
			before:   []string{hevcHeader, "9 D4 " + colors, "9 D4 68 76 63 31 02 00 09 63 6F 6C 6F 72 49 6E 66 6F 03 00 00 09", hevcKey},
			newcomer: []string{hevcHeader, hevcKey},
		},
		{
			name: "end of another track", covers: []int{195},
			before: []string{avcHeader, avc1Header, avc1End, avcKey}, after: []string{avc1End, avcInter},
			newcomer: []string{avcHeader, avcKey, avc1End, avcInter},
		},
		{
			name: "other codec", covers: []int{196},
			before:   []string{avcHeader, avcKey, avcInter, hevcHeader},
			after:    []string{hevcInter, hevcKey},
			newcomer: []string{hevcHeader, hevcKey},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conformance.Covers(t, test.covers...)
			l := logOf("")
			present := l.Cursor(AtGroup)
			present.SetCapabilities(test.viewers)
			appendVectors(l, test.before)
			newcomer := l.Cursor(AtGroup)
			newcomer.SetCapabilities(test.viewers)
			appendVectors(l, test.after)
			if got := sentVectors(newcomer); !slices.Equal(got, test.newcomer) {
				t.Errorf("newcomer:\ngot  %q\nwant %q", got, test.newcomer)
			}
			want := test.present
			if want == nil {
				want = slices.Concat(test.before, test.after)
			}
			if got := sentVectors(present); !slices.Equal(got, want) {
				t.Errorf("present:\ngot  %q\nwant %q", got, want)
			}
		})
	}
}
