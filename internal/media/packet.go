package media

import "errors"

// ErrMalformed is wrapped by all errors about payload bytes that break their format, or use a reserved value.
var ErrMalformed = errors.New("malformed media data")

// Kind tells audio from video. Their track ids are separate name spaces.
type Kind uint8

// The two kinds of media messages.
const (
	Audio Kind = iota // RTMP message type 8
	Video             // RTMP message type 9
)

// String returns "audio" or "video".
func (k Kind) String() string {
	if k == Video {
		return "video"
	}
	return "audio"
}

// PacketType is what a message means to a stream that keeps headers and the newest keyframe group.
type PacketType uint8

// The packet types.
const (
	// Opaque is unknown or unparsable: forwarded, never kept, no part in keyframe logic.
	Opaque PacketType = iota
	// Frame is a coded frame.
	Frame
	// SequenceHeader is a decoder configuration. It is never a keyframe, although its frame type says so.
	SequenceHeader
	// SequenceEnd says that a track pauses or ends. It ends neither the stream nor another track.
	SequenceEnd
	// Metadata is the Enhanced RTMP video packet with colour information (HDR).
	Metadata
	// ChannelConfig is the Enhanced RTMP audio packet MultichannelConfig. FFmpeg 8 sends it inside legacy AAC
	// streams too, so it says nothing about how the frames are packed.
	ChannelConfig
	// Command is a seek marker of the video (frame type 5).
	Command
	// Silence is an audio message without payload: play out what is buffered and wait for new audio.
	Silence
)

var packetTypeNames = [...]string{
	"opaque", "frame", "sequence header", "sequence end", "metadata", "channel config", "command", "silence",
}

// String names the packet type for logs.
func (t PacketType) String() string {
	if int(t) < len(packetTypeNames) {
		return packetTypeNames[t]
	}
	return packetTypeNames[Opaque]
}

// Packet is what the header of one audio or video message tells.
type Packet struct {
	Kind  Kind
	Type  PacketType
	Codec Codec // zero when the header does not tell it
	// Track is the id of the first track in the message, mostly the only one. Ids are labels: no order of quality.
	Track uint8
	// Keyframe is set on a Frame whose frame type is key (1) or generated key (4). All tracks of a message share it.
	Keyframe bool
	// Enhanced is set on messages with an Enhanced RTMP header.
	Enhanced bool
	// Multitrack is set on messages with a Multitrack header, whatever its layout, and even if it is cut short.
	Multitrack bool
	// Multi is set on messages that may carry several tracks (ManyTracks, ManyTracksManyCodecs). Only the header and
	// the first track were looked at: Split checks and delivers all.
	Multi bool
	// ModEx is set on messages that begin with ModEx blocks.
	ModEx bool
	// CompositionTime is presentation time minus decoding time in ms, for a Frame of H.264, H.265 and H.266; it may be
	// negative. Other codecs have no such field.
	CompositionTime int32

	start, end int   // limits of the body of the first track
	wire       uint8 // Enhanced RTMP packet type, behind ModEx and Multitrack
	mixed      bool  // ManyTracksManyCodecs: Codec is that of the first track only
}

// Inspect reads the header of a message of the given kind.
func Inspect(kind Kind, payload []byte) Packet {
	if kind == Video {
		return InspectVideo(payload)
	}
	return InspectAudio(payload)
}

// Body returns the part of payload that belongs to the first track, behind all headers and behind the composition
// time: the decoder configuration record, the frame (NAL units with their lengths), the AMF values of Metadata, the
// channel configuration, the command byte. It is a part of payload, which must be the slice that was inspected,
// and it is empty for Opaque, Silence and SequenceEnd.
func (p Packet) Body(payload []byte) []byte {
	if p.end > len(payload) {
		return nil
	}
	return payload[p.start:p.end:p.end]
}

// settle takes back the type of a packet whose body is too short for it: a frame without data, a configuration
// that no decoder could use. Kept for newcomers they would replace what works. A message with several tracks is
// not judged by its first one, which may be empty.
func (p Packet) settle() Packet {
	if p.Multi || p.end-p.start >= p.leastBody() {
		return p
	}
	return p.opaque()
}

// opaque keeps what the header told about a message that cannot be used further.
func (p Packet) opaque() Packet {
	return Packet{Kind: p.Kind, Codec: p.Codec, Track: p.Track, Enhanced: p.Enhanced, Multitrack: p.Multitrack, Multi: p.Multi, mixed: p.mixed, ModEx: p.ModEx}
}

// leastBody returns how many bytes a body of this type needs to be of use.
func (p Packet) leastBody() int {
	switch {
	case p.Type == ChannelConfig:
		return 2 // channel order and channel count
	case p.Type == SequenceHeader && p.Codec == AAC:
		return 2 // the shortest AudioSpecificConfig
	case p.Type == SequenceHeader && p.Kind == Audio:
		return 0 // FFmpeg begins AC-3 and MP3, and some encoders Opus, with an empty SequenceStart
	case p.Type == Frame, p.Type == SequenceHeader, p.Type == Metadata:
		return 1
	default:
		return 0
	}
}

// signed24 reads the three bytes of a composition time.
func signed24(b []byte) int32 {
	return int32(uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8) >> 8
}

// appendSigned24 writes the three bytes of a composition time.
func appendSigned24(dst []byte, v int32) []byte {
	return append(dst, byte(v>>16), byte(v>>8), byte(v))
}

// unsigned24 reads a three-byte size.
func unsigned24(b []byte) int {
	return int(b[0])<<16 | int(b[1])<<8 | int(b[2])
}
