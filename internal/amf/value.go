package amf

// Undefined is the undefined value of both formats.
type Undefined struct{}

// Unsupported is what an AMF0 encoder writes for a value that it cannot express (AMF0 section 2.15).
type Unsupported struct{}

// Property is a named value of an object.
type Property struct {
	Name  string
	Value any
}

// Object is an anonymous AMF0 object: its properties in the order of the wire, duplicates included. A name may be empty.
type Object []Property

// ECMAArray is an AMF0 associative array: what onMetaData must carry (Enhanced RTMP v2; FFmpeg knows no other).
type ECMAArray []Property

// StrictArray is an AMF0 array without names.
type StrictArray []any

// Date is a moment in milliseconds since 1970-01-01 UTC. Zone, in minutes, exists in AMF0 only, where it should be 0.
type Date struct {
	UnixMilli float64
	Zone      int16
}

// XML is an XML document in its text form.
type XML string

// TypedObject is an AMF0 object with a class name.
type TypedObject struct {
	Class      string
	Properties Object
}

// AVMPlus is one AMF3 value within AMF0 (marker 0x11): Value has one of the AMF3 types.
type AVMPlus struct {
	Value any
}

// Get returns the value of the last property called name.
func (o Object) Get(name string) (any, bool) {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].Name == name {
			return o[i].Value, true
		}
	}
	return nil, false
}

// Get returns the value of the last property called name.
func (a ECMAArray) Get(name string) (any, bool) { return Object(a).Get(name) }

// Properties returns the named values of any kind of object or associative array. Clients send every kind of them as
// command object and as metadata. The result may share memory with v.
func Properties(v any) (Object, bool) {
	switch v := unwrap(v).(type) {
	case Object:
		return v, true
	case ECMAArray:
		return Object(v), true
	case TypedObject:
		return v.Properties, true
	case Array3:
		return v.Assoc, true
	case Object3:
		// Full slice expression: an append must not write into the decoded value.
		return append(v.Sealed[:len(v.Sealed):len(v.Sealed)], v.Extra...), true
	}
	return nil, false
}

// AsNumber returns v as a number if it is one in AMF0 or AMF3. It may be NaN or infinite.
func AsNumber(v any) (float64, bool) {
	switch v := unwrap(v).(type) {
	case float64:
		return v, true
	case Integer:
		return float64(v), true
	}
	return 0, false
}

// AsString returns v as a string if it is one in AMF0 or AMF3.
func AsString(v any) (string, bool) {
	s, ok := unwrap(v).(string)
	return s, ok
}

// AsBool returns v as a truth value. Numbers count, as in ActionScript false for 0 and NaN: the reset argument of play
// may be either.
func AsBool(v any) (value, ok bool) {
	if n, isNumber := AsNumber(v); isNumber {
		return n < 0 || n > 0, true
	}
	value, ok = unwrap(v).(bool)
	return value, ok
}

func unwrap(v any) any {
	if w, ok := v.(AVMPlus); ok {
		return w.Value
	}
	return v
}
