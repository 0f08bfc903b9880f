package amf

// Type markers of AMF0 (section 2.1).
const (
	amf0Number      = 0x00
	amf0Boolean     = 0x01
	amf0String      = 0x02
	amf0Object      = 0x03
	amf0Null        = 0x05
	amf0Undefined   = 0x06
	amf0Reference   = 0x07
	amf0ECMAArray   = 0x08
	amf0ObjectEnd   = 0x09
	amf0StrictArray = 0x0A
	amf0Date        = 0x0B
	amf0LongString  = 0x0C
	amf0Unsupported = 0x0D
	amf0XML         = 0x0F
	amf0TypedObject = 0x10 // section 2.18 prints the object marker here; the byte on the wire is this one
	amf0AVMPlus     = 0x11
)

// Type markers of AMF3 (section 3.1).
const (
	amf3Undefined    = 0x00
	amf3Null         = 0x01
	amf3False        = 0x02
	amf3True         = 0x03
	amf3Integer      = 0x04
	amf3Double       = 0x05
	amf3String       = 0x06
	amf3XMLDocument  = 0x07
	amf3Date         = 0x08
	amf3Array        = 0x09
	amf3Object       = 0x0A
	amf3XML          = 0x0B
	amf3ByteArray    = 0x0C
	amf3IntVector    = 0x0D
	amf3UintVector   = 0x0E
	amf3DoubleVector = 0x0F
	amf3ObjectVector = 0x10
	amf3Dictionary   = 0x11
)

// Low bits of the length or header that follows the marker of a complex AMF3 value, and of every AMF3 string
// (sections 1.3.2 and 3.12). The bits of an object header are those left after literal3 has been shifted out.
const (
	literal3        = 1 << 0 // clear: the rest is the index of an earlier value
	inlineTraits    = 1 << 0 // clear: the rest is the index of earlier traits
	externalizable  = 1 << 1
	dynamicTraits   = 1 << 2
	traitsCountBits = 3 // how far the number of sealed members is shifted
)

// maxU29 is the largest variable-length integer of AMF3 (section 1.3.1 prints 3FFFFFFF, which does not fit 29 bits).
const maxU29 = 1<<29 - 1

// Integer outside of this range travels as a double (AMF3 section 3.6).
const (
	minInteger = -1 << 28
	maxInteger = 1<<28 - 1
)
