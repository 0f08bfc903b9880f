package amf

import (
	"encoding/hex"
	"math"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unhex reads bytes written as hex digits with spaces anywhere.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type vector struct {
	name  string
	value any
	hex   string
}

// canonical vectors are what the encoder writes: they hold in both directions.
var canonical = []vector{
	{"number one", 1.0, "00 3FF0000000000000"},
	{"number negative", -2000.0, "00 C09F400000000000"},
	{"number infinite", math.Inf(1), "00 7FF0000000000000"},
	{"number minus zero", math.Copysign(0, -1), "00 8000000000000000"},
	{"true", true, "01 01"},
	{"false", false, "01 00"},
	{"string", "live", "02 0004 6C697665"},
	{"string empty", "", "02 0000"},
	{"string not UTF-8", "\xff\x00", "02 0002 FF00"},
	{"null", nil, "05"},
	{"undefined", Undefined{}, "06"},
	{"unsupported", Unsupported{}, "0D"},
	{"object", Object{{"a", 1.0}, {"b", "x"}}, "03 0001 61 00 3FF0000000000000 0001 62 02 0001 78 000009"},
	{"object empty", Object{}, "03 000009"},
	{"object nested", Object{{"a", Object{{"b", nil}}}, {"c", true}}, "03 0001 61 03 0001 62 05 000009 0001 63 01 01 000009"},
	{"object with duplicates", Object{{"a", nil}, {"a", true}}, "03 0001 61 05 0001 61 0101 000009"},
	{"object with empty name", Object{{"", nil}, {"", Object{}}}, "03 0000 05 0000 03 000009 000009"},
	{"ECMA array", ECMAArray{{"width", 1280.0}}, "08 00000001 0005 7769647468 00 4094000000000000 000009"},
	{"ECMA array empty", ECMAArray{}, "08 00000000 000009"},
	{"strict array", StrictArray{1.0, nil}, "0A 00000002 00 3FF0000000000000 05"},
	{"strict array empty", StrictArray{}, "0A 00000000"},
	{"strict array of objects", StrictArray{Object{}, ECMAArray{}}, "0A 00000002 03 000009 08 00000000 000009"},
	{"date", Date{UnixMilli: 1700000000000}, "0B 4278BCFE56800000 0000"},
	{"date with zone", Date{UnixMilli: 0, Zone: -60}, "0B 0000000000000000 FFC4"},
	{"XML", XML("<a/>"), "0F 00000004 3C612F3E"},
	{"typed object", TypedObject{"Foo", Object{{"x", true}}}, "10 0003 466F6F 0001 78 01 01 000009"},
	{"OBS 30 second audio track", Object{{"id", "stream0"}, {"media", AVMPlus{ByteArray{0xAF, 0x01, 0x21, 0x10, 0x04, 0x60}}}},
		"03 0002 6964 02 0007 73747265616D30 0005 6D65646961 11 0C 0D AF0121100460 000009"},
	{"AMF3 then AMF0 again", StrictArray{AVMPlus{true}, true}, "0A 00000002 11 03 01 01"},

	{"AMF3 undefined", AVMPlus{Undefined{}}, "11 00"},
	{"AMF3 null", AVMPlus{}, "11 01"},
	{"AMF3 false", AVMPlus{false}, "11 02"},
	{"AMF3 true", AVMPlus{true}, "11 03"},
	{"AMF3 integer 0", AVMPlus{Integer(0)}, "11 04 00"},
	{"AMF3 integer of 1 byte", AVMPlus{Integer(0x7F)}, "11 04 7F"},
	{"AMF3 integer of 2 bytes, least", AVMPlus{Integer(0x80)}, "11 04 8100"},
	{"AMF3 integer 300", AVMPlus{Integer(300)}, "11 04 822C"},
	{"AMF3 integer of 2 bytes, most", AVMPlus{Integer(0x3FFF)}, "11 04 FF7F"},
	{"AMF3 integer of 3 bytes, least", AVMPlus{Integer(0x4000)}, "11 04 818000"},
	{"AMF3 integer of 3 bytes, most", AVMPlus{Integer(0x1FFFFF)}, "11 04 FFFF7F"},
	{"AMF3 integer of 4 bytes, least", AVMPlus{Integer(0x200000)}, "11 04 80C08000"},
	{"AMF3 integer -1", AVMPlus{Integer(-1)}, "11 04 FFFFFFFF"},
	{"AMF3 integer least", AVMPlus{Integer(-268435456)}, "11 04 C0808000"},
	{"AMF3 integer most", AVMPlus{Integer(268435455)}, "11 04 BFFFFFFF"},
	{"AMF3 double", AVMPlus{1.0}, "11 05 3FF0000000000000"},
	{"AMF3 string", AVMPlus{"hello"}, "11 06 0B 68656C6C6F"},
	{"AMF3 string empty", AVMPlus{""}, "11 06 01"},
	{"AMF3 XML document", AVMPlus{XMLDocument("<a/>")}, "11 07 09 3C612F3E"},
	{"AMF3 XML", AVMPlus{XML("<a/>")}, "11 0B 09 3C612F3E"},
	{"AMF3 date", AVMPlus{Date{UnixMilli: 1700000000000}}, "11 08 01 4278BCFE56800000"},
	{"AMF3 array", AVMPlus{Array3{[]Property{}, []any{Integer(1), Integer(2)}}}, "11 09 05 01 0401 0402"},
	{"AMF3 array empty", AVMPlus{Array3{[]Property{}, []any{}}}, "11 09 01 01"},
	{"AMF3 array with names", AVMPlus{Array3{[]Property{{"a", nil}}, []any{true}}}, "11 09 03 03 61 01 01 03"},
	{"AMF3 object anonymous", AVMPlus{Object3{"", true, []Property{}, []Property{{"a", Integer(1)}, {"b", "x"}}}},
		"11 0A 0B 01 03 61 04 01 03 62 06 03 78 01"},
	{"AMF3 object sealed", AVMPlus{Object3{"P", false, []Property{{"x", Integer(1)}, {"y", Integer(2)}}, []Property{}}},
		"11 0A 23 03 50 03 78 03 79 04 01 04 02"},
	{"AMF3 object sealed and dynamic", AVMPlus{Object3{"P", true, []Property{{"x", nil}}, []Property{{"y", true}}}},
		"11 0A 1B 03 50 03 78 01 03 79 03 01"},
	{"AMF3 object empty", AVMPlus{Object3{"", false, []Property{}, []Property{}}}, "11 0A 03 01"},
	{"AMF3 byte array", AVMPlus{ByteArray{1, 2, 3}}, "11 0C 07 010203"},
	{"AMF3 byte array empty", AVMPlus{ByteArray{}}, "11 0C 01"},
	{"AMF3 int vector", AVMPlus{IntVector{false, []int32{1, -1}}}, "11 0D 05 00 00000001 FFFFFFFF"},
	{"AMF3 uint vector", AVMPlus{UintVector{true, []uint32{1, math.MaxUint32}}}, "11 0E 05 01 00000001 FFFFFFFF"},
	{"AMF3 double vector", AVMPlus{DoubleVector{false, []float64{1, -2000}}}, "11 0F 05 00 3FF0000000000000 C09F400000000000"},
	{"AMF3 object vector", AVMPlus{ObjectVector{true, "*", []any{nil, "a"}}}, "11 10 05 01 03 2A 01 06 03 61"},
	{"AMF3 dictionary", AVMPlus{Dictionary{true, []Entry{{"a", Integer(1)}, {nil, true}}}}, "11 11 05 01 06 03 61 04 01 01 03"},
	{"AMF3 dictionary empty", AVMPlus{Dictionary{false, []Entry{}}}, "11 11 01 00"},
}

var (
	point   = Object3{"P", false, []Property{{"x", Integer(1)}, {"y", Integer(2)}}, []Property{}}
	dense   = func(items ...any) AVMPlus { return AVMPlus{Array3{[]Property{}, items}} }
	oneItem = Array3{[]Property{}, []any{nil}}
)

// readable vectors are valid, but not what the encoder would write.
var readable = []vector{
	{"boolean of any byte", true, "01 80"},
	{"short long string", "hello", "0C 00000005 68656C6C6F"},
	{"ECMA count too low", ECMAArray{{"a", nil}, {"b", nil}}, "08 00000000 0001 61 05 0001 62 05 000009"},
	{"ECMA count absurd", ECMAArray{{"a", nil}}, "08 FFFFFFFF 0001 61 05 000009"},
	{"end mark missing", Object{{"a", nil}}, "03 0001 61 05"},
	{"end mark missing in ECMA array", ECMAArray{{"a", nil}}, "08 00000001 0001 61 05"},
	{"end mark missing in typed object", TypedObject{"Foo", Object{}}, "10 0003 466F6F"},
	{"end mark missing of the outer object", Object{{"a", Object{}}}, "03 0001 61 03 000009"},
	{"reference to an object", StrictArray{Object{{"a", nil}}, Object{{"a", nil}}}, "0A 00000002 03 0001 61 05 000009 07 0001"},
	{"reference to an ECMA array", StrictArray{ECMAArray{}, ECMAArray{}}, "0A 00000002 08 00000000 000009 07 0001"},
	{"reference to a strict array", StrictArray{StrictArray{true}, StrictArray{true}}, "0A 00000002 0A 00000001 0101 07 0001"},
	{"reference to a typed object", StrictArray{TypedObject{"F", Object{}}, TypedObject{"F", Object{}}}, "0A 00000002 10 0001 46 000009 07 0001"},
	{"references count parents before children", StrictArray{StrictArray{Object{}}, StrictArray{Object{}}, Object{}},
		"0A 00000003 0A 00000001 03 000009 07 0001 07 0002"},

	{"AMF3 integer longer than necessary", AVMPlus{Integer(5)}, "11 04 8005"},
	{"AMF3 string reference", dense("ab", "ab"), "11 09 05 01 06 05 6162 06 00"},
	{"AMF3 empty string is not in the table", dense("", "a", "a"), "11 09 07 01 06 01 06 03 61 06 00"},
	{"AMF3 string references to names", AVMPlus{Array3{[]Property{{"k", "k"}, {"k", nil}}, []any{}}}, "11 09 01 03 6B 06 00 00 01 01"},
	{"AMF3 string references to class, trait and type name",
		dense(Object3{"C", false, []Property{{"t", nil}}, []Property{}}, ObjectVector{false, "V", []any{}}, "C", "t", "V"),
		"11 09 0B 01 0A 13 03 43 03 74 01 10 01 00 03 56 06 00 06 02 06 04"},
	{"AMF3 traits reference", dense(point, Object3{"P", false, []Property{{"x", Integer(3)}, {"y", Integer(4)}}, []Property{}}),
		"11 09 05 01 0A 23 03 50 03 78 03 79 04 01 04 02 0A 01 04 03 04 04"},
	{"AMF3 object reference", dense(point, point), "11 09 05 01 0A 23 03 50 03 78 03 79 04 01 04 02 0A 02"},
	{"AMF3 array reference", dense(oneItem, oneItem), "11 09 05 01 09 03 01 01 09 02"},
	{"AMF3 date reference", dense(Date{UnixMilli: 1}, Date{UnixMilli: 1}), "11 09 05 01 08 01 3FF0000000000000 08 02"},
	{"AMF3 date header bits", AVMPlus{Date{UnixMilli: 1}}, "11 08 7F 3FF0000000000000"},
	{"AMF3 XML references", dense(XMLDocument("a"), XML("b"), XMLDocument("a"), XML("b")), "11 09 09 01 07 03 61 0B 03 62 07 02 0B 04"},
	{"AMF3 byte array reference", dense(ByteArray{1}, ByteArray{1}), "11 09 05 01 0C 03 01 0C 02"},
	{"AMF3 vector references", dense(IntVector{false, []int32{1}}, IntVector{false, []int32{1}}, ObjectVector{false, "", []any{nil}},
		ObjectVector{false, "", []any{nil}}), "11 09 09 01 0D 03 00 00000001 0D 02 10 03 00 01 01 10 04"},
	{"AMF3 dictionary reference", dense(Dictionary{false, []Entry{}}, Dictionary{false, []Entry{}}), "11 09 05 01 11 01 00 11 02"},
	{"AMF3 nested traits", AVMPlus{Object3{"", true, []Property{}, []Property{{"a", Object3{"", true, []Property{}, []Property{}}}}}},
		"11 0A 0B 01 03 61 0A 01 01 01"},
	{"AMF3 flags of any byte", AVMPlus{IntVector{true, []int32{}}}, "11 0D 01 80"},
}

type refusal struct {
	name string
	want error
	hex  string
}

// refused inputs are invalid under CommandLimits.
var refused = []refusal{
	{"movie clip", ErrMarker, "04"},
	{"object end as a value", ErrMarker, "09"},
	{"object end in an array", ErrMarker, "0A 00000001 09"},
	{"record set", ErrMarker, "0E"},
	{"unknown marker", ErrMarker, "12"},
	{"unknown marker in an object", ErrMarker, "03 0001 61 FF 000009"},
	{"object end after a name", ErrMarker, "03 0001 61 09"},
	{"half an end mark", ErrTruncated, "03 00"},
	{"end mark without its last byte", ErrTruncated, "03 0000"},
	{"end mark missing in an array", ErrTruncated, "0A 00000002 03"},
	{"end mark missing before more", ErrMarker, "0A 00000002 03 0001 61 05 0000 0E"},
	{"strict array count", ErrTruncated, "0A FFFFFFFF"},
	{"strict array count, one too many", ErrTruncated, "0A 00000002 05"},
	{"long string length", ErrTruncated, "0C FFFFFFFF 61"},
	{"XML length", ErrTruncated, "0F 00000002 61"},
	{"string length", ErrTruncated, "02 FFFF 61"},
	{"name length", ErrTruncated, "03 FFFF 61"},
	{"class name length", ErrTruncated, "10 FFFF 61"},
	{"reference without a table", ErrReference, "07 0000"},
	{"reference past the table", ErrReference, "0A 00000002 03 000009 07 0002"},
	{"reference to itself", ErrReference, "0A 00000001 07 0000"},
	{"reference to the object that holds it", ErrReference, "03 0001 61 07 0000 000009"},
	{"reference to the parent", ErrReference, "03 0001 61 03 0001 62 07 0000 000009 000009"},

	{"AMF3 unknown marker", ErrMarker, "11 12"},
	{"AMF3 marker missing", ErrTruncated, "11"},
	{"AMF3 integer cut", ErrTruncated, "11 04 FFFFFF"},
	{"AMF3 string length", ErrTruncated, "11 06 FFFFFFFF"},
	{"AMF3 string reference without a table", ErrReference, "11 06 00"},
	{"AMF3 string tables are fresh", ErrReference, "0A 00000002 11 06 03 61 11 06 00"},
	{"AMF3 object tables are fresh", ErrReference, "0A 00000002 11 0C 03 61 11 0C 00"},
	{"AMF3 traits tables are fresh", ErrReference, "0A 00000002 11 0A 03 01 11 0A 01"},
	{"AMF3 byte array length", ErrTruncated, "11 0C FFFFFFFF"},
	{"AMF3 array count", ErrTruncated, "11 09 FFFFFFFF 01"},
	{"AMF3 array end mark is not optional", ErrTruncated, "11 09 01"},
	{"AMF3 object end mark is not optional", ErrTruncated, "11 0A 0B 01"},
	{"AMF3 int vector count", ErrTruncated, "11 0D FFFFFFFF 00"},
	{"AMF3 uint vector count", ErrTruncated, "11 0E 05 00 00000000 000000"},
	{"AMF3 double vector count", ErrTruncated, "11 0F 03 00 00000000"},
	{"AMF3 object vector count", ErrTruncated, "11 10 FFFFFFFF 00 01"},
	{"AMF3 dictionary count", ErrTruncated, "11 11 FFFFFFFF 00"},
	{"AMF3 dictionary count, one too many", ErrTruncated, "11 11 05 00 01 01 01"},
	{"AMF3 sealed count", ErrTruncated, "11 0A FFFFFFF3 01"},
	{"AMF3 reference without a table", ErrReference, "11 0A 00"},
	{"AMF3 reference to itself", ErrReference, "11 09 03 01 09 00"},
	{"AMF3 dictionary key is the dictionary", ErrReference, "11 11 03 00 11 00 01"},
	{"AMF3 traits reference without a table", ErrReference, "11 0A 01"},
	{"AMF3 externalizable", ErrExternalizable, "11 0A 07 03 41 01"},
}
