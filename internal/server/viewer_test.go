package server

import (
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// What players announce, by the object of their connect.
func fourCCList(fourCCs ...any) amf.Object {
	return amf.Object{{Name: "fourCcList", Value: amf.StrictArray(fourCCs)}}
}

func capsEx(bits float64) amf.Object { return amf.Object{{Name: "capsEx", Value: bits}} }

var (
	av1  = media.CodecSet(media.AV1)
	hevc = media.CodecSet(media.H265)
)

// viewers are what players of every class can take.
var viewers = []struct {
	name     string
	announce amf.Object
	query    string
	options  Options
	want     media.Capabilities
}{
	{name: "nothing announced", want: media.Capabilities{Enhanced: media.AllCodecs}},
	{name: "an empty list", announce: fourCCList(), want: media.Capabilities{Enhanced: media.AllCodecs}},
	{name: "a list", announce: fourCCList("av01"), want: media.Capabilities{Enhanced: av1}},
	{name: "a list with H.265", announce: fourCCList("av01", "hvc1"), want: media.Capabilities{Enhanced: av1 | hevc, HEVC: media.HEVCByFourCC}},
	{name: "all codecs", announce: fourCCList("*"), want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByFourCC}},
	{
		name:     "a map for audio",
		announce: amf.Object{{Name: "audioFourCcInfoMap", Value: amf.Object{{Name: "*", Value: 4.0}}}},
		want: media.Capabilities{Enhanced: media.CodecSet(media.AAC) | media.CodecSet(media.Opus) | media.CodecSet(media.FLAC) |
			media.CodecSet(media.MP3) | media.CodecSet(media.AC3) | media.CodecSet(media.EAC3)},
	},
	{name: "codecs that nobody knows", announce: fourCCList("zzzz"), want: media.Capabilities{}},
	{name: "Multitrack", announce: capsEx(2), want: media.Capabilities{Enhanced: media.AllCodecs, Multitrack: true}},
	{name: "ModEx", announce: capsEx(4), want: media.Capabilities{Enhanced: media.AllCodecs, ModEx: true}},
	{name: "a list and capsEx", announce: append(fourCCList("av01"), capsEx(15)...), want: media.Capabilities{Enhanced: av1, Multitrack: true, ModEx: true}},

	{name: "strict, nothing announced", options: Options{Enhanced: EnhancedStrict}, want: media.Capabilities{}},
	{name: "strict, a list", announce: fourCCList("av01"), options: Options{Enhanced: EnhancedStrict}, want: media.Capabilities{Enhanced: av1}},
	{name: "strict, all tracks", query: "tracks=all", options: Options{Enhanced: EnhancedStrict}, want: media.Capabilities{Enhanced: media.AllCodecs, Multitrack: true}},
	{name: "strict, enhanced", query: "enhanced=yes", options: Options{Enhanced: EnhancedStrict}, want: media.Capabilities{Enhanced: media.AllCodecs}},

	{name: "all tracks", query: "tracks=all", want: media.Capabilities{Enhanced: media.AllCodecs, Multitrack: true}},
	{name: "all tracks, and a list", announce: fourCCList("av01"), query: "tracks=all", want: media.Capabilities{Enhanced: av1, Multitrack: true}},
	{name: "enhanced, and a list", announce: fourCCList("av01"), query: "enhanced=yes", want: media.Capabilities{Enhanced: media.AllCodecs}},
	{name: "not enhanced", query: "enhanced=no", want: media.Capabilities{}},
	{name: "not enhanced, and a list", announce: fourCCList("*"), query: "enhanced=no", want: media.Capabilities{}},

	{name: "H.265 in the legacy layout", query: "hevc=legacy", want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByCodecID}},
	{name: "H.265 by FourCC", query: "hevc=fourcc", want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByFourCC}},
	{
		name: "a list with H.265 in the legacy layout", announce: fourCCList("hvc1"), query: "hevc=legacy",
		want: media.Capabilities{Enhanced: hevc, HEVC: media.HEVCByCodecID},
	},
	{
		name: "a list without H.265, by FourCC", announce: fourCCList("av01"), query: "hevc=fourcc",
		want: media.Capabilities{Enhanced: av1 | hevc, HEVC: media.HEVCByFourCC},
	},

	{name: "legacy, nothing announced", options: Options{HEVC: HEVCLegacy}, want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByCodecID}},
	{name: "legacy, a list without H.265", announce: fourCCList("av01"), options: Options{HEVC: HEVCLegacy}, want: media.Capabilities{Enhanced: av1, HEVC: media.HEVCByCodecID}},
	{name: "legacy, a list with H.265", announce: fourCCList("hvc1"), options: Options{HEVC: HEVCLegacy}, want: media.Capabilities{Enhanced: hevc, HEVC: media.HEVCByFourCC}},
	{
		name: "legacy, H.265 announced and not enhanced", announce: fourCCList("hvc1"), query: "enhanced=no", options: Options{HEVC: HEVCLegacy},
		want: media.Capabilities{HEVC: media.HEVCByCodecID},
	},
	{name: "by FourCC, nothing announced", options: Options{HEVC: HEVCFourCC}, want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByFourCC}},
	{name: "by FourCC, a list without H.265", announce: fourCCList("av01"), options: Options{HEVC: HEVCFourCC}, want: media.Capabilities{Enhanced: av1}},
	{name: "as published, a list with H.265", announce: fourCCList("hvc1"), options: Options{HEVC: HEVCPublished}, want: media.Capabilities{Enhanced: hevc}},
	{name: "as published, but asked for", query: "hevc=legacy", options: Options{HEVC: HEVCPublished}, want: media.Capabilities{Enhanced: media.AllCodecs, HEVC: media.HEVCByCodecID}},
}

func TestCapabilitiesOfPlayers(t *testing.T) {
	conformance.Covers(t, 191, 192)
	for _, v := range viewers {
		p, err := parsePath("live", "key?"+v.query, 16)
		if err != nil {
			t.Fatal(err)
		}
		v.want.Restricted = true
		if got := v.options.capabilitiesOf(rtmp.ParseCapabilities(v.announce), p.wishes); got != v.want {
			t.Errorf("%s: %+v, want %+v", v.name, got, v.want)
		}
	}
}
