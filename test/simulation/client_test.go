package simulation

import (
	"slices"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
)

// client is what a client announces: FourCCs, and behind them "multitrack" and
// "reconnect". The empty one is of before Enhanced RTMP, or keeps silent.
type client string

var clients = []client{
	"", "", "", "* multitrack reconnect", "* multitrack reconnect", "* reconnect", "hvc1", "hvc1 multitrack", "av01 Opus",
}

func (c client) has(name string) bool { return slices.Contains(strings.Fields(string(c)), name) }

// announces returns the properties of connect.
func (c client) announces() amf.Object {
	if c == "" {
		return nil
	}
	var codecs amf.StrictArray
	for _, name := range strings.Fields(string(c)) {
		if len(name) == 1 || len(name) == 4 {
			codecs = append(codecs, name)
		}
	}
	caps := 0.0
	if c.has("reconnect") {
		caps++
	}
	if c.has("multitrack") {
		caps += 2
	}
	return amf.Object{{Name: "fourCcList", Value: codecs}, {Name: "capsEx", Value: caps}}
}

// enhanced reports whether the player takes a codec by its FourCC.
func (v *viewing) enhanced(codec string) bool {
	switch {
	case v.query == "?enhanced=no":
		return false
	case v.kind != "":
		return v.kind.has("*") || v.kind.has(codec)
	default:
		return v.query == "?tracks=all" || !v.w.settings.Strict
	}
}

// takes reports whether the player can take a track of a source.
func (v *viewing) takes(s *source, id trackID) bool {
	codec := s.codec(id)
	switch {
	case id.id != 0:
		return (v.kind.has("multitrack") || v.query == "?tracks=all") && v.enhanced(codec)
	case codec == "hvc1" && v.query == "?hevc=legacy", codec == codecLegacy, codec == codecHEVC12:
		return true
	default:
		return v.enhanced(codec)
	}
}

// The codecs without a FourCC: H.264 and AAC, and H.265 as CodecID 12.
const (
	codecLegacy = "legacy"
	codecHEVC12 = "CodecID 12"
)

// codec is how a track is published: a FourCC, or a layout of before them.
func (s *source) codec(id trackID) string {
	switch {
	case id.kind == media.Audio && id.id != 0:
		return "mp4a"
	case id.kind == media.Audio:
		return s.audio
	case id.id != 0:
		return "hvc1"
	default:
		return s.video
	}
}
