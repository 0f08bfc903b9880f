package media

// The functions here write the body of one message in another layout. The frame
// type, the composition time and the body stay as they are. They return nil for what
// the other layout does not have.

// codecIDForm writes avc1 and hvc1 in the layout of FLV specification 10.1, E.4.3.
// The configuration of an MPEG-2 transport stream is another record, which the legacy
// layout does not have.
func codecIDForm(id byte, p Packet, payload []byte) []byte {
	var packetType byte
	switch {
	case p.Type == SequenceHeader && p.wire == packetTypeSequenceStart:
		packetType = avcSequenceHeader
	case p.Type == Frame:
		packetType = avcNALU
	case p.Type == SequenceEnd:
		packetType = avcEndOfSequence
	default:
		return nil
	}
	body := p.Body(payload)
	out := make([]byte, 0, avcHeaderSize+len(body))
	out = append(out, frameTypeOf(payload)<<4|id, packetType)
	out = appendSigned24(out, p.CompositionTime)
	return append(out, body...)
}

// fourCCForm writes H.265 with CodecID 12 in the layout of Enhanced RTMP.
func fourCCForm(p Packet, payload []byte) []byte {
	body := p.Body(payload)
	out := make([]byte, 0, 1+fourCCSize+compositionTimeSize+len(body))
	out = append(out, videoExBit|frameTypeOf(payload)<<4)
	switch {
	case p.Type == Command: // has no FourCC; the packet type means nothing but must not be that of Metadata
		out[0] |= packetTypeCodedFrames
		return append(out, body...)
	case p.Type == SequenceHeader:
		out[0] |= packetTypeSequenceStart
	case p.Type == SequenceEnd:
		out[0] |= packetTypeSequenceEnd
	case p.Type != Frame:
		return nil
	case p.CompositionTime == 0:
		out[0] |= packetTypeCodedFramesX
	default:
		out[0] |= packetTypeCodedFrames
	}
	out = append(out, "hvc1"...)
	if p.CompositionTime != 0 {
		out = appendSigned24(out, p.CompositionTime)
	}
	return append(out, body...)
}

// aacForm writes mp4a with SoundFormat 10, for which rate, size and channels are fixed
// at 44 kHz, 16 bits and stereo: FLV specification 10.1, E.4.2.1.
func aacForm(p Packet, payload []byte) []byte {
	const header = soundFormatAAC<<4 | soundRate44k | soundSize16 | soundStereo
	var packetType byte
	switch p.Type {
	case SequenceHeader:
		packetType = 0
	case Frame:
		packetType = 1
	default:
		return nil
	}
	return append([]byte{header, packetType}, p.Body(payload)...)
}

// mp3Form writes .mp3 with SoundFormat 2, or 14 for 8 kHz. MP3 describes itself in its
// frames, so that the legacy layout has only those.
func mp3Form(p Packet, payload []byte) []byte {
	if p.Type != Frame {
		return nil
	}
	body := p.Body(payload)
	return append([]byte{mp3Header(body)}, body...)
}

// mp3Header makes the first byte of a legacy MP3 message from the header of the first
// frame: ISO/IEC 11172-3 section 2.4.1.3. FLV names the largest sample rate of each
// version of MPEG audio, nearly, and the others of that version go by the same name, as
// FFmpeg does it for 48 kHz. Decoders read the rate in the frame.
func mp3Header(frame []byte) byte {
	const other = soundFormatMP3<<4 | soundRate44k | soundSize16 | soundStereo
	if len(frame) < 4 || frame[0] != 0xFF || frame[1]>>5 != 0x07 {
		return other
	}
	version, rate := frame[1]>>3&0x03, frame[2]>>2&0x03
	channels := byte(soundStereo)
	if frame[3]>>6 == 0x03 { // single channel
		channels = 0
	}
	switch {
	case version == 0 && rate == 2: // 8 kHz
		return soundFormatMP38k<<4 | soundSize16 | channels
	case version == 0: // MPEG-2.5: 11.025 and 12 kHz
		return soundFormatMP3<<4 | soundRate11k | soundSize16 | channels
	case version == 2: // MPEG-2: 22.05, 24 and 16 kHz
		return soundFormatMP3<<4 | soundRate22k | soundSize16 | channels
	default: // MPEG-1: 44.1, 48 and 32 kHz
		return soundFormatMP3<<4 | soundRate44k | soundSize16 | channels
	}
}
