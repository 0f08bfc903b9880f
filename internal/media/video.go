package media

// Frame types, the upper half of the first byte of a video message without the top bit.
const (
	frameTypeKey          = 1
	frameTypeGeneratedKey = 4
	frameTypeCommand      = 5
)

// CodecID values of the legacy layout whose packets have the five-byte AVC header.
const (
	codecIDAVC  = 7
	codecIDHEVC = 12
)

// AVCPacketType.
const (
	avcSequenceHeader = 0
	avcNALU           = 1
	avcEndOfSequence  = 2
)

const (
	videoExBit    = 0x80 // set: Enhanced RTMP. It must be looked at before the frame type and the codec id
	avcHeaderSize = 5    // frame type and codec, packet type, composition time
)

// InspectVideo reads the header of a video message. It never fails: what it does not understand is Opaque.
func InspectVideo(payload []byte) Packet {
	p := Packet{Kind: Video}
	switch {
	case len(payload) == 0:
		return p
	case payload[0]&videoExBit != 0:
		return inspectEnhanced(p, payload)
	default:
		return inspectLegacyVideo(p, payload)
	}
}

func inspectLegacyVideo(p Packet, payload []byte) Packet {
	frameType, id := frameTypeOf(payload), payload[0]&0x0F
	p.Codec = legacyVideoCodec(id)
	if len(payload) < 2 {
		return p
	}
	p.start, p.end = 1, len(payload)
	switch {
	case frameType == frameTypeCommand: // for every codec: the command byte follows at once
		p.Type = Command
	case id == codecIDAVC || id == codecIDHEVC:
		return inspectAVC(p, payload)
	case p.Codec >= SorensonH263 && p.Codec <= ScreenVideo2:
		p.Type, p.Keyframe = Frame, isKey(frameType)
	default:
		return p.opaque()
	}
	return p
}

// inspectAVC reads the packet of CodecID 7, and of 12, which differs in the configuration and the NAL units only. A
// sequence header is recognised by its packet type alone, since some encoders send it with the frame type of an
// inter frame (27 00).
func inspectAVC(p Packet, payload []byte) Packet {
	p.start = min(avcHeaderSize, len(payload))
	switch payload[1] {
	case avcSequenceHeader:
		p.Type = SequenceHeader
	case avcNALU:
		p.Type, p.Keyframe = Frame, isKey(frameTypeOf(payload))
		if len(payload) >= avcHeaderSize {
			p.CompositionTime = signed24(payload[2:])
		}
	case avcEndOfSequence:
		p.Type = SequenceEnd
		p.start = p.end
	default:
		return p.opaque()
	}
	return p.settle()
}

// frameTypeOf returns that of a message of either layout.
func frameTypeOf(payload []byte) byte {
	return payload[0] >> 4 & 0x07
}

func isKey(frameType uint8) bool {
	return frameType == frameTypeKey || frameType == frameTypeGeneratedKey
}

func legacyVideoCodec(id uint8) Codec {
	switch id {
	case codecIDAVC:
		return H264
	case codecIDHEVC:
		return H265
	default:
		return legacyVideo | Codec(id)
	}
}
