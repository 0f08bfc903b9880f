package media

// Packet types of Enhanced RTMP v2 (VideoPacketType, AudioPacketType) that shape the header. Multitrack is 6 for
// video and 5 for audio, where 5 means something else for video.
const (
	packetTypeSequenceStart   = 0
	packetTypeCodedFrames     = 1
	packetTypeSequenceEnd     = 2
	packetTypeCodedFramesX    = 3
	packetTypeVideoMetadata   = 4
	packetTypeMPEG2TSSequence = 5
	packetTypeAudioMultitrack = 5
	packetTypeVideoMultitrack = 6
	packetTypeModEx           = 7
)

// AvMultitrackType: how tracks are laid out in a Multitrack message.
const (
	oneTrack             = 0 // FourCC, track id, body to the end of the message
	manyTracks           = 1 // FourCC, then per track: id, size, body
	manyTracksManyCodecs = 2 // per track: FourCC, id, size, body
)

const (
	fourCCSize          = 4
	compositionTimeSize = 3
)

// maxModExBlocks stops a message that is one long chain of tiny ModEx blocks from costing time in proportion to
// its size each time it is looked at. One kind of block is defined today, and each would appear once.
const maxModExBlocks = 8

// What the packet types mean; those that are not named are reserved, or can stand only outside (Multitrack, ModEx).
var (
	videoPacketTypes = [16]PacketType{
		SequenceHeader, Frame, SequenceEnd, Frame, packetTypeVideoMetadata: Metadata, packetTypeMPEG2TSSequence: SequenceHeader,
	}
	audioPacketTypes = [16]PacketType{SequenceHeader, Frame, SequenceEnd, 4: ChannelConfig}
)

// exHeader is the part of an Enhanced RTMP message before its tracks.
type exHeader struct {
	packetType uint8 // the real one, behind ModEx and Multitrack
	command    bool  // a video command: one byte follows at pos, no FourCC, no tracks
	multitrack bool
	layout     uint8 // AvMultitrackType
	codec      int   // where the FourCC of all tracks stands; not with manyTracksManyCodecs
	pos        int   // behind the ModEx blocks; the byte before holds the outermost packet type in its lower half
	tracks     int   // where the first track begins
}

// exTrack is one track of a message. Its body includes the composition time.
type exTrack struct {
	id         uint8
	codec      int // where its FourCC stands
	start, end int // limits of the body
}

// isEnhanced tells the layout from the first byte.
func isEnhanced(kind Kind, payload []byte) bool {
	if len(payload) == 0 {
		return false
	}
	if kind == Video {
		return payload[0]&videoExBit != 0
	}
	return payload[0]>>4 == soundFormatEx
}

// skipModEx returns the packet type behind the ModEx blocks and the position of the first byte behind them. The size
// of a block is one byte, or where that is 255 the two bytes after it, each plus one.
func skipModEx(payload []byte) (packetType uint8, pos int, ok bool) {
	packetType, pos = payload[0]&0x0F, 1
	for blocks := 0; packetType == packetTypeModEx; blocks++ {
		if blocks == maxModExBlocks || pos >= len(payload) {
			return 0, 0, false
		}
		size := int(payload[pos]) + 1
		pos++
		if size == 256 {
			if len(payload)-pos < 2 {
				return 0, 0, false
			}
			size = int(payload[pos])<<8 + int(payload[pos+1]) + 1
			pos += 2
		}
		if size >= len(payload)-pos { // the byte with the next packet type must follow
			return 0, 0, false
		}
		packetType = payload[pos+size] & 0x0F
		pos += size + 1
	}
	return packetType, pos, true
}

// readExHeader reads in the order that Enhanced RTMP v2 gives under ExVideoTagHeader and ExAudioTagHeader: ModEx, video
// command, Multitrack, FourCC. A command has no FourCC, and Metadata may carry the frame type of a command. It does
// not judge the packet type.
func readExHeader(kind Kind, payload []byte) (h exHeader, ok bool) {
	h.packetType, h.pos, ok = skipModEx(payload)
	if !ok {
		return h, false
	}
	h.tracks = h.pos
	if kind == Video && h.packetType != packetTypeVideoMetadata && frameTypeOf(payload) == frameTypeCommand {
		h.command = true
		return h, h.pos < len(payload)
	}
	if h.packetType == kind.multitrack() {
		h.multitrack = true
		if h.tracks >= len(payload) {
			return h, false
		}
		h.layout, h.packetType = payload[h.tracks]>>4, payload[h.tracks]&0x0F
		h.tracks++
		if h.layout > manyTracksManyCodecs {
			return h, false
		}
	}
	if h.layout != manyTracksManyCodecs {
		h.codec = h.tracks
		h.tracks += fourCCSize
	}
	return h, h.tracks <= len(payload)
}

// track reads the track that begins at pos, whose bytes must all be there.
func (h exHeader) track(payload []byte, pos int) (t exTrack, ok bool) {
	t.codec = h.codec
	if h.layout == manyTracksManyCodecs {
		t.codec = pos
		pos += fourCCSize
	}
	if h.multitrack {
		if pos >= len(payload) {
			return t, false
		}
		t.id = payload[pos]
		pos++
	}
	t.start, t.end = pos, len(payload)
	if h.layout != oneTrack {
		if len(payload)-pos < 3 {
			return t, false
		}
		t.start = pos + 3
		t.end = t.start + unsigned24(payload[pos:])
	}
	return t, t.end <= len(payload)
}

// multitrack returns the packet type that announces the Multitrack layout.
func (k Kind) multitrack() uint8 {
	if k == Video {
		return packetTypeVideoMultitrack
	}
	return packetTypeAudioMultitrack
}

func (k Kind) packetType(wire uint8) PacketType {
	if k == Video {
		return videoPacketTypes[wire]
	}
	return audioPacketTypes[wire]
}

// inspectEnhanced completes p, of which the kind is set, from a message with an Enhanced RTMP header.
func inspectEnhanced(p Packet, payload []byte) Packet {
	p.Enhanced = true
	p.ModEx = payload[0]&0x0F == packetTypeModEx
	h, ok := readExHeader(p.Kind, payload)
	p.Multitrack = h.multitrack
	if !ok {
		return p
	}
	if h.command {
		p.Type, p.start, p.end = Command, h.pos, len(payload)
		return p
	}
	p.Multi, p.mixed = h.layout != oneTrack, h.layout == manyTracksManyCodecs
	packetType := p.Kind.packetType(h.packetType)
	if packetType == Opaque { // nobody knows what follows: the FourCC and the track are not read either
		return p
	}
	t, ok := h.track(payload, h.tracks)
	if !ok {
		return p
	}
	p.Track = t.id
	p.Codec = fourCC(payload[t.codec:])
	if !p.Kind.hasFourCC(p.Codec) {
		return p
	}
	p.Type, p.wire, p.start, p.end = packetType, h.packetType, t.start, t.end
	p.Keyframe = p.Kind == Video && packetType == Frame && isKey(frameTypeOf(payload))
	return p.readCompositionTime(payload).settle()
}

// readCompositionTime takes the composition time off the body. Only CodedFrames have one; CodedFramesX say that it is 0.
func (p Packet) readCompositionTime(payload []byte) Packet {
	switch {
	case p.Type == SequenceEnd:
		p.start = p.end
	case p.wire != packetTypeCodedFrames || !p.Codec.reorders():
	case p.end-p.start < compositionTimeSize:
		p.start = p.end
	default:
		p.CompositionTime = signed24(payload[p.start:])
		p.start += compositionTimeSize
	}
	return p
}
