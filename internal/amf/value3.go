package amf

// Integer is the AMF3 integer: 29 bits with sign. The encoder writes what lies outside of them as a double.
type Integer int32

// XMLDocument is the legacy XML type of AMF3 (flash.xml.XMLDocument).
type XMLDocument string

// ByteArray is a block of bytes. OBS up to version 30 sends its second audio track in such.
type ByteArray []byte

// Array3 is the AMF3 array: an associative part, then one that is counted from 0. Names in Assoc are never empty.
type Array3 struct {
	Assoc []Property
	Dense []any
}

// Object3 is the AMF3 object: members that its class declares, then, if Dynamic, others. Class may be empty, names in
// Extra may not.
type Object3 struct {
	Class   string
	Dynamic bool
	Sealed  []Property
	Extra   []Property
}

// IntVector is Vector.<int>.
type IntVector struct {
	Fixed bool
	Items []int32
}

// UintVector is Vector.<uint>.
type UintVector struct {
	Fixed bool
	Items []uint32
}

// DoubleVector is Vector.<Number>.
type DoubleVector struct {
	Fixed bool
	Items []float64
}

// ObjectVector is a vector of values of the named type; "*" stands for any.
type ObjectVector struct {
	Fixed bool
	Type  string
	Items []any
}

// Dictionary maps values to values, in the order of the wire.
type Dictionary struct {
	WeakKeys bool
	Entries  []Entry
}

// Entry is one pair of a [Dictionary].
type Entry struct {
	Key, Value any
}
