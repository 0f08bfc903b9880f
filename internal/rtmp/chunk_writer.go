package rtmp

import (
	"encoding/binary"
	"slices"
)

const (
	// DefaultChunkSize is the chunk size of both directions until a Set Chunk
	// Size message changes it (RTMP 1.0 section 5.4.1).
	DefaultChunkSize = 128

	// extendedTimestamp in a 24-bit timestamp field says that the full value
	// follows in 4 more bytes (RTMP 1.0 section 5.3.1.3).
	extendedTimestamp = 0xFFFFFF
)

// Header types of a chunk (RTMP 1.0 section 5.3.1.2).
const (
	chunkFull       = 0 // absolute timestamp, length, type, message stream id
	chunkSameStream = 1 // timestamp delta, length, type
	chunkSameLength = 2 // timestamp delta
	chunkSame       = 3 // nothing
)

// AppendMessage appends m to dst as chunks of at most chunkSize payload bytes
// and returns the extended slice.
//
// The first chunk always has the full header with an absolute timestamp. That
// costs at most 8 bytes a message and makes the bytes independent of whatever
// was sent before, so that one encoding serves every viewer and a message can
// be left out without breaking the next one. The extended timestamp is
// repeated in continuation chunks, as FFmpeg, GStreamer and Adobe's products
// require.
func AppendMessage(dst []byte, m Message, chunkSize int) []byte {
	dst = slices.Grow(dst, EncodedSize(m, chunkSize))
	dst = appendHeader(dst, m)
	payload := m.Payload
	for len(payload) > chunkSize {
		dst = append(dst, payload[:chunkSize]...)
		payload = payload[chunkSize:]
		dst = appendBasicHeader(dst, chunkSame, m.ChunkStream)
		dst = appendExtension(dst, m.Timestamp)
	}
	return append(dst, payload...)
}

// EncodeMessage returns m as AppendMessage lays it out. It takes the payload
// over: where a [Reader] left room for the header in front of it, and it is one
// chunk, the header is written there and nothing is copied. It must be called
// once at most for each message that was read, copies of it included. The
// payload may still be read, and what is returned must not be changed.
//
// A message whose Payload was replaced by another or by a part of itself is
// copied, as is one that was not read.
func EncodeMessage(m Message, chunkSize int) []byte {
	header := headerSize(m)
	if len(m.Payload) > chunkSize || header > headroom || !m.framed() {
		return AppendMessage(nil, m, chunkSize)
	}
	start := headroom - header
	appendHeader(m.frame[start:start], m)
	return m.frame[start:]
}

// framed reports whether the frame of m holds its payload, and nothing else but
// the headroom.
func (m Message) framed() bool {
	return len(m.Payload) > 0 && len(m.frame) == headroom+len(m.Payload) && &m.frame[headroom] == &m.Payload[0]
}

// CutMessage takes the first message off bytes that [AppendMessage] laid out with
// the same chunk size: it returns its payload, and the bytes behind it. A payload
// of one chunk is not copied. Bytes of a peer are for a [Reader].
func CutMessage(chunks []byte, chunkSize int) (payload, rest []byte) {
	header := 1
	if id := chunks[0] & 0x3F; id < 2 {
		header += 1 + int(id)
	}
	size := int(uint24(chunks[header+3:]))
	continuation := header
	if uint24(chunks[header:]) == extendedTimestamp {
		continuation += 4
	}
	rest = chunks[continuation+11:]
	if size <= chunkSize {
		return rest[:size:size], rest[size:]
	}
	payload = make([]byte, 0, size)
	for {
		n := min(size-len(payload), chunkSize)
		payload = append(payload, rest[:n]...)
		if rest = rest[n:]; len(payload) == size {
			return payload, rest
		}
		rest = rest[continuation:]
	}
}

// EncodedSize returns the number of bytes that [AppendMessage] appends.
func EncodedSize(m Message, chunkSize int) int {
	return headerSize(m) + len(m.Payload) + continuations(len(m.Payload), chunkSize)*continuationSize(m)
}

// appendHeader writes the header before the first payload byte.
func appendHeader(dst []byte, m Message) []byte {
	dst = appendBasicHeader(dst, chunkFull, m.ChunkStream)
	dst = appendUint24(dst, min(m.Timestamp, extendedTimestamp))
	dst = appendUint24(dst, uint32(len(m.Payload)))
	dst = append(dst, byte(m.Type))
	dst = binary.LittleEndian.AppendUint32(dst, m.Stream)
	return appendExtension(dst, m.Timestamp)
}

// headerSize returns the size of the header before the first payload byte of
// an encoded message.
func headerSize(m Message) int {
	return basicHeaderSize(m.ChunkStream) + 11 + extensionSize(m.Timestamp)
}

// continuationSize returns the size of the header before every further chunk
// of an encoded message.
func continuationSize(m Message) int {
	return basicHeaderSize(m.ChunkStream) + extensionSize(m.Timestamp)
}

// continuations returns how many chunks follow the first one of a payload.
func continuations(payload, chunkSize int) int {
	if payload == 0 {
		return 0
	}
	return (payload - 1) / chunkSize
}

func basicHeaderSize(chunkStream uint32) int {
	switch {
	case chunkStream < 64:
		return 1
	case chunkStream < 64+256:
		return 2
	default:
		return 3
	}
}

func extensionSize(timestamp uint32) int {
	if timestamp >= extendedTimestamp {
		return 4
	}
	return 0
}

// appendBasicHeader writes the shortest of the three forms (RTMP 1.0 section
// 5.3.1.1). The 16-bit id of the longest form is the one that is
// little-endian.
func appendBasicHeader(dst []byte, format byte, chunkStream uint32) []byte {
	format <<= 6
	switch basicHeaderSize(chunkStream) {
	case 1:
		return append(dst, format|byte(chunkStream))
	case 2:
		return append(dst, format, byte(chunkStream-64))
	default:
		return append(dst, format|1, byte(chunkStream-64), byte((chunkStream-64)>>8))
	}
}

func appendExtension(dst []byte, timestamp uint32) []byte {
	if timestamp < extendedTimestamp {
		return dst
	}
	return binary.BigEndian.AppendUint32(dst, timestamp)
}

func appendUint24(dst []byte, v uint32) []byte {
	return append(dst, byte(v>>16), byte(v>>8), byte(v))
}

func uint24(b []byte) uint32 {
	return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
}
