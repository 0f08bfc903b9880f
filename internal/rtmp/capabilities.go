package rtmp

import (
	"math"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// maxFourCCs bounds the entries of each list of codecs that are looked at. It
// stops the client that has every play search a thousand of them; Enhanced RTMP
// v2 knows 12.
const maxFourCCs = 64

// Capabilities are what a client announces in its connect command (Enhanced RTMP
// v2, "Enhancing NetConnection connect Command").
type Capabilities struct {
	// Announced says that the client named codecs at all. FFmpeg, VLC and OBS do
	// not, whatever they can decode.
	Announced bool
	// Video and Audio are the codecs that it takes with a FourCC.
	Video, Audio FourCCs

	// Reconnect clients act on a request to reconnect.
	Reconnect bool
	// Multitrack clients understand messages with a Multitrack header.
	Multitrack bool
	// ModEx clients can skip ModEx blocks.
	ModEx bool
	// TimestampNanoOffset clients use the nanoseconds in them.
	TimestampNanoOffset bool

	// VideoFunction is the bit mask of that name, where 0x01 means seeking by
	// frames, 0x02 HDR, 0x04 Metadata packets and 0x08 AV1 large-scale tiles.
	VideoFunction uint32
}

// FourCCs is a set of codecs. The zero value is empty.
type FourCCs struct {
	all   bool
	named []uint32
}

// Has reports whether the set holds a codec, given as its four characters in a
// big-endian number.
func (f FourCCs) Has(fourCC uint32) bool { return f.all || slices.Contains(f.named, fourCC) }

// The bits of capsEx.
const (
	capsReconnect           = 0x01
	capsMultitrack          = 0x02
	capsModEx               = 0x04
	capsTimestampNanoOffset = 0x08
)

// The flags of a codec in videoFourCcInfoMap and audioFourCcInfoMap.
const (
	fourCCDecode  = 0x01
	fourCCForward = 0x04
)

// anyFourCC stands for all codecs, in lists and in maps.
const anyFourCC = "*"

// Names of properties that client and server announce with.
const (
	propertyFourCCList = "fourCcList"
	propertyVideoMap   = "videoFourCcInfoMap"
	propertyAudioMap   = "audioFourCcInfoMap"
	propertyCapsEx     = "capsEx"
)

// ParseCapabilities reads them from the command object of connect. Clients are in
// transition from the list of Enhanced RTMP v1 to the maps of v2: a codec in
// either counts. Whatever has another type or form than it should is ignored, as
// if it were not there, so that a list without one usable entry announces
// nothing.
func ParseCapabilities(connect amf.Object) Capabilities {
	get := func(name string) any {
		v, _ := connect.Get(name)
		return v
	}
	var c Capabilities
	for _, v := range elements(get(propertyFourCCList)) {
		if name, ok := amf.AsString(v); ok && c.announce(&c.Video, name, true) {
			c.announce(&c.Audio, name, true)
		}
	}
	c.readMap(&c.Video, get(propertyVideoMap))
	c.readMap(&c.Audio, get(propertyAudioMap))

	caps := bitMask(get(propertyCapsEx))
	c.Reconnect = caps&capsReconnect != 0
	c.Multitrack = caps&capsMultitrack != 0
	c.ModEx = caps&capsModEx != 0
	c.TimestampNanoOffset = caps&capsTimestampNanoOffset != 0
	c.VideoFunction = bitMask(get("videoFunction"))
	return c
}

// readMap reads one of the maps from codecs to flags. A client receives what it
// can decode and what it can forward. The flags for all codecs hold for each of
// them, beside its own.
func (c *Capabilities) readMap(set *FourCCs, v any) {
	codecs, _ := amf.Properties(v)
	for _, p := range codecs[:min(len(codecs), maxFourCCs)] {
		if _, ok := amf.AsNumber(p.Value); ok {
			c.announce(set, p.Name, bitMask(p.Value)&(fourCCDecode|fourCCForward) != 0)
		}
	}
}

// announce notes a codec that the client named, which it may be able to encode
// only. It reports whether the name is one.
func (c *Capabilities) announce(set *FourCCs, name string, takes bool) bool {
	switch {
	case name == anyFourCC:
		set.all = set.all || takes
	case len(name) != 4:
		return false
	case takes:
		set.named = append(set.named, uint32(name[0])<<24|uint32(name[1])<<16|uint32(name[2])<<8|uint32(name[3]))
	}
	c.Announced = true
	return true
}

// elements returns the first values of any kind of array, or of an object used as
// one.
func elements(v any) []any {
	if w, ok := v.(amf.AVMPlus); ok {
		v = w.Value
	}
	var values []any
	switch array := v.(type) {
	case amf.StrictArray:
		values = array
	case amf.Array3:
		values = array.Dense
	}
	values = slices.Clone(values[:min(len(values), maxFourCCs)])
	properties, _ := amf.Properties(v)
	for _, p := range properties[:min(len(properties), maxFourCCs-len(values))] {
		values = append(values, p.Value)
	}
	return values
}

// bitMask converts a number to a mask. What is none has no bits set.
func bitMask(v any) uint32 {
	n, ok := amf.AsNumber(v)
	if !ok || !(n >= 0 && n <= math.MaxUint32) { // false for NaN as well
		return 0
	}
	return uint32(n)
}

// announcement is what the server says of itself: it forwards every codec, extra
// tracks and ModEx blocks as they are, and may ask a client to reconnect.
func announcement() amf.Object {
	forwardsAll := amf.Object{{Name: anyFourCC, Value: float64(fourCCForward)}}
	return amf.Object{
		{Name: propertyFourCCList, Value: amf.StrictArray{anyFourCC}},
		{Name: propertyVideoMap, Value: forwardsAll},
		{Name: propertyAudioMap, Value: forwardsAll},
		{Name: propertyCapsEx, Value: float64(capsReconnect | capsMultitrack | capsModEx | capsTimestampNanoOffset)},
	}
}
