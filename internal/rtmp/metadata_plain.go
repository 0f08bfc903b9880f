package rtmp

import (
	"encoding/binary"
	"math"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// The markers of AMF0 that every player reads. FFmpeg has two readers with
// different sets: one ends the session over a marker that it does not know, the
// other leaves out all metadata from there on.
const (
	plainNumber      = 0x00
	plainBoolean     = 0x01
	plainString      = 0x02
	plainObject      = 0x03
	plainNull        = 0x05
	plainECMAArray   = 0x08
	plainObjectEnd   = 0x09
	plainStrictArray = 0x0A
)

// isPlainMetadata reports whether a message is a name and one ECMA array of
// values that every player reads, and nothing behind it: FFmpeg takes what
// follows for more properties.
func isPlainMetadata(payload []byte) bool {
	r := plainReader{in: payload}
	if name, ok := r.text(plainString); !ok || len(name) == 0 || len(name) > maxDataName {
		return false
	}
	marker, ok := r.u8()
	return ok && marker == plainECMAArray && r.container(marker, 1) && len(r.in) == 0
}

// plainReader walks over AMF0 without decoding it. Its methods are false as
// soon as there is something that not every player reads.
type plainReader struct{ in []byte }

func (r *plainReader) next(n int) ([]byte, bool) {
	if n > len(r.in) {
		return nil, false
	}
	b := r.in[:n]
	r.in = r.in[n:]
	return b, true
}

func (r *plainReader) u8() (byte, bool) {
	b, ok := r.next(1)
	if !ok {
		return 0, false
	}
	return b[0], true
}

// short reads a text without its marker.
func (r *plainReader) short() ([]byte, bool) {
	b, ok := r.next(2)
	if !ok {
		return nil, false
	}
	return r.next(int(binary.BigEndian.Uint16(b)))
}

// text reads a text with its marker.
func (r *plainReader) text(marker byte) ([]byte, bool) {
	if b, ok := r.u8(); !ok || b != marker {
		return nil, false
	}
	return r.short()
}

// value reads a value within depth containers.
func (r *plainReader) value(depth int) bool {
	marker, ok := r.u8()
	if !ok {
		return false
	}
	switch marker {
	case plainNumber:
		b, ok := r.next(8)
		return ok && isNumber(math.Float64frombits(binary.BigEndian.Uint64(b)))
	case plainBoolean:
		_, ok := r.u8()
		return ok
	case plainString:
		text, ok := r.short()
		return ok && len(text) <= maxMetadataText
	case plainNull:
		return true
	case plainObject, plainECMAArray, plainStrictArray:
		return r.container(marker, depth+1)
	}
	return false
}

// container reads what follows the marker of a container that is the depth-th,
// from 1.
func (r *plainReader) container(marker byte, depth int) bool {
	if depth > amf.DataLimits.Depth {
		return false
	}
	if marker == plainObject {
		return r.properties(depth)
	}
	count, ok := r.next(4)
	if !ok || marker == plainECMAArray { // whose count is a hint
		return ok && r.properties(depth)
	}
	for range binary.BigEndian.Uint32(count) {
		if !r.value(depth) {
			return false
		}
	}
	return true
}

func (r *plainReader) properties(depth int) bool {
	for {
		name, ok := r.short()
		switch {
		case !ok || len(name) > maxPropertyName:
			return false
		case len(name) == 0:
			end, ok := r.u8()
			return ok && end == plainObjectEnd
		case depth == 1 && string(name) == fileIndex, !r.value(depth):
			return false
		}
	}
}
