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
	// TraitUnknown is set on Enhanced RTMP messages without a codec that is known:
	// new FourCCs, damaged headers, reserved packet types, and seek commands, which
	// have no FourCC.
	TraitUnknown
	firstCodecTrait
)

// Codecs is a set of codecs in the layout of Enhanced RTMP, which has a FourCC for
// each: the upper bits of [Traits].
type Codecs Traits

// enhancedCodecs are in the order of their bits.
var enhancedCodecs = [...]Codec{H264, H265, H266, AV1, VP8, VP9, AAC, Opus, FLAC, MP3, AC3, EAC3}

// The codecs that Enhanced RTMP v2 has.
const (
	AllCodecs   = Codecs(firstCodecTrait<<len(enhancedCodecs) - firstCodecTrait)
	VideoCodecs = Codecs(firstCodecTrait<<6 - firstCodecTrait)
	AudioCodecs = AllCodecs &^ VideoCodecs
)

const hvc1 = Codecs(firstCodecTrait << 1)

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

// codecs returns those that messages of the kind can have.
func (k Kind) codecs() Codecs {
	if k == Video {
		return VideoCodecs
	}
	return AudioCodecs
}

// Traits returns those of an inspected message. A message that is damaged behind
// its FourCC has the traits of its codec.
func (p Packet) Traits() Traits {
	var t Traits
	if !p.Enhanced {
		if p.Codec == H265 {
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
	if p.mixed { // the tracks behind the first may be of any codec
		return t | TraitUnknown | Traits(p.Kind.codecs())
	}
	if codec := CodecSet(p.Codec) & p.Kind.codecs(); codec != 0 {
		return t | Traits(codec)
	}
	return t | TraitUnknown
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
	// HEVC chooses between the two layouts of H.265. HEVCByFourCC needs H265 in
	// Enhanced to be of use. HEVCByCodecID comes before Enhanced for track 0; other
	// tracks have no legacy layout.
	HEVC HEVCForm
}

// Accepts returns the traits of messages that the viewer takes as they are: those
// that have no others.
func (c Capabilities) Accepts() Traits {
	if !c.Restricted {
		return ^Traits(0)
	}
	t := Traits(c.Enhanced & AllCodecs)
	if t != 0 {
		t |= TraitUnknown
	}
	if c.Multitrack {
		t |= TraitMultitrack
	}
	if c.ModEx {
		t |= TraitModEx
	}
	if c.HEVC != HEVCByFourCC {
		t |= TraitCodecID12
	}
	if c.HEVC == HEVCByCodecID {
		t &^= Traits(hvc1)
	}
	return t
}

// For returns the capabilities without those that make no difference to messages
// with exactly the given traits: viewers for whom this is equal get the same bytes.
// It is the zero value for viewers who take such messages as they are.
func (c Capabilities) For(t Traits) Capabilities {
	if t&^c.Accepts() == 0 {
		return Capabilities{}
	}
	if t&TraitCodecID12 != 0 {
		return Capabilities{Restricted: true, Enhanced: c.Enhanced & hvc1, HEVC: HEVCByFourCC}
	}
	key := Capabilities{
		Restricted: true,
		Multitrack: c.Multitrack && t&TraitMultitrack != 0,
		ModEx:      c.ModEx && t&TraitModEx != 0,
	}
	matter := Codecs(t) & AllCodecs
	if matter&hvc1 != 0 && c.HEVC == HEVCByCodecID {
		key.HEVC = HEVCByCodecID
		if !key.Multitrack { // there is only track 0, which is not sent as hvc1
			matter &^= hvc1
		}
	}
	key.Enhanced = c.Enhanced & matter
	if key.Enhanced == 0 && t&TraitUnknown != 0 && c.Enhanced&AllCodecs != 0 {
		key.Enhanced = AllCodecs &^ matter // any codec will do for what is unknown
	}
	if key.Enhanced == 0 { // nothing of Enhanced RTMP is left, so neither are its headers
		key.Multitrack, key.ModEx = false, false
	}
	return key
}
