package amf

import (
	"fmt"
	"slices"
	"testing"
)

// countValues counts as [Limits].Values does.
func countValues(values ...any) int {
	n := 0
	for _, v := range values {
		n++
		switch v := v.(type) {
		case Object:
			n += countProperties(v)
		case ECMAArray:
			n += countProperties(v)
		case TypedObject:
			n += countProperties(v.Properties)
		case StrictArray:
			n += countValues(v...)
		case AVMPlus:
			n += countValues(v.Value)
		case Array3:
			n += countProperties(v.Assoc) + countValues(v.Dense...)
		case Object3:
			n += countProperties(v.Sealed) + countProperties(v.Extra)
		case ObjectVector:
			n += countValues(v.Items...)
		case Dictionary:
			for _, e := range v.Entries {
				n += countValues(e.Key, e.Value)
			}
		}
	}
	return n
}

func countProperties(properties []Property) int {
	n := 0
	for _, p := range properties {
		n += countValues(p.Value)
	}
	return n
}

// checkDecode holds for any input: what was decoded meets the limits with its references written out, and written out
// it decodes to the same again.
func checkDecode(t *testing.T, in []byte) {
	values, d, err := decodeAll(in, CommandLimits)
	if d.Offset() < 0 || d.Offset() > len(in) || err == nil && d.Offset() != len(in) {
		t.Fatalf("offset %d in %d bytes, error %v", d.Offset(), len(in), err)
	}
	if n := countValues(values...); n > CommandLimits.Values || err == nil && n != d.values {
		t.Fatalf("%d values, %d charged", n, d.values)
	}
	var out []byte
	for _, v := range values {
		out = Append(out, v)
	}
	if most := d.extent() + CommandLimits.Depth*len("\x00\x00\x09"); len(out) > most {
		t.Fatalf("%d bytes became %d, charged for %d", len(in), len(out), most)
	}
	again, _, err := decodeAll(out, CommandLimits)
	if err != nil {
		t.Fatalf("decoding % X, written for %#v: %v", out, values, err)
	}
	// Compared as text, since NaN differs from itself.
	if got, want := fmt.Sprintf("%#v", again), fmt.Sprintf("%#v", values); got != want {
		t.Fatalf("%s became %s", want, got)
	}
}

func seeds(t testing.TB) [][]byte {
	var all [][]byte
	for _, v := range slices.Concat(canonical, readable) {
		all = append(all, unhex(t, v.hex))
	}
	for _, r := range refused {
		all = append(all, unhex(t, r.hex))
	}
	return all
}

func FuzzDecodeAMF0(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(checkDecode)
}

func FuzzDecodeAMF3(f *testing.F) {
	for _, s := range seeds(f) {
		if s[0] == amf0AVMPlus {
			f.Add(s[1:])
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		checkDecode(t, append([]byte{amf0AVMPlus}, in...))
	})
}
