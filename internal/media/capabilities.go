package media

// Traits are what a message asks of a viewer beyond the legacy layouts that every
// player knows, as a set of bits. A message without any is for everybody.
type Traits uint32

// The traits.
const (
	// TraitMultitrack is set on messages with a Multitrack header, even if it names
	// track 0 alone.
	TraitMultitrack Traits = 1 << iota
	TraitModEx
	// TraitCodecID12 is set on H.265 in the legacy layout.
	TraitCodecID12
	// TraitUnknown is set on Enhanced RTMP messages that cannot be understood.
	TraitUnknown
	firstCodecTrait
)

// Codecs is a set of codecs in the layout of Enhanced RTMP, which has a FourCC for
// each: the upper bits of [Traits].
type Codecs Traits

// enhancedCodecs are in the order of their bits.
var enhancedCodecs = [...]Codec{H264, H265, H266, AV1, VP8, VP9, AAC, Opus, FLAC, MP3, AC3, EAC3}

// AllCodecs are those that Enhanced RTMP v2 has.
const AllCodecs = Codecs(firstCodecTrait<<len(enhancedCodecs) - firstCodecTrait)

// CodecSet returns the set of one codec, empty if Enhanced RTMP has no FourCC for
// it.
func CodecSet(c Codec) Codecs {
	for i, known := range enhancedCodecs {
		if c == known {
			return Codecs(firstCodecTrait << i)
		}
	}
	return 0
}

// Traits returns those of an inspected message.
func (p Packet) Traits() Traits {
	var t Traits
	if !p.Enhanced {
		if p.Kind == Video && p.Codec == H265 {
			t = TraitCodecID12
		}
		return t
	}
	if p.ModEx {
		t |= TraitModEx
	}
	if p.Multitrack {
		t |= TraitMultitrack
	}
	switch codec := Traits(CodecSet(p.Codec)); {
	case p.Multi: // only the first track was looked at
		t |= Traits(AllCodecs)
	case p.Type == Command:
	case codec == 0 || p.Type == Opaque:
		t |= TraitUnknown
	default:
		t |= codec
	}
	return t
}

// HEVCForm says how a viewer wants H.265.
type HEVCForm uint8

// The forms.
const (
	HEVCAsPublished HEVCForm = iota
	HEVCByFourCC             // Enhanced RTMP, hvc1
	HEVCByCodecID            // the legacy layout with CodecID 12, an unofficial convention
)

// Capabilities are what a viewer can take. They are comparable; viewers with equal
// ones share the bytes. The zero value takes everything as it was published.
type Capabilities struct {
	// Restricted puts the other fields in force.
	Restricted bool
	// Multitrack viewers get all tracks, others track 0 without the header.
	Multitrack bool
	// ModEx viewers get messages with their ModEx blocks, others without.
	ModEx bool
	// Enhanced are the codecs that the viewer takes in the layout of Enhanced
	// RTMP. Others it gets in the legacy layout, if there is one, or not at all.
	Enhanced Codecs
	HEVC     HEVCForm
}

// Accepts returns the traits of messages that the viewer takes as they are: those
// that have no others.
func (c Capabilities) Accepts() Traits {
	if !c.Restricted {
		return ^Traits(0)
	}
	t := Traits(c.Enhanced)
	if c.Enhanced != 0 {
		t |= TraitUnknown
	}
	if c.Multitrack {
		t |= TraitMultitrack
	}
	if c.ModEx {
		t |= TraitModEx
	}
	switch c.HEVC {
	case HEVCAsPublished:
		t |= TraitCodecID12
	case HEVCByCodecID:
		t |= TraitCodecID12
		t &^= Traits(CodecSet(H265))
	}
	return t
}

// For returns the capabilities without those that make no difference to messages
// with the given traits: viewers for whom this is equal get the same bytes.
func (c Capabilities) For(t Traits) Capabilities {
	if !c.Restricted || t&^c.Accepts() == 0 {
		return Capabilities{}
	}
	c.Multitrack = c.Multitrack && t&TraitMultitrack != 0
	c.ModEx = c.ModEx && t&TraitModEx != 0
	if t&TraitUnknown != 0 && c.Enhanced != 0 {
		c.Enhanced = AllCodecs
	} else {
		c.Enhanced &= Codecs(t) | CodecSet(H265)
	}
	if t&(TraitCodecID12|Traits(CodecSet(H265))) == 0 {
		c.HEVC = HEVCAsPublished
		c.Enhanced &^= CodecSet(H265)
	}
	return c
}
