package amf

// decoder3 reads one AMF3 value. Implementations differ on whether the reference tables live for one value or for the
// whole message; here for one, which reads everything written by those who are careful.
type decoder3 struct {
	*Decoder
	strings []string // every literal string but the empty one
	objects []target
	traits  []traits
}

// avmPlus reads the one AMF3 value for which marker 0x11 switches.
func (d *Decoder) avmPlus() (any, error) {
	if err := d.descend(); err != nil {
		return nil, err
	}
	r := decoder3{Decoder: d}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	d.ascend()
	return AVMPlus{v}, nil
}

// value reads one AMF3 value from its marker on.
func (r *decoder3) value() (any, error) {
	marker, err := r.u8()
	if err != nil {
		return nil, err
	}
	if err := r.charge(1); err != nil {
		return nil, err
	}
	switch marker {
	case amf3Undefined:
		return Undefined{}, nil
	case amf3Null:
		return nil, nil
	case amf3False, amf3True:
		return marker == amf3True, nil
	case amf3Integer:
		n, err := r.u29()
		return Integer(int32(n) << 3 >> 3), err // bit 28 is the sign
	case amf3Double:
		return r.double()
	case amf3String:
		return r.utf8vr()
	}
	if marker > amf3Dictionary {
		return nil, r.badMarker(marker)
	}
	return r.complexValue(marker)
}

// complexValue reads a value that references may name, or such a reference.
func (r *decoder3) complexValue(marker byte) (any, error) {
	header, err := r.u29()
	if err != nil {
		return nil, err
	}
	if header&literal3 == 0 {
		return r.resolve(r.objects, header>>1)
	}
	index := r.begin(&r.objects)
	v, err := r.content(marker, header>>1)
	if err != nil {
		return nil, err
	}
	r.finish(&r.objects[index], v)
	return v, nil
}

// content reads what follows the header, whose upper bits are n: mostly a length or a count.
func (r *decoder3) content(marker byte, n int) (any, error) {
	switch marker {
	case amf3XMLDocument:
		s, err := r.text(n)
		return XMLDocument(s), err
	case amf3XML:
		s, err := r.text(n)
		return XML(s), err
	case amf3Date:
		ms, err := r.double()
		return Date{UnixMilli: ms}, err
	case amf3ByteArray:
		b, err := r.next(n)
		return ByteArray(append([]byte{}, b...)), err
	case amf3IntVector, amf3UintVector, amf3DoubleVector:
		return r.numericVector(marker, n)
	}
	if err := r.descend(); err != nil {
		return nil, err
	}
	v, err := r.containerContent(marker, n)
	r.ascend()
	return v, err
}

func (r *decoder3) containerContent(marker byte, n int) (any, error) {
	switch marker {
	case amf3Array:
		assoc, err := r.pairs()
		if err != nil {
			return nil, err
		}
		dense, err := r.list(n, r.value)
		return Array3{assoc, dense}, err
	case amf3ObjectVector:
		fixed, err := r.flag()
		if err != nil {
			return nil, err
		}
		name, err := r.utf8vr()
		if err != nil {
			return nil, err
		}
		items, err := r.list(n, r.value)
		return ObjectVector{fixed, name, items}, err
	case amf3Dictionary:
		return r.dictionary(n)
	}
	return r.object(n)
}

// pairs reads named values up to the empty name.
func (r *decoder3) pairs() ([]Property, error) {
	properties := []Property{}
	for {
		name, err := r.utf8vr()
		if err != nil {
			return nil, err
		}
		if name == "" {
			return properties, nil
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		properties = append(properties, Property{name, v})
	}
}

func (r *decoder3) dictionary(n int) (any, error) {
	weak, err := r.flag()
	if err != nil {
		return nil, err
	}
	if err := r.expect(n, 2); err != nil {
		return nil, err
	}
	entries := []Entry{}
	for range n {
		key, err := r.value()
		if err != nil {
			return nil, err
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{key, v})
	}
	return Dictionary{weak, entries}, nil
}

// u29 reads a variable-length integer: seven bits a byte, but all eight of the fourth, which therefore always ends it.
// Longer forms than necessary are valid.
func (r *decoder3) u29() (int, error) {
	n := 0
	for range 3 {
		b, err := r.u8()
		if err != nil {
			return 0, err
		}
		n = n<<7 | int(b&0x7F)
		if b&0x80 == 0 {
			return n, nil
		}
	}
	b, err := r.u8()
	return n<<8 | int(b), err
}

// utf8vr reads a string or a reference to an earlier one, of which the empty string is none (AMF3 section 1.3.2).
func (r *decoder3) utf8vr() (string, error) {
	header, err := r.u29()
	if err != nil {
		return "", err
	}
	n := header >> 1
	if header&literal3 != 0 {
		s, err := r.text(n)
		if s != "" {
			r.strings = append(r.strings, s)
		}
		return s, err
	}
	if n >= len(r.strings) {
		return "", r.fail(ErrReference, "string reference")
	}
	return r.strings[n], r.spare(len(r.strings[n]) + maxHeader)
}

func (r *decoder3) flag() (bool, error) {
	b, err := r.u8()
	return b != 0, err
}
