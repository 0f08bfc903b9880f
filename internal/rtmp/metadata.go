package rtmp

import (
	"math"
	"strconv"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// What FFmpeg takes of data messages. It ends its session over longer names, and
// leaves out all metadata behind a longer text.
const (
	maxDataName     = 63
	maxPropertyName = 127
	maxMetadataText = 1023
)

// fileIndex is the property in which metadata of files lists where their
// keyframes are. It does not hold for the stream, and in a recording of it leads
// players to wrong places.
const fileIndex = "keyframes"

// NormalizeMetadata returns an onMetaData message, a name and an object, in a
// form that every player reads: one ECMA array, of values that FFmpeg knows, with
// all properties in their order. A payload that has this form is returned as it
// is, any other is left alone and written anew:
//
//   - every kind of object becomes an ECMA array at the top, and an Object below;
//   - references are resolved, AMF3 values become those of AMF0, and XML becomes
//     a string, as does a date, in the form of RFC 3339;
//   - undefined values become null;
//   - what has no such form is left out of objects, and null in arrays: numbers
//     that are none, byte arrays, dictionaries, texts of more than 1,023 bytes,
//     and properties with names of none or more than 127 bytes;
//   - the index of a file's keyframes is left out.
//
// It is false for what cannot be decoded within [amf.DataLimits] or has no object.
func NormalizeMetadata(payload []byte) ([]byte, bool) {
	if isPlainMetadata(payload) {
		return payload, true
	}
	d := amf.NewDecoder(payload, amf.DataLimits)
	first, err := d.Decode()
	if err != nil {
		return nil, false
	}
	name, ok := amf.AsString(first)
	if !ok || name == "" || len(name) > maxDataName {
		return nil, false
	}
	for {
		v, err := d.Decode()
		if err != nil {
			return nil, false
		}
		if properties, ok := amf.Properties(v); ok {
			array := amf.ECMAArray{}
			for _, p := range plainProperties(properties) {
				if p.Name != fileIndex {
					array = append(array, p)
				}
			}
			return amf.Append(amf.Append(nil, name), array), true
		}
	}
}

func plainProperties(properties []amf.Property) amf.Object {
	plain := amf.Object{}
	for _, p := range properties {
		v, ok := plainValue(p.Value)
		if ok && p.Name != "" && len(p.Name) <= maxPropertyName {
			plain = append(plain, amf.Property{Name: p.Name, Value: v})
		}
	}
	return plain
}

// plainValue returns a value in the types that every player knows. It is false
// for what has no such form.
func plainValue(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool:
		return v, true
	case float64:
		return v, isNumber(v)
	case amf.Integer:
		return float64(v), true
	case string:
		return v, len(v) <= maxMetadataText
	case amf.XML:
		return plainValue(string(v))
	case amf.XMLDocument:
		return plainValue(string(v))
	case amf.Date:
		return plainDate(v)
	case amf.Undefined, amf.Unsupported:
		return nil, true
	case amf.AVMPlus:
		return plainValue(v.Value)
	default:
		return plainContainer(v)
	}
}

func plainContainer(v any) (any, bool) {
	switch v := v.(type) {
	case amf.ECMAArray:
		return amf.ECMAArray(plainProperties(v)), true
	case amf.StrictArray:
		return plainList(v), true
	case amf.ObjectVector:
		return plainList(v.Items), true
	case amf.IntVector:
		return plainNumbers(v.Items), true
	case amf.UintVector:
		return plainNumbers(v.Items), true
	case amf.DoubleVector:
		return plainNumbers(v.Items), true
	case amf.Array3:
		return plainArray3(v), true
	}
	if properties, ok := amf.Properties(v); ok {
		return plainProperties(properties), true
	}
	return nil, false
}

// isNumber reports whether a number says anything: FFmpeg computes with it.
func isNumber(n float64) bool { return !math.IsNaN(n) && !math.IsInf(n, 0) }

// plainDate writes a date of the years that RFC 3339 knows.
func plainDate(d amf.Date) (any, bool) {
	const most = 1 << 53 // ms, 285 thousand years
	if !(math.Abs(d.UnixMilli) < most) {
		return nil, false
	}
	at := time.UnixMilli(int64(d.UnixMilli)).UTC()
	return at.Format("2006-01-02T15:04:05.000Z"), at.Year() >= 0 && at.Year() <= 9999
}

// plainArray3 keeps an array that has names as Flash does: the counted items
// are called by their numbers.
func plainArray3(a amf.Array3) any {
	if len(a.Assoc) == 0 {
		return plainList(a.Dense)
	}
	array := amf.ECMAArray(plainProperties(a.Assoc))
	for i, v := range plainList(a.Dense) {
		array = append(array, amf.Property{Name: strconv.Itoa(i), Value: v})
	}
	return array
}

// plainList keeps the place of every item.
func plainList(items []any) amf.StrictArray {
	plain := make(amf.StrictArray, len(items))
	for i, item := range items {
		if v, ok := plainValue(item); ok {
			plain[i] = v
		}
	}
	return plain
}

func plainNumbers[N int32 | uint32 | float64](items []N) amf.StrictArray {
	plain := make(amf.StrictArray, len(items))
	for i, n := range items {
		if v, ok := plainValue(float64(n)); ok {
			plain[i] = v
		}
	}
	return plain
}
