package media

import (
	"fmt"
	"slices"
)

// maxTracksPerMessage stops one message from becoming hundreds of messages: a full set of track ids, each with a body
// of nothing, fits into a kilobyte.
const maxTracksPerMessage = 32

// TrackPacket is a message that carries one track.
type TrackPacket struct {
	Track uint8
	Codec Codec
	// Payload is the message: for track 0 without Multitrack, for others as OneTrack, always without ModEx. It may be
	// the slice that was split and is read-only like it.
	Payload []byte
}

// Split returns one message for each track of payload, so that the header of each track can be kept, and sent, by
// itself: FFmpeg 8 loses its place in a message that has several. A message with one track gives one message. The
// parts share frame type and packet type, and each may be inspected as any other message.
//
// Errors wrap ErrMalformed: a size beyond the end, a track id used twice, more than 32 tracks, a reserved layout. Then
// nothing of the message should be used.
func Split(kind Kind, payload []byte) ([]TrackPacket, error) {
	if !isEnhanced(kind, payload) {
		return []TrackPacket{{Codec: Inspect(kind, payload).Codec, Payload: payload}}, nil
	}
	payload = StripModEx(kind, payload)
	h, ok := readExHeader(kind, payload)
	if !ok {
		return nil, fmt.Errorf("split %s message: %w: header", kind, ErrMalformed)
	}
	if h.command {
		return []TrackPacket{{Payload: payload}}, nil
	}
	if h.multitrack && kind.packetType(h.packetType) == Opaque {
		return nil, fmt.Errorf("split %s message: %w: packet type %d inside Multitrack", kind, ErrMalformed, h.packetType)
	}
	return splitTracks(kind, h, payload)
}

func splitTracks(kind Kind, h exHeader, payload []byte) ([]TrackPacket, error) {
	var parts []TrackPacket
	for pos := h.tracks; ; {
		t, ok := h.track(payload, pos)
		if !ok {
			return nil, fmt.Errorf("split %s message: %w: track %d is cut short", kind, ErrMalformed, len(parts))
		}
		if len(parts) == maxTracksPerMessage {
			return nil, fmt.Errorf("split %s message: %w: more than %d tracks", kind, ErrMalformed, maxTracksPerMessage)
		}
		if slices.ContainsFunc(parts, func(other TrackPacket) bool { return other.Track == t.id }) {
			return nil, fmt.Errorf("split %s message: %w: track id %d twice", kind, ErrMalformed, t.id)
		}
		parts = append(parts, TrackPacket{Track: t.id, Codec: fourCC(payload[t.codec:]), Payload: h.single(payload, t)})
		if pos = t.end; pos == len(payload) {
			return parts, nil
		}
	}
}

// single lays a track out as a message of its own. ModEx blocks stay. The last byte in front of the tracks names the
// packet type: it stays Multitrack except for track 0, which needs no track id.
func (h exHeader) single(payload []byte, t exTrack) []byte {
	if !h.multitrack || h.layout == oneTrack && t.id != 0 {
		return payload
	}
	out := make([]byte, 0, h.pos+1+fourCCSize+1+t.end-t.start)
	out = append(out, payload[:h.pos]...)
	if t.id == 0 {
		out[h.pos-1] = out[h.pos-1]&0xF0 | h.packetType
	} else {
		out = append(out, oneTrack<<4|h.packetType)
	}
	out = append(out, payload[t.codec:t.codec+fourCCSize]...)
	if t.id != 0 {
		out = append(out, t.id)
	}
	return append(out, payload[t.start:t.end]...)
}

// Unwrap returns a OneTrack message of track 0 without its Multitrack header, for players that did not announce
// Multitrack in capsEx. ModEx blocks stay. Any other message is returned as it is.
func Unwrap(kind Kind, payload []byte) []byte {
	if !isEnhanced(kind, payload) {
		return payload
	}
	h, ok := readExHeader(kind, payload)
	if !ok || h.command || h.layout != oneTrack || kind.packetType(h.packetType) == Opaque {
		return payload
	}
	t, ok := h.track(payload, h.tracks)
	if !ok {
		return payload
	}
	return h.single(payload, t)
}

// StripModEx returns the message without its ModEx blocks, for players that did not announce ModEx in capsEx, and a
// message without such blocks, or with damaged ones, as it is. The kind is needed because the first byte A7 is a ModEx
// header in video and legacy AAC in audio.
func StripModEx(kind Kind, payload []byte) []byte {
	if !isEnhanced(kind, payload) {
		return payload
	}
	packetType, pos, ok := skipModEx(payload)
	if !ok || pos == 1 {
		return payload
	}
	out := make([]byte, 0, 1+len(payload)-pos)
	out = append(out, payload[0]&0xF0|packetType)
	return append(out, payload[pos:]...)
}

// RelayMetadata returns a video message of the type Metadata with frame type 5, the
// only one with which FFmpeg knows it: it decodes others as frames. OBS sends frame
// type 0. The frame type of Metadata has no meaning: Enhanced RTMP v2,
// ExVideoTagHeader. That of a Multitrack message is left alone, since 5 would make a
// command of it. Any other message is returned as it is.
func RelayMetadata(payload []byte) []byte {
	p := InspectVideo(payload)
	if p.Type != Metadata || p.Multitrack || frameTypeOf(payload) == frameTypeCommand {
		return payload
	}
	out := slices.Clone(payload)
	out[0] = videoExBit | frameTypeCommand<<4 | payload[0]&0x0F
	return out
}
