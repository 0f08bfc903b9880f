package amf

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// nest returns n times what opens a level, then the innermost content, then n times what closes one.
func nest(t testing.TB, n int, opening, content, closing string) []byte {
	t.Helper()
	return slices.Concat(bytes.Repeat(unhex(t, opening), n), unhex(t, content), bytes.Repeat(unhex(t, closing), n))
}

// levels are all ways to nest, with one AMF3 level of their own under prefix where they are AMF3.
var levels = []struct{ name, prefix, opening, content, closing string }{
	{"object", "", "03 0001 61", "05", "000009"},
	{"object with empty names", "", "03 0000", "05", "000009"},
	{"ECMA array", "", "08 00000000 0000", "05", "000009"},
	{"strict array", "", "0A 00000001", "05", ""},
	{"typed object", "", "10 0000 0000", "05", "000009"},
	{"AMF3 array", "11", "09 03 01", "01", ""},
	{"AMF3 names", "11", "09 01 03 61", "01", "01"},
	{"AMF3 sealed members", "11", "0A 13 01 01", "01", ""},
	{"AMF3 dynamic members", "11", "0A 0B 01 03 61", "01", "01"},
	{"AMF3 object vector", "11", "10 03 00 01", "01", ""},
	{"AMF3 dictionary keys", "11", "11 03 00", "01", "01"},
	{"AMF3 dictionary values", "11", "11 03 00 01", "01", ""},
}

func TestDepthLimitIsExact(t *testing.T) {
	for _, l := range levels {
		n := CommandLimits.Depth
		if l.prefix != "" {
			n-- // the switch to AMF3 is a level too
		}
		prefix := unhex(t, l.prefix)
		_, _, err := decodeAll(append(prefix, nest(t, n, l.opening, l.content, l.closing)...), CommandLimits)
		if err != nil {
			t.Errorf("%s, %d levels: %v", l.name, n, err)
		}
		_, _, err = decodeAll(append(prefix, nest(t, n+1, l.opening, l.content, l.closing)...), CommandLimits)
		if !errors.Is(err, ErrDepth) {
			t.Errorf("%s, %d levels: error %v", l.name, n+1, err)
		}
	}
}

func TestDepthLimitCoversTheMixOfFormats(t *testing.T) {
	conformance.Covers(t, 129)
	mixed := func(amf0, amf3 int) []byte {
		return nest(t, amf0, "0A 00000001", "11 "+strings.Repeat("09 03 01 ", amf3)+"01", "")
	}
	if _, _, err := decodeAll(mixed(8, 7), CommandLimits); err != nil {
		t.Errorf("16 levels: %v", err)
	}
	for _, b := range [][]byte{mixed(8, 8), mixed(9, 7), mixed(16, 0)} {
		if _, _, err := decodeAll(b, CommandLimits); !errors.Is(err, ErrDepth) {
			t.Errorf("17 levels: error %v", err)
		}
	}
}

// References must not build a tree that is deeper than any that could be written out.
func TestDepthLimitCoversReferences(t *testing.T) {
	pair := func(first, second string) []byte { return unhex(t, "0A 00000002"+first+second) }
	chain := func(n int, content string) string { return strings.Repeat("0A 00000001", n) + content }
	three, flat := chain(3, "05"), chain(1, "05")
	limits := Limits{Depth: 6, Values: 100}
	for _, c := range []struct {
		name string
		in   []byte
		want error
	}{
		{"three levels below two", pair(three, chain(2, "07 0001")), nil},
		{"three levels below three", pair(three, chain(3, "07 0001")), ErrDepth},
		{"one level below four", pair(flat, chain(4, "07 0001")), nil},
		{"one level below five", pair(flat, chain(5, "07 0001")), ErrDepth},
		{"a reference makes its parent deep", unhex(t, "0A 00000003"+three+chain(2, "07 0001")+chain(1, "07 0004")), ErrDepth},
		{"a sibling does not", unhex(t, "0A 00000003"+three+flat+chain(4, "07 0004")), nil},
		{"AMF3", unhex(t, "11 09 05 01 09 03 01 09 03 01 01"+strings.Repeat("09 03 01", 2)+"09 02"), nil},
		{"AMF3 too deep", unhex(t, "11 09 05 01 09 03 01 09 03 01 01"+strings.Repeat("09 03 01", 3)+"09 02"), ErrDepth},
		{"AMF3 leaf", unhex(t, "11 09 05 01 0C 01"+strings.Repeat("09 03 01", 4)+"0C 02"), nil},
	} {
		values, _, err := decodeAll(c.in, limits)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, want %v", c.name, err, c.want)
		}
		if err != nil {
			continue
		}
		if _, _, err := decodeAll(Append(nil, values[0]), limits); err != nil {
			t.Errorf("%s: written out: %v", c.name, err)
		}
	}
}

func TestValuesLimitIsExact(t *testing.T) {
	for _, c := range []struct {
		name   string
		hex    string
		values int
	}{
		{"values of one message", "05 05 05", 3},
		{"object", "03 0001 61 05 0001 62 05 000009", 3},
		{"strict array", "0A 00000003 05 05 05", 4},
		{"reference to an empty object", "03 000009 07 0000", 2},
		{"reference", "0A 00000003 05 05 05 07 0000", 8},
		{"reference to a reference's parent", "0A 00000002 0A 00000001 05 07 0001 07 0000", 10},
		{"AMF3 scalar", "11 01", 2},
		{"AMF3 array", "11 09 05 03 61 01 01 01 01", 5},
		{"AMF3 object", "11 0A 1B 01 03 78 01 03 79 01 01", 4},
		{"AMF3 dictionary", "11 11 03 00 01 01", 4},
		{"AMF3 object vector", "11 10 05 00 01 01 01", 4},
		{"AMF3 numeric vectors and bytes are one value", "11 09 05 01 0D 05 00 00000000 00000000 0C 05 0000", 4},
		{"AMF3 reference", "11 09 05 01 09 05 01 01 01 09 02", 8},
	} {
		values, _, err := decodeAll(unhex(t, c.hex), Limits{16, c.values})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := countValues(values...); n != c.values {
			t.Errorf("%s: %d values, want %d", c.name, n, c.values)
		}
		if _, _, err = decodeAll(unhex(t, c.hex), Limits{16, c.values - 1}); !errors.Is(err, ErrValues) {
			t.Errorf("%s, one value less: error %v", c.name, err)
		}
	}
	if _, _, err := decodeAll(unhex(t, "05"), Limits{}); !errors.Is(err, ErrValues) {
		t.Errorf("no limits: error %v", err)
	}
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestBombsAreRefusedCheaply(t *testing.T) {
	conformance.Covers(t, 127, 128, 129, 130, 133)
	type bomb struct {
		name string
		want error
		in   []byte
	}
	zeros := bytes.Repeat([]byte{0}, 1<<20)
	bombs := []bomb{
		{"strict array count", ErrTruncated, unhex(t, "0A FFFFFFFF")},
		{"strict array count over much input", ErrValues, append(unhex(t, "0A 00100000"), zeros...)},
		{"1 MiB of nulls in a strict array", ErrValues, append(unhex(t, "0A 00100000"), bytes.Repeat([]byte{amf0Null}, 1<<20)...)},
		{"strict arrays each claiming 1,000", ErrMarker, slices.Concat(bytes.Repeat(unhex(t, "0A 000003E8"), 15), bytes.Repeat([]byte{0x0E}, 1000))},
		{"long string length", ErrTruncated, unhex(t, "0C FFFFFFFF")},
		{"XML length", ErrTruncated, unhex(t, "0F FFFFFFFF")},
		{"AMF3 int vector count", ErrTruncated, unhex(t, "11 0D FFFFFFFF")},
		{"AMF3 double vector count", ErrTruncated, unhex(t, "11 0F FFFFFFFF 00")},
		{"AMF3 array count over much input", ErrValues, append(unhex(t, "11 09 80C08001 01"), zeros...)},
		{"AMF3 sealed count over much input", ErrValues, append(unhex(t, "11 0A 80FFFFF3 01"), zeros...)},
		{"AMF3 dictionary count over much input", ErrValues, append(unhex(t, "11 11 A08001 00"), zeros...)},
		{"1 MiB of nulls", ErrValues, bytes.Repeat([]byte{amf0Null}, 1<<20)},
		{"1 MiB of nulls in AMF3", ErrValues, append(unhex(t, "11 09 80C08001 01"), bytes.Repeat([]byte{amf3Null}, 1<<20)...)},
		{"100,000 names", ErrValues, append([]byte{amf0Object}, bytes.Repeat(unhex(t, "0001 61 05"), 100_000)...)},
		{"100,000 empty names", ErrValues, append([]byte{amf0ECMAArray, 0, 0, 0, 0}, bytes.Repeat(unhex(t, "0000 05"), 100_000)...)},
		{"100,000 AMF3 names", ErrValues, append(unhex(t, "11 09 01"), bytes.Repeat(unhex(t, "03 61 01"), 100_000)...)},
		{"100,000 references", ErrValues, append(unhex(t, "03 000009"), bytes.Repeat(unhex(t, "07 0000"), 100_000)...)},
		{"100,000 AMF3 switches", ErrValues, bytes.Repeat(unhex(t, "11 01"), 100_000)},
	}
	for _, l := range levels {
		in := append(unhex(t, l.prefix), nest(t, 10_000, l.opening, l.content, l.closing)...)
		bombs = append(bombs, bomb{"10,000 levels of " + l.name, ErrDepth, in})
	}
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			var err error
			n := allocated(func() { _, _, err = decodeAll(b.in, CommandLimits) })
			if !errors.Is(err, b.want) {
				t.Errorf("got error %v, want %v", err, b.want)
			}
			if n > 128<<10 {
				t.Errorf("allocated %d bytes for %d of input", n, len(b.in))
			}
		})
	}
}

// Each line names the one before twice, so n lines stand for 2^n values.
func TestBillionLaughsAreCharged(t *testing.T) {
	amf0 := unhex(t, "0A 00000028 0A 00000002 05 05")
	amf3 := unhex(t, "11 09 51 01 09 05 01 01 01")
	for i := range byte(39) {
		amf0 = append(amf0, unhex(t, "0A 00000002")...)
		amf0 = append(amf0, amf0Reference, 0, i+1, amf0Reference, 0, i+1)
		amf3 = append(amf3, unhex(t, "09 05 01")...)
		amf3 = append(amf3, amf3Array, (i+1)<<1, amf3Array, (i+1)<<1)
	}
	for _, in := range [][]byte{amf0, amf3} {
		if _, _, err := decodeAll(in, Limits{Depth: 100, Values: 65536}); !errors.Is(err, ErrValues) {
			t.Errorf("% X...: error %v", in[:6], err)
		}
		if _, _, err := decodeAll(in, Limits{Depth: 16, Values: math.MaxInt}); !errors.Is(err, ErrDepth) {
			t.Errorf("% X...: error %v", in[:6], err)
		}
	}
}

// The same with long strings: few values, but many bytes if they were written out.
func TestReferencesToLongStringsAreCharged(t *testing.T) {
	text := append(unhex(t, "84 80 01"), bytes.Repeat([]byte{'a'}, 1<<15)...) // UTF-8-vr of 32 KiB
	after := func(head string, tail []byte) []byte { return slices.Concat(unhex(t, head), text, tail) }
	for _, c := range []struct {
		name string
		in   func(n int) []byte
	}{
		{"values", func(n int) []byte {
			return after("11 09 8F53 01 06", append(bytes.Repeat(unhex(t, "06 00"), n), bytes.Repeat([]byte{1}, 1000-n)...))
		}},
		{"names", func(n int) []byte {
			return after("11 09 01", slices.Concat([]byte{1}, bytes.Repeat(unhex(t, "00 01"), n), []byte{1}))
		}},
		{"traits", func(n int) []byte {
			return after("11 09 8F53 01 0A 03", append(bytes.Repeat(unhex(t, "0A 01"), n), bytes.Repeat([]byte{1}, 1000-n)...))
		}},
		{"byte arrays", func(n int) []byte {
			return after("11 09 8F53 01 0C", append(bytes.Repeat(unhex(t, "0C 02"), n), bytes.Repeat([]byte{1}, 1000-n)...))
		}},
	} {
		if _, _, err := decodeAll(c.in(30), Limits{16, 2000}); err != nil {
			t.Errorf("%s, 30 references: %v", c.name, err)
		}
		if _, _, err := decodeAll(c.in(32), Limits{16, 2000}); !errors.Is(err, ErrReference) {
			t.Errorf("%s, 32 references: error %v", c.name, err)
		}
	}
	amf0 := slices.Concat(unhex(t, "0A 00000001 0C 00008000"), bytes.Repeat([]byte{'a'}, 1<<15), bytes.Repeat(unhex(t, "07 0000"), 32))
	if _, _, err := decodeAll(amf0, CommandLimits); !errors.Is(err, ErrReference) {
		t.Errorf("AMF0: error %v", err)
	}
}
