package media

import (
	"bytes"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const (
	sps720  = "67 42 C0 1F DA 01 40 16 E4"
	avcC720 = "01 42 C0 1F FF E1 00 09" + sps720 + "01 00 04 68 CE 3C 80"
)

type inspectCase struct {
	name    string
	payload string
	want    Packet // exported fields but Kind
	body    string
}

// The first group are the mistakes that are easily made with Enhanced RTMP.
var videoCases = []inspectCase{
	{"enhanced bit is tested before codec id and frame type", "A3 68766331 00000003 0201D0", Packet{Type: Frame, Codec: H265, Enhanced: true}, "00000003 0201D0"},
	{"sequence start with frame type 1 is no keyframe", "90 68766331 0102", Packet{Type: SequenceHeader, Codec: H265, Enhanced: true}, "0102"},
	{"metadata with frame type 5 is no command", "D4 68766331 020009", Packet{Type: Metadata, Codec: H265, Enhanced: true}, "020009"},
	{"metadata with frame type 0", "84 68766331 020009", Packet{Type: Metadata, Codec: H265, Enhanced: true}, "020009"},
	{"metadata with frame type 1 is no keyframe", "94 68766331 020009", Packet{Type: Metadata, Codec: H265, Enhanced: true}, "020009"},
	{"metadata with frame type 2", "A4 68766331 020009", Packet{Type: Metadata, Codec: H265, Enhanced: true}, "020009"},
	{"command has no FourCC", "D1 00", Packet{Type: Command, Enhanced: true}, "00"},
	{"command behind ModEx", "D7 02 07A120 01 01", Packet{Type: Command, Enhanced: true, ModEx: true}, "01"},
	{"command with packet type Multitrack is no Multitrack", "D6 04", Packet{Type: Command, Enhanced: true}, "04"},
	{"command with a reserved packet type", "DF 00", Packet{Type: Command, Enhanced: true}, "00"},
	{"command without its byte", "D1", Packet{Enhanced: true}, ""},
	{"AV1 has no composition time", "91 61763031 12000A0B", Packet{Type: Frame, Codec: AV1, Keyframe: true, Enhanced: true}, "12000A0B"},
	{"VP9 has no composition time", "A1 76703039 8649", Packet{Type: Frame, Codec: VP9, Enhanced: true}, "8649"},
	{"CodedFramesX of VP8 is as CodedFrames", "93 76703038 10", Packet{Type: Frame, Codec: VP8, Keyframe: true, Enhanced: true}, "10"},
	{"CodedFramesX has no composition time", "93 61763031 12000A0B", Packet{Type: Frame, Codec: AV1, Keyframe: true, Enhanced: true}, "12000A0B"},
	{"packet type 5 is no Multitrack in video", "95 61763031 800A", Packet{Type: SequenceHeader, Codec: AV1, Enhanced: true}, "800A"},
	{"multitrack metadata", "86 04 68766331 01 020009", Packet{Type: Metadata, Codec: H265, Track: 1, Enhanced: true, Multitrack: true}, "020009"},

	{"HEVC keyframe with composition time", "91 68766331 000028 00000003 2601AF", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, CompositionTime: 40}, "00000003 2601AF"},
	{"HEVC inter frame", "A1 68766331 000000 00000003 0201D0", Packet{Type: Frame, Codec: H265, Enhanced: true}, "00000003 0201D0"},
	{"negative composition time", "A1 61766331 FFFFD8 00", Packet{Type: Frame, Codec: H264, Enhanced: true, CompositionTime: -40}, "00"},
	{"most negative composition time", "A1 76766331 800000 00", Packet{Type: Frame, Codec: H266, Enhanced: true, CompositionTime: -1 << 23}, "00"},
	{"generated keyframe", "C3 68766331 00", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true}, "00"},
	{"disposable inter frame", "B3 68766331 00", Packet{Type: Frame, Codec: H265, Enhanced: true}, "00"},
	{"reserved frame type", "E3 68766331 00", Packet{Type: Frame, Codec: H265, Enhanced: true}, "00"},
	{"sequence end", "92 68766331", Packet{Type: SequenceEnd, Codec: H265, Enhanced: true}, ""},
	{"VP9 sequence start", "90 76703039 001F820101010000", Packet{Type: SequenceHeader, Codec: VP9, Enhanced: true}, "001F820101010000"},
	{"keyframe with nanoseconds", "97 02 07A120 01 68766331 000028 00000003 2601AF", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true, CompositionTime: 40}, "00000003 2601AF"},
	{"two ModEx blocks", "97 02 07A120 07 00 AA F1 68766331 000028 00000003 2601AF", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true, CompositionTime: 40}, "00000003 2601AF"},
	{"ModEx block of 255 bytes", "97 FE" + strings.Repeat("AA", 255) + "03 68766331 01", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true}, "01"},
	{"ModEx block of 256 bytes", "97 FF 00FF" + strings.Repeat("AA", 256) + "03 68766331 01", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true}, "01"},
	{"ModEx block of 300 bytes", "97 FF 012B" + strings.Repeat("AA", 300) + "03 68766331 01", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true}, "01"},
	{"ModEx block without a following packet type", "97 02 07A120", Packet{Enhanced: true, ModEx: true}, ""},
	{"ModEx long size is cut", "97 FF 01", Packet{Enhanced: true, ModEx: true}, ""},
	{"ModEx alone", "97", Packet{Enhanced: true, ModEx: true}, ""},
	{"eight ModEx blocks", "97" + strings.Repeat("00AA07", 7) + "00AA03 68766331 01", Packet{Type: Frame, Codec: H265, Keyframe: true, Enhanced: true, ModEx: true}, "01"},
	{"nine ModEx blocks", "97" + strings.Repeat("00AA07", 8) + "00AA03 68766331 01", Packet{Enhanced: true, ModEx: true}, ""},
	{"ModEx then OneTrack", "A7 02 07A120 06 01 61766331 01 000028 00000003 419A24", Packet{Type: Frame, Codec: H264, Track: 1, Enhanced: true, Multitrack: true, ModEx: true, CompositionTime: 40}, "00000003 419A24"},
	{"OneTrack sequence start", "96 00 61766331 01" + avcC720, Packet{Type: SequenceHeader, Codec: H264, Track: 1, Enhanced: true, Multitrack: true}, avcC720},
	{"OneTrack frame", "A6 01 61766331 01 000028 00000003 419A24", Packet{Type: Frame, Codec: H264, Track: 1, Enhanced: true, Multitrack: true, CompositionTime: 40}, "00000003 419A24"},
	{"OneTrack keyframe of track 255", "96 03 61766331 FF 00", Packet{Type: Frame, Codec: H264, Track: 255, Keyframe: true, Enhanced: true, Multitrack: true}, "00"},
	{"OneTrack sequence end", "A6 02 61766331 01", Packet{Type: SequenceEnd, Codec: H264, Track: 1, Enhanced: true, Multitrack: true}, ""},
	{"OneTrack sequence end ignores what follows", "A6 02 61766331 01 FFFF", Packet{Type: SequenceEnd, Codec: H264, Track: 1, Enhanced: true, Multitrack: true}, ""},
	{"ManyTracks sizes include the composition time", manyTracksFrames, Packet{Type: Frame, Codec: H264, Enhanced: true, Multitrack: true, Multi: true}, "00000003 419A24"},
	{"ManyTracksManyCodecs", manyCodecsFrames, Packet{Type: Frame, Codec: H264, Enhanced: true, Multitrack: true, Multi: true}, "00000003 419A24"},
	{"ManyTracks sequence start", manyTracksHeaders, Packet{Type: SequenceHeader, Codec: H264, Track: 1, Enhanced: true, Multitrack: true, Multi: true}, avcC720},
	{"ManyTracks with an empty first track", "96 11 61766331 00 000000 01 000004 00000001", Packet{Type: Frame, Codec: H264, Keyframe: true, Enhanced: true, Multitrack: true, Multi: true}, ""},
	{"ManyTracks size beyond the end", "A6 13 61766331 00 000002 00", Packet{Enhanced: true, Multitrack: true, Multi: true}, ""},
	{"ManyTracks without a track", "A6 13 61766331", Packet{Enhanced: true, Multitrack: true, Multi: true}, ""},
	{"Multitrack inside Multitrack", "96 06 61766331 00 00", Packet{Enhanced: true, Multitrack: true}, ""},
	{"ModEx inside Multitrack", "96 07 61766331 00 00", Packet{Enhanced: true, Multitrack: true}, ""},
	{"reserved multitrack type", "96 30 61766331 00 00", Packet{Enhanced: true, Multitrack: true}, ""},
	{"Multitrack alone", "96", Packet{Enhanced: true, Multitrack: true}, ""},
	{"unknown FourCC is kept", "91 7A7A7A7A 00", Packet{Codec: 0x7A7A7A7A, Enhanced: true}, ""},
	{"unprintable FourCC", "91 00000107 00", Packet{Enhanced: true}, ""},
	{"audio FourCC in video", "91 6D703461 00", Packet{Codec: AAC, Enhanced: true}, ""},
	{"reserved packet type", "98 68766331 00", Packet{Enhanced: true}, ""},
	{"cut FourCC", "91 687663", Packet{Enhanced: true}, ""},
	{"sequence start without record", "90 68766331", Packet{Codec: H265, Enhanced: true}, ""},
	{"frame that ends in the composition time", "91 68766331 0000", Packet{Codec: H265, Enhanced: true}, ""},
	{"frame without data", "91 68766331 000028", Packet{Codec: H265, Enhanced: true}, ""},

	{"empty video", "", Packet{}, ""},
	{"AVC sequence header", "17 00 000000" + avcC720, Packet{Type: SequenceHeader, Codec: H264}, avcC720},
	{"AVC sequence header in an inter frame", "27 00 000000" + avcC720, Packet{Type: SequenceHeader, Codec: H264}, avcC720},
	{"AVC keyframe", "17 01 000050 00000004 65888400", Packet{Type: Frame, Codec: H264, Keyframe: true, CompositionTime: 80}, "00000004 65888400"},
	{"AVC generated keyframe", "47 01 000000 00", Packet{Type: Frame, Codec: H264, Keyframe: true}, "00"},
	{"AVC inter frame, negative composition time", "27 01 FFFFD8 00000003 419A24", Packet{Type: Frame, Codec: H264, CompositionTime: -40}, "00000003 419A24"},
	{"AVC end of sequence", "17 02 000000", Packet{Type: SequenceEnd, Codec: H264}, ""},
	{"AVC reserved packet type", "17 03 000000 00", Packet{Codec: H264}, ""},
	{"AVC seek command", "57 00", Packet{Type: Command, Codec: H264}, "00"},
	{"AVC first byte only", "17", Packet{Codec: H264}, ""},
	{"AVC packet type only", "17 01", Packet{Codec: H264}, ""},
	{"AVC keyframe without data", "17 01 000000", Packet{Codec: H264}, ""},
	{"AVC sequence header without record", "17 00 000000", Packet{Codec: H264}, ""},
	{"HEVC as codec 12, sequence header", "1C 00 000000 01", Packet{Type: SequenceHeader, Codec: H265}, "01"},
	{"HEVC as codec 12, keyframe", "1C 01 000028 00000003 2601AF", Packet{Type: Frame, Codec: H265, Keyframe: true, CompositionTime: 40}, "00000003 2601AF"},
	{"HEVC as codec 12, inter frame", "2C 01 000000 00000003 0201D0", Packet{Type: Frame, Codec: H265}, "00000003 0201D0"},
	{"HEVC as codec 12, end of sequence", "1C 02 000000", Packet{Type: SequenceEnd, Codec: H265}, ""},
	{"Sorenson H.263 keyframe", "12 0000", Packet{Type: Frame, Codec: SorensonH263, Keyframe: true}, "0000"},
	{"Sorenson H.263 disposable frame", "32 0000", Packet{Type: Frame, Codec: SorensonH263}, "0000"},
	{"Screen Video keyframe", "13 00", Packet{Type: Frame, Codec: ScreenVideo, Keyframe: true}, "00"},
	{"VP6 inter frame", "24 00", Packet{Type: Frame, Codec: VP6}, "00"},
	{"VP6 with alpha, generated keyframe", "45 00", Packet{Type: Frame, Codec: VP6Alpha, Keyframe: true}, "00"},
	{"Screen Video 2", "26 00", Packet{Type: Frame, Codec: ScreenVideo2}, "00"},
	{"VP6 command", "54 01", Packet{Type: Command, Codec: VP6}, "01"},
	{"private codec 13", "1D 00 000000 00", Packet{Codec: legacyVideo | 13}, ""},
	{"obsolete codec 1", "11 00", Packet{Codec: legacyVideo | 1}, ""},
}

var audioCases = []inspectCase{
	{"packet type 5 is Multitrack in audio", "95 00 6D703461 01 1190", Packet{Type: SequenceHeader, Codec: AAC, Track: 1, Enhanced: true, Multitrack: true}, "1190"},
	{"packet type 6 is no Multitrack in audio", "96 00 6D703461 01 1190", Packet{Enhanced: true}, ""},
	{"first byte A7 is AAC and no ModEx", "A7 01 2110", Packet{Type: Frame, Codec: AAC}, "2110"},
	{"channel config in a legacy AAC stream", "94 6D703461 01 06 0000003F", Packet{Type: ChannelConfig, Codec: AAC, Enhanced: true}, "01 06 0000003F"},
	{"Opus channel config, custom", "94 4F707573 02 03 000103", Packet{Type: ChannelConfig, Codec: Opus, Enhanced: true}, "02 03 000103"},
	{"Opus channel config, unspecified", "94 4F707573 00 02", Packet{Type: ChannelConfig, Codec: Opus, Enhanced: true}, "00 02"},
	{"channel config without channel count", "94 4F707573 00", Packet{Codec: Opus, Enhanced: true}, ""},
	{"no payload is silence", "", Packet{Type: Silence}, ""},
	{"empty sequence start is valid", "90 61632D33", Packet{Type: SequenceHeader, Codec: AC3, Enhanced: true}, ""},
	{"empty Opus sequence start", "90 4F707573", Packet{Type: SequenceHeader, Codec: Opus, Enhanced: true}, ""},
	{"empty AAC sequence start is of no use", "90 6D703461", Packet{Codec: AAC, Enhanced: true}, ""},
	{"Opus frame", "91 4F707573 FCFFFE", Packet{Type: Frame, Codec: Opus, Enhanced: true}, "FCFFFE"},
	{"AC-3 frame", "91 61632D33 0B77", Packet{Type: Frame, Codec: AC3, Enhanced: true}, "0B77"},
	{"E-AC-3 frame", "91 65632D33 0B77", Packet{Type: Frame, Codec: EAC3, Enhanced: true}, "0B77"},
	{"FLAC frame", "91 664C6143 FFF8", Packet{Type: Frame, Codec: FLAC, Enhanced: true}, "FFF8"},
	{"MP3 frame", "91 2E6D7033 FFFB", Packet{Type: Frame, Codec: MP3, Enhanced: true}, "FFFB"},
	{"Opus frame with nanoseconds", "97 02 07A120 01 4F707573 FCFFFE", Packet{Type: Frame, Codec: Opus, Enhanced: true, ModEx: true}, "FCFFFE"},
	{"Opus end", "92 4F707573", Packet{Type: SequenceEnd, Codec: Opus, Enhanced: true}, ""},
	{"OneTrack frame", "95 01 6D703461 01 211004 60", Packet{Type: Frame, Codec: AAC, Track: 1, Enhanced: true, Multitrack: true}, "21100460"},
	{"ManyTracks", "95 11 6D703461 01 000002 2110 00 000001 21", Packet{Type: Frame, Codec: AAC, Track: 1, Enhanced: true, Multitrack: true, Multi: true}, "2110"},
	{"video FourCC in audio", "91 61766331 00", Packet{Codec: H264, Enhanced: true}, ""},
	{"reserved packet type 3", "93 4F707573 00", Packet{Enhanced: true}, ""},
	{"enhanced byte alone", "91", Packet{Enhanced: true}, ""},

	{"AAC sequence header", "AF 00 1190", Packet{Type: SequenceHeader, Codec: AAC}, "1190"},
	{"AAC frame", "AF 01 21100460", Packet{Type: Frame, Codec: AAC}, "21100460"},
	{"AAC first byte only", "AF", Packet{Codec: AAC}, ""},
	{"AAC without config", "AF 00", Packet{Codec: AAC}, ""},
	{"AAC with half a config", "AF 00 11", Packet{Codec: AAC}, ""},
	{"AAC without data", "AF 01", Packet{Codec: AAC}, ""},
	{"AAC reserved packet type", "AF 02 00", Packet{Codec: AAC}, ""},
	{"MP3", "2F FFFB", Packet{Type: Frame, Codec: MP3}, "FFFB"},
	{"MP3 8 kHz", "E2 FFFB", Packet{Type: Frame, Codec: MP3}, "FFFB"},
	{"MP3 without data", "2F", Packet{Codec: MP3}, ""},
	{"G.711 A-law", "72 D5", Packet{Type: Frame, Codec: G711ALaw}, "D5"},
	{"G.711 mu-law", "82 FF", Packet{Type: Frame, Codec: G711MuLaw}, "FF"},
	{"Speex", "B2 00", Packet{Type: Frame, Codec: Speex}, "00"},
	{"PCM", "0E 00", Packet{Type: Frame, Codec: PCM}, "00"},
	{"PCM little endian", "3E 00", Packet{Type: Frame, Codec: PCMLE}, "00"},
	{"ADPCM", "1E 00", Packet{Type: Frame, Codec: ADPCM}, "00"},
	{"Nellymoser 16 kHz", "42 00", Packet{Type: Frame, Codec: Nellymoser16k}, "00"},
	{"Nellymoser 8 kHz", "52 00", Packet{Type: Frame, Codec: Nellymoser8k}, "00"},
	{"Nellymoser", "62 00", Packet{Type: Frame, Codec: Nellymoser}, "00"},
	{"private format 13", "DF 00 4F", Packet{Codec: legacyAudio | 13}, ""},
	{"device specific", "FF 00 00", Packet{Codec: legacyAudio | 15}, ""},
}

var casesOf = map[Kind][]inspectCase{Video: videoCases, Audio: audioCases}

func TestInspectTellsTheFactsOfTheHeader(t *testing.T) {
	conformance.Covers(t, 147, 148, 149, 154, 167, 168, 169, 170, 174, 178, 182, 183, 186)
	for kind, cases := range casesOf {
		for _, c := range cases {
			t.Run(kind.String()+"/"+c.name, func(t *testing.T) {
				payload := exact(unhex(c.payload))
				got := Inspect(kind, payload)
				if body := got.Body(payload); !bytes.Equal(body, unhex(c.body)) {
					t.Errorf("body is % X, want %s", body, c.body)
				}
				got.start, got.end, got.wire, got.mixed = 0, 0, 0, false
				c.want.Kind = kind
				if got != c.want {
					t.Errorf("got  %+v\nwant %+v", got, c.want)
				}
			})
		}
	}
}

func TestBodyOfAShorterSliceIsEmpty(t *testing.T) {
	payload := unhex("17 01 000000 0102")
	if body := InspectVideo(payload).Body(payload[:6]); body != nil {
		t.Errorf("body is % X", body)
	}
}

func TestAppendingToABodyLeavesThePayloadAlone(t *testing.T) {
	payload := unhex("A6 11 61766331 00 000004 00000001 01 000004 00000002")
	_ = append(InspectVideo(payload).Body(payload), 0xEE)
	if payload[14] != 1 {
		t.Errorf("payload is % X", payload)
	}
}

// checkFacts states what holds for all payloads.
func checkFacts(t *testing.T, kind Kind, payload []byte) {
	t.Helper()
	p := Inspect(kind, payload)
	body := p.Body(payload)
	switch {
	case p.Kind != kind:
		t.Errorf("% X: kind %s", payload, p.Kind)
	case p.Keyframe && (p.Type != Frame || kind != Video):
		t.Errorf("% X: keyframe of type %s", payload, p.Type)
	case p.Type == Opaque && len(body) != 0:
		t.Errorf("% X: opaque with a body", payload)
	case p.Type == Silence && len(payload) != 0:
		t.Errorf("% X: silence with a payload", payload)
	case p.Type == Frame && !p.Multi && len(body) == 0:
		t.Errorf("% X: frame without data", payload)
	case !p.Enhanced && (p.Track != 0 || p.Multi || p.ModEx):
		t.Errorf("% X: legacy message with %+v", payload, p)
	}
}

// checkRewrites states what the rewriting functions promise for all payloads.
func checkRewrites(t *testing.T, kind Kind, payload []byte) {
	t.Helper()
	before := bytes.Clone(payload)
	p := Inspect(kind, payload)

	stripped := StripModEx(kind, payload)
	q := Inspect(kind, stripped)
	if p.Type != Opaque && (q.ModEx || q.Type != p.Type || q.Track != p.Track || q.Codec != p.Codec ||
		q.Keyframe != p.Keyframe || q.CompositionTime != p.CompositionTime || !bytes.Equal(q.Body(stripped), p.Body(payload))) {
		t.Errorf("% X: without ModEx %+v, was %+v", payload, q, p)
	}

	if relayed := RelayMetadata(payload); kind == Video && InspectVideo(relayed) != p {
		t.Errorf("% X: relayed %+v, was %+v", payload, InspectVideo(relayed), p)
	}

	plain := Unwrap(kind, payload)
	q = Inspect(kind, plain)
	q.start, q.end, q.wire, q.Multitrack = p.start, p.end, p.wire, p.Multitrack
	if q != p {
		t.Errorf("% X: unwrapped %+v, was %+v", payload, q, p)
	}

	parts, err := Split(kind, payload)
	sum := 0
	for _, part := range parts {
		sum += len(part.Payload)
		q := Inspect(kind, part.Payload)
		if q.Multi || q.Type != Opaque && (q.ModEx || q.Track != part.Track || q.Codec != part.Codec && q.Type != Command) {
			t.Errorf("% X: part %+v of %+v", payload, q, p)
		}
		if q.Type != Opaque && p.Type != Opaque && q.Type != p.Type {
			t.Errorf("% X: part of type %s, was %s", payload, q.Type, p.Type)
		}
	}
	if len(parts) > maxTracksPerMessage || sum > 2*len(payload)+8 {
		t.Errorf("% X: %d parts of %d bytes", payload, len(parts), sum)
	}
	if err == nil && len(parts) == 0 || err != nil && (parts != nil || p.Type != Opaque && !p.Multi) {
		t.Errorf("% X: %d parts and %v", payload, len(parts), err)
	}
	if !bytes.Equal(payload, before) {
		t.Errorf("payload changed from % X to % X", before, payload)
	}
}

func TestAnyFirstByteWithAnyShortLengthIsHarmless(t *testing.T) {
	conformance.Covers(t, 150)
	for kind := range casesOf {
		for first := range 256 {
			for _, second := range []byte{0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x16, 0x20, 0x30, 0xFF} {
				for length := range 7 {
					payload := exact([]byte{byte(first), second, 0x61, 0x76, 0x63, 0x31}[:length])
					checkFacts(t, kind, payload)
					checkRewrites(t, kind, payload)
					for _, c := range []Capabilities{anything, permissive, legacyOnly, byFourCC} {
						checkAdapt(t, c, kind, payload)
					}
				}
			}
		}
	}
}

func TestEveryTruncationIsHarmless(t *testing.T) {
	for kind, cases := range casesOf {
		for _, c := range cases {
			whole := unhex(c.payload)
			for length := range whole {
				checkFacts(t, kind, exact(whole[:length]))
				checkRewrites(t, kind, exact(whole[:length]))
			}
			checkRewrites(t, kind, whole)
		}
	}
}

func TestInspectAllocatesNothing(t *testing.T) {
	for kind, cases := range casesOf {
		for _, c := range cases {
			payload := unhex(c.payload)
			if n := testing.AllocsPerRun(10, func() { Inspect(kind, payload) }); n != 0 {
				t.Errorf("%s/%s: %v allocations", kind, c.name, n)
			}
		}
	}
}

func TestNames(t *testing.T) {
	for want, got := range map[string]string{
		"audio": Audio.String(), "video": Video.String(),
		"opaque": Opaque.String(), "silence": Silence.String(), "sequence header": SequenceHeader.String(),
		"H.264": H264.String(), "AAC": AAC.String(), "unknown": Codec(0).String(),
		"zzzz": Codec(0x7A7A7A7A).String(), "video codec 13": (legacyVideo | 13).String(),
		"audio format 15": (legacyAudio | 15).String(), "PCM": PCM.String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := PacketType(200).String(); got != "opaque" {
		t.Errorf("unknown packet type is called %q", got)
	}
}

func FuzzInspectVideo(f *testing.F) { fuzzInspect(f, Video) }
func FuzzInspectAudio(f *testing.F) { fuzzInspect(f, Audio) }

func fuzzInspect(f *testing.F, kind Kind) {
	for _, c := range casesOf[kind] {
		f.Add(unhex(c.payload))
	}
	f.Fuzz(func(t *testing.T, payload []byte) { checkFacts(t, kind, payload) })
}

func BenchmarkInspectVideo(b *testing.B) {
	for name, payload := range map[string]string{
		"legacy":   "17 01 000050 00000004 65888400",
		"enhanced": "91 68766331 000028 00000003 2601AF",
		"modex":    "A7 02 07A120 06 01 61766331 01 000028 00000003 419A24",
	} {
		b.Run(name, func(b *testing.B) {
			message := unhex(payload)
			b.ReportAllocs()
			for b.Loop() {
				InspectVideo(message)
			}
		})
	}
}

func BenchmarkInspectAudio(b *testing.B) {
	for name, payload := range map[string]string{"legacy": "AF 01 21100460", "enhanced": "91 4F707573 FCFFFE"} {
		b.Run(name, func(b *testing.B) {
			message := unhex(payload)
			b.ReportAllocs()
			for b.Loop() {
				InspectAudio(message)
			}
		})
	}
}
