package amf

// traits describe the class of AMF3 objects (AMF3 section 3.12).
type traits struct {
	class   string
	dynamic bool
	names   []string // of the sealed members
	bytes   int      // length with all references expanded
}

// object reads an object whose header bits, after that of the reference, are n.
func (r *decoder3) object(n int) (any, error) {
	t, err := r.objectTraits(n)
	if err != nil {
		return nil, err
	}
	o := Object3{Class: t.class, Dynamic: t.dynamic, Sealed: []Property{}, Extra: []Property{}}
	for _, name := range t.names {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		o.Sealed = append(o.Sealed, Property{name, v})
	}
	if t.dynamic {
		o.Extra, err = r.pairs()
	}
	return o, err
}

func (r *decoder3) objectTraits(n int) (traits, error) {
	if n&inlineTraits != 0 {
		return r.newTraits(n)
	}
	index := n >> 1
	if index >= len(r.traits) {
		return traits{}, r.fail(ErrReference, "traits reference")
	}
	t := r.traits[index]
	return t, r.spare(t.bytes)
}

func (r *decoder3) newTraits(n int) (traits, error) {
	start := r.extent()
	class, err := r.utf8vr()
	if err != nil {
		return traits{}, err
	}
	if n&externalizable != 0 {
		return traits{}, r.fail(ErrExternalizable, "content")
	}
	t := traits{class: class, dynamic: n&dynamicTraits != 0}
	count := n >> traitsCountBits
	// Each name is followed by a value, so a name costs two bytes and one of the budget of values.
	if err := r.expect(count, 2); err != nil {
		return traits{}, err
	}
	for range count {
		name, err := r.utf8vr()
		if err != nil {
			return traits{}, err
		}
		t.names = append(t.names, name)
	}
	t.bytes = r.extent() - start + maxHeader
	r.traits = append(r.traits, t)
	return t, nil
}
