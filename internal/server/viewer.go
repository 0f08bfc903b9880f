package server

import (
	"slices"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// EnhancedPolicy says what players that announce no codec get of Enhanced RTMP.
type EnhancedPolicy uint8

// The policies.
const (
	// EnhancedPermissive sends them every codec: FFmpeg and VLC announce nothing,
	// and play what they are sent.
	EnhancedPermissive EnhancedPolicy = iota
	// EnhancedStrict sends them only what has a legacy form, for players of before
	// Enhanced RTMP, which stop at what they do not know.
	EnhancedStrict
)

// HEVCPolicy says in which form players get H.265.
type HEVCPolicy uint8

// The policies.
const (
	// HEVCAuto sends it by FourCC to players that announced hvc1, and as published
	// to others.
	HEVCAuto HEVCPolicy = iota
	// HEVCFourCC sends it by FourCC to all that take hvc1, announced or not.
	HEVCFourCC
	// HEVCLegacy sends it as CodecID 12 to all but those that announced hvc1.
	HEVCLegacy
	// HEVCPublished sends it as published.
	HEVCPublished
)

// wishes are what the URL of a player asks for. They win over what it announced,
// which most players do not let their users change.
type wishes struct {
	// live says that the player wants to start at the live edge, without the
	// newest keyframe group: "cache=no".
	live bool
	// allTracks is "tracks=all": FFmpeg 8 reads several tracks, but does not
	// announce it.
	allTracks bool
	// enhanced and plain are "enhanced=yes" and "enhanced=no".
	enhanced, plain bool
	// hevc is "hevc=fourcc" or "hevc=legacy".
	hevc media.HEVCForm
}

// read takes one argument of the query; of several that contradict each other
// the last one counts. Others are not for this server.
func (w *wishes) read(arg string) {
	switch arg {
	case "cache=no":
		w.live = true
	case "tracks=all":
		w.allTracks = true
	case "enhanced=yes":
		w.enhanced, w.plain = true, false
	case "enhanced=no":
		w.enhanced, w.plain = false, true
	case "hevc=fourcc":
		w.hevc = media.HEVCByFourCC
	case "hevc=legacy":
		w.hevc = media.HEVCByCodecID
	}
}

// The codecs that a client may announce, for each kind of media.
var (
	videoCodecs = [...]media.Codec{media.H264, media.H265, media.H266, media.AV1, media.VP8, media.VP9}
	audioCodecs = [...]media.Codec{media.AAC, media.Opus, media.FLAC, media.MP3, media.AC3, media.EAC3}
)

// announcedCodecs are those that a client announced.
func announcedCodecs(announced rtmp.Capabilities) media.Codecs {
	var codecs media.Codecs
	for _, codec := range videoCodecs {
		if announced.Video.Has(uint32(codec)) {
			codecs |= media.CodecSet(codec)
		}
	}
	for _, codec := range audioCodecs {
		if announced.Audio.Has(uint32(codec)) {
			codecs |= media.CodecSet(codec)
		}
	}
	return codecs
}

// codecNames lists codecs for the log.
func codecNames(codecs media.Codecs) string {
	names := []string{"legacy codecs"}
	for _, codec := range slices.Concat(videoCodecs[:], audioCodecs[:]) {
		if codecs&media.CodecSet(codec) != 0 {
			names = append(names, codec.String())
		}
	}
	return strings.Join(names, ", ")
}

// capabilitiesOf are what a player can take, by its own words and by the settings
// of the server.
func (o *Options) capabilitiesOf(announced rtmp.Capabilities, w wishes) media.Capabilities {
	c := media.Capabilities{
		Restricted: true,
		Multitrack: announced.Multitrack || w.allTracks,
		ModEx:      announced.ModEx,
	}
	switch {
	case w.plain:
	case w.enhanced, w.allTracks && !announced.Announced:
		c.Enhanced = media.AllCodecs
	case announced.Announced:
		c.Enhanced = announcedCodecs(announced)
	case o.Enhanced == EnhancedPermissive:
		c.Enhanced = media.AllCodecs
	}
	if w.hevc == media.HEVCByFourCC {
		c.Enhanced |= media.CodecSet(media.H265)
	}
	c.HEVC = o.hevcForm(announced, c.Enhanced, w)
	return c
}

// hevcForm is how a player gets H.265 that takes the given codecs by FourCC.
func (o *Options) hevcForm(announced rtmp.Capabilities, enhanced media.Codecs, w wishes) media.HEVCForm {
	byFourCC := enhanced&media.CodecSet(media.H265) != 0
	named := byFourCC && announced.Video.Has(uint32(media.H265))
	switch {
	case w.hevc != media.HEVCAsPublished:
		return w.hevc
	case o.HEVC == HEVCLegacy && !named:
		return media.HEVCByCodecID
	case o.HEVC == HEVCFourCC && byFourCC, o.HEVC != HEVCPublished && named:
		return media.HEVCByFourCC
	default:
		return media.HEVCAsPublished
	}
}
