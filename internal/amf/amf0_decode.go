package amf

// value reads one AMF0 value from its marker on.
func (d *Decoder) value() (any, error) {
	marker, err := d.u8()
	if err != nil {
		return nil, err
	}
	if err := d.charge(1); err != nil {
		return nil, err
	}
	switch marker {
	case amf0Number:
		return d.double()
	case amf0Boolean:
		b, err := d.u8()
		return b != 0, err
	case amf0String:
		return d.shortString()
	case amf0LongString:
		return d.longString()
	case amf0XML:
		s, err := d.longString()
		return XML(s), err
	case amf0Null:
		return nil, nil
	case amf0Undefined:
		return Undefined{}, nil
	case amf0Unsupported:
		return Unsupported{}, nil
	case amf0Date:
		return d.date()
	case amf0Reference:
		index, err := d.u16()
		if err != nil {
			return nil, err
		}
		return d.resolve(d.targets, index)
	case amf0Object, amf0ECMAArray, amf0StrictArray, amf0TypedObject:
		return d.container(marker)
	case amf0AVMPlus:
		return d.avmPlus()
	}
	return nil, d.badMarker(marker)
}

// container reads a value that has values in it and that references may name.
func (d *Decoder) container(marker byte) (any, error) {
	index := d.begin(&d.targets)
	if err := d.descend(); err != nil {
		return nil, err
	}
	v, err := d.content(marker)
	if err != nil {
		return nil, err
	}
	d.ascend()
	d.finish(&d.targets[index], v)
	return v, nil
}

func (d *Decoder) content(marker byte) (any, error) {
	switch marker {
	case amf0StrictArray:
		n, err := d.u32()
		if err != nil {
			return nil, err
		}
		items, err := d.list(n, d.value)
		return StrictArray(items), err
	case amf0ECMAArray:
		// The count is a hint that OBS, FFmpeg and Flash get wrong, 0 being common. The end mark decides.
		if _, err := d.u32(); err != nil {
			return nil, err
		}
		properties, err := d.properties()
		return ECMAArray(properties), err
	case amf0TypedObject:
		class, err := d.shortString()
		if err != nil {
			return nil, err
		}
		properties, err := d.properties()
		return TypedObject{class, properties}, err
	}
	return d.properties()
}

// properties reads up to the end mark, an empty name and marker 09. An empty name before another marker is a name like
// any other in ActionScript.
func (d *Decoder) properties() (Object, error) {
	o := Object{}
	for {
		// Envivio encoders and old mobile libraries leave the last end mark out: it may be missing exactly here.
		if d.left() == 0 {
			return o, nil
		}
		name, err := d.shortString()
		if err != nil {
			return nil, err
		}
		if name == "" && d.left() > 0 && d.in[d.off] == amf0ObjectEnd {
			d.off++
			return o, nil
		}
		v, err := d.value()
		if err != nil {
			return nil, err
		}
		o = append(o, Property{name, v})
	}
}

func (d *Decoder) shortString() (string, error) {
	n, err := d.u16()
	if err != nil {
		return "", err
	}
	return d.text(n)
}

func (d *Decoder) longString() (string, error) {
	n, err := d.u32()
	if err != nil {
		return "", err
	}
	return d.text(n)
}

func (d *Decoder) date() (any, error) {
	ms, err := d.double()
	if err != nil {
		return nil, err
	}
	zone, err := d.u16()
	return Date{ms, int16(zone)}, err
}
