package media

// Adapt returns what the viewer is sent for a message: none, one or several
// messages of the same kind and time. It follows Enhanced RTMP v2, section
// "Enhancing NetConnection connect Command": a client gets only what it announced.
//
//   - Viewers without Multitrack get track 0 only, and without that header.
//   - Viewers without ModEx get messages without such blocks. A message of several
//     tracks that has to be taken apart loses them for everybody: there is one
//     chain of blocks for all tracks.
//   - A codec that is not among Enhanced goes out in the legacy layout if it has
//     one and the track is 0, which is the only track there. Colour information,
//     channel layouts and what is damaged have no legacy form.
//   - Messages whose codec is not known go to viewers who take Enhanced RTMP at all.
//   - All legacy messages pass, but for CodecID 12, which HEVCByFourCC turns
//     into hvc1.
//
// The payload is not changed and may be among the results. The memory of the
// results is at most proportional to it.
func (c Capabilities) Adapt(kind Kind, payload []byte) [][]byte {
	p := Inspect(kind, payload)
	switch {
	case p.Traits()&^c.Accepts() == 0:
		return [][]byte{payload}
	case p.Traits() == TraitCodecID12:
		return c.byFourCC(p, payload)
	case p.ModEx && !c.ModEx:
		stripped := StripModEx(kind, payload)
		if len(stripped) == len(payload) { // blocks that cannot be stripped cannot be skipped either
			return nil
		}
		return c.Adapt(kind, stripped)
	case p.Multi:
		return c.adaptTracks(kind, payload)
	default:
		return c.adaptTrack(nil, kind, payload)
	}
}

// byFourCC is for H.265 with CodecID 12.
func (c Capabilities) byFourCC(p Packet, payload []byte) [][]byte {
	if c.Enhanced&hvc1 == 0 {
		return nil
	}
	if out := fourCCForm(p, payload); out != nil {
		return [][]byte{out}
	}
	return nil
}

// adaptTracks takes a message of several tracks apart, unless the viewer takes all
// of them.
func (c Capabilities) adaptTracks(kind Kind, payload []byte) [][]byte {
	tracks, err := Split(kind, payload)
	if err != nil {
		return nil
	}
	var out [][]byte
	whole := c.Multitrack
	for _, t := range tracks {
		p := Inspect(kind, t.Payload)
		whole = whole && c.takes(p)
		if p.Type == Opaque && kind.hasFourCC(p.Codec) { // a track that has nothing this time
			continue
		}
		out = c.adaptTrack(out, kind, t.Payload)
	}
	if whole {
		return [][]byte{payload}
	}
	return out
}

// adaptTrack appends what the viewer is sent for a message of one track, of which
// the ModEx blocks are settled.
func (c Capabilities) adaptTrack(dst [][]byte, kind Kind, payload []byte) [][]byte {
	if !c.Multitrack {
		payload = Unwrap(kind, payload)
	}
	if kind == Video { // what was wrapped may be of any frame type
		payload = RelayMetadata(payload)
	}
	p := Inspect(kind, payload)
	if !c.takes(p) {
		payload = c.legacyForm(p, payload)
	}
	if payload == nil {
		return dst
	}
	return append(dst, payload)
}

// takes reports whether the viewer takes a message of one track as it is. H.265 of
// other tracks than 0 has no CodecID.
func (c Capabilities) takes(p Packet) bool {
	accepted := c.Accepts()
	if p.Track != 0 {
		accepted |= Traits(c.Enhanced & hvc1)
	}
	return p.Traits()&^accepted == 0
}

// legacyForm returns nil where there is none that the viewer takes.
func (c Capabilities) legacyForm(p Packet, payload []byte) []byte {
	switch {
	case p.Track != 0:
		return nil
	case p.Codec == H264:
		return codecIDForm(codecIDAVC, p, payload)
	case p.Codec == H265 && c.HEVC == HEVCByCodecID:
		return codecIDForm(codecIDHEVC, p, payload)
	case p.Codec == AAC:
		return aacForm(p, payload)
	case p.Codec == MP3:
		return mp3Form(p, payload)
	default:
		return nil
	}
}
