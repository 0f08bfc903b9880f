package media

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// Viewers as they come.
var (
	anything   = Capabilities{}
	permissive = Capabilities{Restricted: true, Enhanced: AllCodecs}
	legacyOnly = Capabilities{Restricted: true}
	tracks     = Capabilities{Restricted: true, Multitrack: true, Enhanced: AllCodecs}
	everything = Capabilities{Restricted: true, Multitrack: true, ModEx: true, Enhanced: AllCodecs}
	byFourCC   = Capabilities{Restricted: true, Enhanced: AllCodecs, HEVC: HEVCByFourCC}
	byCodecID  = Capabilities{Restricted: true, Enhanced: AllCodecs &^ hvc1, HEVC: HEVCByCodecID}
	legacyHEVC = Capabilities{Restricted: true, HEVC: HEVCByCodecID}
)

type adaptCase struct {
	name    string
	c       Capabilities
	kind    Kind
	payload string
	want    []string
}

var adaptCases = []adaptCase{
	{"ModEx is stripped", permissive, Video, "97 02 07A120 01 68766331 000028 00000003 2601AF", []string{"91 68766331 000028 00000003 2601AF"}},
	{"chain of ModEx blocks is stripped", permissive, Video, "97 02 07A120 07 00 AA F1 68766331 000028 00000003 2601AF", []string{"91 68766331 000028 00000003 2601AF"}},
	{"ModEx of audio is stripped", permissive, Audio, "97 02 07A120 01 4F707573 FCFFFE", []string{"91 4F707573 FCFFFE"}},
	{"ModEx is stripped from a command", permissive, Video, "D7 02 07A120 01 01", []string{"D1 01"}},
	{"ModEx is stripped from a new packet type", permissive, Video, "97 00 AA 09 FF", []string{"99 FF"}},
	{"ModEx stays for who knows it", everything, Video, "97 02 07A120 01 68766331 000028 00", []string{"97 02 07A120 01 68766331 000028 00"}},
	{"ModEx stays when unwrapped", Capabilities{Restricted: true, ModEx: true, Enhanced: AllCodecs}, Video, "A7 02 07A120 06 01 61766331 00 000028 00", []string{"A7 02 07A120 01 61766331 000028 00"}},
	{"ModEx alone is stripped from several tracks", tracks, Video, "A7 00 AA 06 13 61766331 00 000001 01 01 000001 02", []string{"A6 13 61766331 00 000001 01 01 000001 02"}},
	{"damaged ModEx is withheld from who cannot skip it", permissive, Video, "97 09 07", nil},
	{"damaged ModEx goes on to who can", everything, Video, "97 09 07", []string{"97 09 07"}},

	{"OneTrack of track 0 is unwrapped", permissive, Video, "A6 01 61766331 00 000028 00", []string{"A1 61766331 000028 00"}},
	{"OneTrack of another track is withheld", permissive, Video, "A6 01 61766331 01 000028 00000003 419A24", nil},
	{"audio OneTrack of another track is withheld", permissive, Audio, "95 01 6D703461 01 21100460", nil},
	{"track 0 is taken out of ManyTracks", permissive, Video, manyTracksFrames, []string{"A1 61766331 000000 00000003 419A24"}},
	{"track 0 is taken out of ManyTracksManyCodecs", permissive, Video, manyCodecsFrames, []string{"A3 61766331 00000003 419A24"}},
	{"track 0 is taken out of ManyTracks as legacy", legacyOnly, Video, manyTracksFrames, []string{"27 01 000000 00000003 419A24"}},
	{"ManyTracks without track 0 is withheld", permissive, Video, "A6 13 61766331 01 000001 01 02 000001 02", nil},
	{"ManyTracks that cannot be taken apart is withheld", permissive, Video, "A6 13 61766331 00 000001 01 00 000001 02", nil},
	{"reserved layout is withheld", permissive, Video, "96 30 61766331 00 00", nil},
	{"reserved layout goes on to who knows Multitrack", everything, Video, "96 30 61766331 00 00", []string{"96 30 61766331 00 00"}},
	{"Multitrack inside Multitrack is withheld", permissive, Video, "96 06 61766331 00 00", nil},
	{"colour information is unwrapped with frame type 5", permissive, Video, "86 04 68766331 00 020009", []string{"D4 68766331 020009"}},
	{"colour information is taken out of several tracks with frame type 5", Capabilities{Restricted: true, Multitrack: true, Enhanced: hvc1}, Video, "86 24 76703039 01 000001 02 68766331 00 000001 02", []string{"D4 68766331 02"}},
	{"audio that looks like colour information stays", permissive, Audio, "95 04 68766331 00 02", []string{"94 68766331 02"}},
	{"colour information of another track stays", tracks, Video, "86 04 68766331 01 020009", []string{"86 04 68766331 01 020009"}},
	{"all tracks go to who knows Multitrack", tracks, Video, manyCodecsFrames, []string{manyCodecsFrames}},

	{"tracks of a codec that is not taken are left out", Capabilities{Restricted: true, Multitrack: true, Enhanced: hvc1}, Video, manyCodecsFrames, []string{
		"27 01 000000 00000003 419A24", "A6 03 68766331 01 00000003 0201D0",
	}},
	{"several tracks stay together if all are taken", Capabilities{Restricted: true, Multitrack: true, Enhanced: CodecSet(H264) | hvc1}, Video, manyCodecsFrames, []string{manyCodecsFrames}},
	{"a track without data is left out", Capabilities{Restricted: true, Multitrack: true, Enhanced: hvc1}, Video, "A6 23 61766331 00 000001 00 68766331 01 000000", []string{"27 01 000000 00"}},
	{"an unknown track goes on with the others", Capabilities{Restricted: true, Multitrack: true, Enhanced: hvc1}, Video, "A6 23 7A7A7A7A 02 000001 00 76703039 01 000001 00", []string{"A6 03 7A7A7A7A 02 00"}},
	{"another track of H.264 has no legacy form", Capabilities{Restricted: true, Multitrack: true, Enhanced: hvc1}, Video, "A6 01 61766331 01 000028 00", nil},
	{"another track of H.265 has no CodecID", Capabilities{Restricted: true, Multitrack: true, Enhanced: AllCodecs, HEVC: HEVCByCodecID}, Video, "A6 03 68766331 01 00", []string{"A6 03 68766331 01 00"}},
	{"track 0 of H.265 becomes CodecID 12 beside others", Capabilities{Restricted: true, Multitrack: true, Enhanced: AllCodecs, HEVC: HEVCByCodecID}, Video, "A6 13 68766331 00 000001 0A 01 000001 0B", []string{"2C 01 000000 0A", "A6 03 68766331 01 0B"}},

	{"H.264 header", legacyOnly, Video, "90 61766331" + avcC720, []string{"17 00 000000" + avcC720}},
	{"H.264 header of OneTrack", legacyOnly, Video, "96 00 61766331 00" + avcC720, []string{"17 00 000000" + avcC720}},
	{"H.264 keyframe", legacyOnly, Video, "91 61766331 000050 00000004 65888400", []string{"17 01 000050 00000004 65888400"}},
	{"H.264 frame, negative composition time", legacyOnly, Video, "A1 61766331 FFFFD8 00000003 419A24", []string{"27 01 FFFFD8 00000003 419A24"}},
	{"H.264 frame without composition time", legacyOnly, Video, "A3 61766331 00000003 419A24", []string{"27 01 000000 00000003 419A24"}},
	{"H.264 generated keyframe", legacyOnly, Video, "C3 61766331 00", []string{"47 01 000000 00"}},
	{"H.264 end", legacyOnly, Video, "92 61766331", []string{"17 02 000000"}},
	{"H.264 with ModEx", legacyOnly, Video, "97 02 07A120 01 61766331 000028 00", []string{"17 01 000028 00"}},
	{"H.264 colour information has no legacy form", legacyOnly, Video, "84 61766331 020009", nil},
	{"H.264 as MPEG-2 TS descriptor has no legacy form", legacyOnly, Video, "95 61766331 00", nil},
	{"H.264 frame without data", legacyOnly, Video, "91 61766331 000028", nil},
	{"AAC header", legacyOnly, Audio, "90 6D703461 1190", []string{"AF 00 1190"}},
	{"AAC frame", legacyOnly, Audio, "91 6D703461 21100460", []string{"AF 01 21100460"}},
	{"AAC frame of OneTrack", legacyOnly, Audio, "95 01 6D703461 00 21100460", []string{"AF 01 21100460"}},
	{"AAC end has no legacy form", legacyOnly, Audio, "92 6D703461", nil},
	{"AAC channel layout has no legacy form", legacyOnly, Audio, "94 6D703461 01 06 0000003F", nil},
	{"MP3 header has no legacy form", legacyOnly, Audio, "90 2E6D7033", nil},
	{"MP3 44.1 kHz joint stereo", legacyOnly, Audio, "91 2E6D7033 FFFB9064", []string{"2F FFFB9064"}},
	{"MP3 48 kHz", legacyOnly, Audio, "91 2E6D7033 FFFB9464", []string{"2F FFFB9464"}},
	{"MP3 44.1 kHz mono", legacyOnly, Audio, "91 2E6D7033 FFFB90C4", []string{"2E FFFB90C4"}},
	{"MP3 22.05 kHz mono", legacyOnly, Audio, "91 2E6D7033 FFF380C4", []string{"2A FFF380C4"}},
	{"MP3 16 kHz stereo", legacyOnly, Audio, "91 2E6D7033 FFF38804", []string{"2B FFF38804"}},
	{"MP3 11.025 kHz stereo", legacyOnly, Audio, "91 2E6D7033 FFE38004", []string{"27 FFE38004"}},
	{"MP3 8 kHz mono", legacyOnly, Audio, "91 2E6D7033 FFE388C4", []string{"E2 FFE388C4"}},
	{"MP3 without a frame header", legacyOnly, Audio, "91 2E6D7033 49443303", []string{"2F 49443303"}},
	{"MP3 cut short", legacyOnly, Audio, "91 2E6D7033 FFFB", []string{"2F FFFB"}},
	{"Opus has no legacy form", legacyOnly, Audio, "91 4F707573 FCFFFE", nil},
	{"AV1 has no legacy form", legacyOnly, Video, "91 61763031 12000A0B", nil},
	{"H.265 has no legacy form that is asked for", legacyOnly, Video, "91 68766331 000028 00", nil},
	{"a codec that was not announced", Capabilities{Restricted: true, Enhanced: hvc1}, Video, "91 61763031 12000A0B", nil},
	{"a codec that was announced", Capabilities{Restricted: true, Enhanced: hvc1}, Video, "91 68766331 000028 00", []string{"91 68766331 000028 00"}},

	{"H.265 header to CodecID 12", legacyHEVC, Video, "90 68766331" + hvcCMain, []string{"1C 00 000000" + hvcCMain}},
	{"H.265 keyframe to CodecID 12", legacyHEVC, Video, "91 68766331 000028 00000003 2601AF", []string{"1C 01 000028 00000003 2601AF"}},
	{"H.265 frame to CodecID 12, negative composition time", legacyHEVC, Video, "A1 68766331 FFFFD8 00000003 0201D0", []string{"2C 01 FFFFD8 00000003 0201D0"}},
	{"H.265 frame without composition time to CodecID 12", byCodecID, Video, "A3 68766331 00000003 0201D0", []string{"2C 01 000000 00000003 0201D0"}},
	{"H.265 end to CodecID 12", byCodecID, Video, "92 68766331", []string{"1C 02 000000"}},
	{"H.265 colour information has no legacy form", byCodecID, Video, "D4 68766331 020009", nil},
	{"CodecID 12 for who wants it", legacyHEVC, Video, "1C 01 000028 00", []string{"1C 01 000028 00"}},
	{"CodecID 12 as it was published", legacyOnly, Video, "1C 01 000028 00", []string{"1C 01 000028 00"}},
	{"CodecID 12 header to FourCC", byFourCC, Video, "1C 00 000000" + hvcCMain, []string{"90 68766331" + hvcCMain}},
	{"CodecID 12 keyframe to FourCC", byFourCC, Video, "1C 01 000028 00000003 2601AF", []string{"91 68766331 000028 00000003 2601AF"}},
	{"CodecID 12 frame to FourCC, negative composition time", byFourCC, Video, "2C 01 FFFFD8 00000003 0201D0", []string{"A1 68766331 FFFFD8 00000003 0201D0"}},
	{"CodecID 12 frame to FourCC without composition time", byFourCC, Video, "2C 01 000000 00000003 0201D0", []string{"A3 68766331 00000003 0201D0"}},
	{"CodecID 12 end to FourCC", byFourCC, Video, "1C 02 000000", []string{"92 68766331"}},
	{"CodecID 12 seek command", byFourCC, Video, "5C 01", []string{"D1 01"}},
	{"CodecID 12 damaged", byFourCC, Video, "1C 03 000000 00", nil},
	{"CodecID 12 by FourCC for who does not take it", Capabilities{Restricted: true, Enhanced: CodecSet(AV1), HEVC: HEVCByFourCC}, Video, "1C 01 000028 00", nil},

	{"seek command", permissive, Video, "D1 00", []string{"D1 00"}},
	{"seek command has no legacy form", legacyOnly, Video, "D1 00", nil},
	{"unknown FourCC", permissive, Video, "91 7A7A7A7A 00", []string{"91 7A7A7A7A 00"}},
	{"unknown FourCC in track 0", permissive, Video, "96 01 7A7A7A7A 00 00", []string{"91 7A7A7A7A 00"}},
	{"unknown FourCC in another track", permissive, Video, "96 01 7A7A7A7A 01 00", nil},
	{"unknown FourCC has no legacy form", legacyOnly, Video, "91 7A7A7A7A 00", nil},
	{"reserved packet type", permissive, Video, "98 68766331 00", []string{"98 68766331 00"}},
	{"damaged message", permissive, Audio, "91", []string{"91"}},
	{"damaged message has no legacy form", legacyOnly, Audio, "91", nil},
	{"unrestricted viewers get all as published", anything, Video, "A7 02 07A120 06 01 61766331 01 000028 00", []string{"A7 02 07A120 06 01 61766331 01 000028 00"}},
}

func TestMessagesAreAdaptedToTheViewer(t *testing.T) {
	conformance.Covers(t, 154, 177, 178, 179)
	for _, test := range adaptCases {
		t.Run(test.name, func(t *testing.T) {
			payload := exact(unhex(test.payload))
			var want [][]byte
			for _, s := range test.want {
				want = append(want, unhex(s))
			}
			if got := test.c.Adapt(test.kind, payload); !reflect.DeepEqual(got, want) {
				t.Errorf("got % X, want %s", got, strings.Join(test.want, " | "))
			}
			checkAdapt(t, test.c, test.kind, payload)
		})
	}
}

// checkAdapt states what holds for all viewers and payloads.
func checkAdapt(t *testing.T, c Capabilities, kind Kind, payload []byte) {
	t.Helper()
	before := bytes.Clone(payload)
	p := Inspect(kind, payload)
	got := c.Adapt(kind, payload)
	if !bytes.Equal(payload, before) {
		t.Errorf("payload changed from % X to % X", before, payload)
	}
	if p.Traits()&^c.Accepts() == 0 && (len(got) != 1 || !same(got[0], payload)) {
		t.Errorf("%+v gets % X for % X, which it takes as it is", c, got, payload)
	}
	if key := c.For(p.Traits()); !slices.EqualFunc(key.Adapt(kind, payload), got, bytes.Equal) {
		t.Errorf("% X: %+v gets % X, but with its key %+v % X", payload, c, got, key, key.Adapt(kind, payload))
	}
	sum := 0
	for _, out := range got {
		sum += len(out)
		checkTaken(t, c, kind, out)
		checkSameFacts(t, kind, payload, out)
	}
	if sum > 2*len(payload)+8 {
		t.Errorf("% X: %d bytes", payload, sum)
	}
}

// checkTaken checks that a viewer can take what it is sent.
func checkTaken(t *testing.T, c Capabilities, kind Kind, out []byte) {
	t.Helper()
	if !c.Restricted {
		return
	}
	p := Inspect(kind, out)
	if p.ModEx && !c.ModEx || p.Multitrack && !c.Multitrack || p.Track != 0 && !c.Multitrack {
		t.Errorf("%+v gets % X", c, out)
	}
	if p.Enhanced && c.Enhanced == 0 || !p.Enhanced && p.Codec == H265 && c.HEVC == HEVCByFourCC {
		t.Errorf("%+v gets % X", c, out)
	}
	if !p.Enhanced || p.Type == Opaque || p.Type == Command {
		return
	}
	parts, err := Split(kind, out)
	if err != nil { // goes as it is to viewers who take all that it may hold
		parts = []TrackPacket{{p.Track, p.Codec, out}}
	}
	for _, part := range parts {
		if kind.hasFourCC(part.Codec) && c.Enhanced&CodecSet(part.Codec) == 0 {
			t.Errorf("%+v gets %s: % X", c, part.Codec, out)
		}
		if part.Codec == H265 && part.Track == 0 && c.HEVC == HEVCByCodecID {
			t.Errorf("%+v gets hvc1: % X", c, out)
		}
	}
}

// checkSameFacts checks that out says what payload, or the track of payload, said.
func checkSameFacts(t *testing.T, kind Kind, payload, out []byte) {
	t.Helper()
	if bytes.Equal(payload, out) {
		return
	}
	q := Inspect(kind, out)
	if q.Multi {
		payload, out = StripModEx(kind, payload), StripModEx(kind, out)
		if !bytes.Equal(payload, out) {
			t.Errorf("% X became % X", payload, out)
		}
		return
	}
	parts, err := Split(kind, payload)
	if err != nil && q.Type == Opaque { // nothing but ModEx can have gone
		return
	}
	i := slices.IndexFunc(parts, func(part TrackPacket) bool { return part.Track == q.Track })
	if err != nil || i < 0 {
		t.Errorf("% X became % X: track %d, %v", payload, out, q.Track, err)
		return
	}
	part := parts[i].Payload
	p := Inspect(kind, part)
	if q.Type != p.Type || q.Keyframe != p.Keyframe || q.CompositionTime != p.CompositionTime ||
		!bytes.Equal(q.Body(out), p.Body(part)) || q.Codec != p.Codec && p.Type != Command {
		t.Errorf("% X became % X: %+v, was %+v", payload, out, q, p)
	}
}

func FuzzAdapt(f *testing.F) {
	for kind, cases := range casesOf {
		for i, c := range cases {
			f.Add(uint32(i)*0x9E3779B9, kind == Video, unhex(c.payload))
		}
	}
	for i, c := range adaptCases {
		f.Add(uint32(i)*0x9E3779B9, c.kind == Video, unhex(c.payload))
	}
	f.Fuzz(func(t *testing.T, bits uint32, video bool, payload []byte) {
		kind := Audio
		if video {
			kind = Video
		}
		checkAdapt(t, capabilitiesOf(bits), kind, payload)
	})
}

// capabilitiesOf makes restricted viewers of numbers.
func capabilitiesOf(bits uint32) Capabilities {
	return Capabilities{
		Restricted: true,
		Multitrack: bits&1 != 0,
		ModEx:      bits&2 != 0,
		HEVC:       HEVCForm(bits >> 2 % 3),
		Enhanced:   Codecs(bits>>16) * Codecs(firstCodecTrait) & AllCodecs,
	}
}
