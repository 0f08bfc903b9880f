package media

// SoundFormat values that are not simply frames behind one byte: FLV specification 10.1, E.4.2.1.
const (
	soundFormatMP3   = 2
	soundFormatEx    = 9 // reserved once; Enhanced RTMP today
	soundFormatAAC   = 10
	soundFormatMP38k = 14
)

// The rest of the first byte of a legacy audio message.
const (
	soundRate11k = 1 << 2
	soundRate22k = 2 << 2
	soundRate44k = 3 << 2
	soundSize16  = 1 << 1
	soundStereo  = 1
)

const aacHeaderSize = 2 // sound format, packet type

// InspectAudio reads the header of an audio message. It never fails: what it does not understand is Opaque.
// The layout is a matter of each message: a stream of legacy AAC may contain Enhanced RTMP messages.
func InspectAudio(payload []byte) Packet {
	p := Packet{Kind: Audio}
	switch {
	case len(payload) == 0:
		p.Type = Silence
		return p
	case payload[0]>>4 == soundFormatEx:
		return inspectEnhanced(p, payload)
	default:
		return inspectLegacyAudio(p, payload)
	}
}

func inspectLegacyAudio(p Packet, payload []byte) Packet {
	format := payload[0] >> 4
	p.Codec = legacyAudioCodec(format)
	p.Type, p.start, p.end = Frame, 1, len(payload)
	switch format {
	case soundFormatAAC:
		return inspectAAC(p, payload)
	case 12, 13, 15: // reserved (13 is Opus in some private forks), device specific
		return p.opaque()
	default:
		return p.settle()
	}
}

// inspectAAC ignores rate, size and channels in the first byte: for AAC they are fixed and mean nothing.
func inspectAAC(p Packet, payload []byte) Packet {
	if len(payload) < aacHeaderSize || payload[1] > 1 {
		return p.opaque()
	}
	p.start = aacHeaderSize
	if payload[1] == 0 {
		p.Type = SequenceHeader
	}
	return p.settle()
}

func legacyAudioCodec(format uint8) Codec {
	switch format {
	case soundFormatAAC:
		return AAC
	case soundFormatMP3, soundFormatMP38k:
		return MP3
	default:
		return legacyAudio | Codec(format)
	}
}
