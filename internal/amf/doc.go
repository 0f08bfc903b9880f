// Package amf turns AMF0 and AMF3, the serialisations of RTMP commands, data messages and FLV script tags, into Go
// values and back.
//
// # Values
//
// A [Decoder] reads AMF0; one AMF3 value inside it, announced by marker 0x11, arrives as [AVMPlus]. Both formats share
//
//	Number, double      float64            null        nil
//	Boolean             bool               undefined   [Undefined]
//	String, long string string             date        [Date]
//	XML                 [XML]
//
// AMF0 adds [Object], [ECMAArray], [StrictArray], [TypedObject] and [Unsupported]. AMF3 adds [Integer], [XMLDocument],
// [Array3], [Object3], [ByteArray], [IntVector], [UintVector], [DoubleVector], [ObjectVector] and [Dictionary].
// Clients choose among these freely, so callers ask with [Properties], [AsString], [AsNumber] and [AsBool] instead of
// type switches.
//
// Strings are bytes: nothing guarantees valid UTF-8 or the absence of NUL and control characters, and numbers may be
// NaN or infinite. Whoever logs, converts or compares them has to check.
//
// # Trust
//
// The input is taken to be hostile. Decoding is linear in its length, allocates in proportion to what was really read
// (never to a count that the input merely announces), and stops at the [Limits]. References are resolved by sharing the
// finished value, and each is charged for everything that it stands for: values, levels and bytes. A decoded value is
// therefore a finite tree that meets the same limits, and whoever walks or encodes it needs none of its own.
// Since references share, decoded values are to be treated as immutable.
//
// # Ownership
//
// Decoded values hold no part of the input, which may be reused at once. Slices in decoded values are never nil.
// Nothing in this package keeps state between calls or is meant for more than one goroutine at a time.
package amf
