package amf

import "fmt"

// append3 appends the AMF3 encoding of v, without references: readers differ on how long their tables live.
func append3(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, amf3Null)
	case Undefined:
		return append(dst, amf3Undefined)
	case bool:
		if v {
			return append(dst, amf3True)
		}
		return append(dst, amf3False)
	case Integer:
		return appendInteger(dst, int(v))
	case int:
		return appendInteger(dst, v)
	case float64:
		return appendDouble(append(dst, amf3Double), v)
	case string:
		return appendString3(append(dst, amf3String), v)
	case XMLDocument:
		return appendString3(append(dst, amf3XMLDocument), string(v))
	case XML:
		return appendString3(append(dst, amf3XML), string(v))
	case ByteArray:
		return append(appendLength3(append(dst, amf3ByteArray), len(v)), v...)
	case Date:
		return appendDouble(appendLength3(append(dst, amf3Date), 0), v.UnixMilli)
	case IntVector:
		return appendIntVector(dst, v)
	case UintVector:
		return appendUintVector(dst, v)
	case DoubleVector:
		return appendDoubleVector(dst, v)
	}
	return appendContainer3(dst, v)
}

func appendContainer3(dst []byte, v any) []byte {
	switch v := v.(type) {
	case Array3:
		dst = appendPairs(appendLength3(append(dst, amf3Array), len(v.Dense)), v.Assoc)
		for _, item := range v.Dense {
			dst = append3(dst, item)
		}
		return dst
	case Object3:
		return appendObject3(dst, v)
	case ObjectVector:
		return appendObjectVector(dst, v)
	case Dictionary:
		dst = appendFlag(appendLength3(append(dst, amf3Dictionary), len(v.Entries)), v.WeakKeys)
		for _, e := range v.Entries {
			dst = append3(append3(dst, e.Key), e.Value)
		}
		return dst
	}
	panic(fmt.Sprintf("amf: AMF3 has no encoding for Go type %T", v))
}

func appendObject3(dst []byte, o Object3) []byte {
	dynamic := o.Dynamic || len(o.Extra) > 0
	header := len(o.Sealed)<<traitsCountBits | inlineTraits
	if dynamic {
		header |= dynamicTraits
	}
	dst = appendString3(appendLength3(append(dst, amf3Object), header), o.Class)
	for _, p := range o.Sealed {
		dst = appendString3(dst, p.Name)
	}
	for _, p := range o.Sealed {
		dst = append3(dst, p.Value)
	}
	if !dynamic {
		return dst
	}
	return appendPairs(dst, o.Extra)
}

// appendPairs encodes named values and their end, which is an empty name: a property with such a name has no encoding
// and is left out.
func appendPairs(dst []byte, properties []Property) []byte {
	for _, p := range properties {
		if p.Name != "" {
			dst = append3(appendString3(dst, p.Name), p.Value)
		}
	}
	return appendLength3(dst, 0)
}

func appendInteger(dst []byte, n int) []byte {
	if n < minInteger || n > maxInteger {
		return appendDouble(append(dst, amf3Double), float64(n))
	}
	return appendU29(append(dst, amf3Integer), n&maxU29)
}

func appendString3(dst []byte, s string) []byte {
	return append(appendLength3(dst, len(s)), s...)
}

// appendLength3 encodes a length, count or object header with the bit that tells it from a reference.
func appendLength3(dst []byte, n int) []byte {
	return appendU29(dst, n<<1|literal3)
}

func appendU29(dst []byte, n int) []byte {
	switch {
	case n <= 0x7F:
		return append(dst, byte(n))
	case n <= 0x3FFF:
		return append(dst, byte(n>>7)|0x80, byte(n)&0x7F)
	case n <= 0x1FFFFF:
		return append(dst, byte(n>>14)|0x80, byte(n>>7)|0x80, byte(n)&0x7F)
	case n <= maxU29:
		return append(dst, byte(n>>22)|0x80, byte(n>>15)|0x80, byte(n>>8)|0x80, byte(n))
	}
	panic(fmt.Sprintf("amf: %d does not fit the 29 bits of an AMF3 length", n))
}
