package amf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// maxShortString is the longest string with a length of two bytes: longer values become long strings, longer names
// are cut, since there is no other form for them.
const maxShortString = math.MaxUint16

// Append appends the AMF0 encoding of v to dst and returns the extended slice. v and all values in it must have one of
// the AMF0 types of the package comment, or int for a Number; below an [AVMPlus] one of the AMF3 types, or int. Nil
// slices are empty ones. Append writes no references and allocates nothing but the growth of dst.
//
// Any other Go type is an error of the program and panics; what a [Decoder] returned never does. A value must not
// contain itself.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, amf0Null)
	case float64:
		return appendDouble(append(dst, amf0Number), v)
	case int:
		return appendDouble(append(dst, amf0Number), float64(v))
	case bool:
		return appendFlag(append(dst, amf0Boolean), v)
	case string:
		return appendString(dst, v)
	case Undefined:
		return append(dst, amf0Undefined)
	case Unsupported:
		return append(dst, amf0Unsupported)
	case Object:
		return appendProperties(append(dst, amf0Object), v)
	case ECMAArray:
		dst = binary.BigEndian.AppendUint32(append(dst, amf0ECMAArray), uint32(len(v)))
		return appendProperties(dst, v)
	case TypedObject:
		return appendProperties(appendName(append(dst, amf0TypedObject), v.Class), v.Properties)
	case StrictArray:
		dst = binary.BigEndian.AppendUint32(append(dst, amf0StrictArray), uint32(len(v)))
		for _, item := range v {
			dst = Append(dst, item)
		}
		return dst
	case Date:
		dst = appendDouble(append(dst, amf0Date), v.UnixMilli)
		return binary.BigEndian.AppendUint16(dst, uint16(v.Zone))
	case XML:
		return appendLong(append(dst, amf0XML), string(v))
	case AVMPlus:
		return append3(append(dst, amf0AVMPlus), v.Value)
	}
	panic(fmt.Sprintf("amf: AMF0 has no encoding for Go type %T", v))
}

func appendProperties(dst []byte, properties []Property) []byte {
	for _, p := range properties {
		dst = Append(appendName(dst, p.Name), p.Value)
	}
	return append(dst, 0, 0, amf0ObjectEnd)
}

// appendName encodes the name of a property or class, cut to what its length can express.
func appendName(dst []byte, name string) []byte {
	name = name[:min(len(name), maxShortString)]
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(name)))
	return append(dst, name...)
}

func appendString(dst []byte, s string) []byte {
	if len(s) > maxShortString {
		return appendLong(append(dst, amf0LongString), s)
	}
	dst = binary.BigEndian.AppendUint16(append(dst, amf0String), uint16(len(s)))
	return append(dst, s...)
}

func appendLong(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(s))), s...)
}

func appendFlag(dst []byte, flag bool) []byte {
	if flag {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendDouble(dst []byte, n float64) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(n))
}
