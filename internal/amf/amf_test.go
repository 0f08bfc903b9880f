package amf

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// decodeAll returns every value of the input.
func decodeAll(b []byte, limits Limits) ([]any, *Decoder, error) {
	d := NewDecoder(b, limits)
	var values []any
	for {
		v, err := d.Decode()
		if errors.Is(err, io.EOF) {
			return values, d, nil
		}
		if err != nil {
			return values, d, err
		}
		values = append(values, v)
	}
}

func TestDecodeReadsEveryVector(t *testing.T) {
	conformance.Covers(t, 125, 132, 137)
	for _, v := range slices.Concat(canonical, readable) {
		t.Run(v.name, func(t *testing.T) {
			b := unhex(t, v.hex)
			got, d, err := decodeAll(b, CommandLimits)
			if err != nil {
				t.Fatal(err)
			}
			if want := []any{v.value}; !reflect.DeepEqual(got, want) {
				t.Errorf("got %#v, want %#v", got, want)
			}
			if d.Offset() != len(b) {
				t.Errorf("consumed %d of %d bytes", d.Offset(), len(b))
			}
		})
	}
}

func TestAppendWritesEveryCanonicalVector(t *testing.T) {
	for _, v := range canonical {
		t.Run(v.name, func(t *testing.T) {
			got := Append([]byte("before"), v.value)
			if want := append([]byte("before"), unhex(t, v.hex)...); !bytes.Equal(got, want) {
				t.Errorf("got % X, want % X", got, want)
			}
		})
	}
}

func TestDecodeRefusesInvalidInputForGood(t *testing.T) {
	conformance.Covers(t, 125, 134, 135)
	for _, r := range refused {
		t.Run(r.name, func(t *testing.T) {
			_, d, err := decodeAll(unhex(t, r.hex), CommandLimits)
			if !errors.Is(err, r.want) {
				t.Fatalf("got error %v, want %v", err, r.want)
			}
			if v, again := d.Decode(); v != nil || !errors.Is(again, err) {
				t.Errorf("the next call returned %v, %v", v, again)
			}
		})
	}
}

// A prefix is an error, except where only end marks are missing: then with one mark more it must be the same value.
func TestDecodeOfEveryPrefixFailsOrLacksOnlyEndMarks(t *testing.T) {
	conformance.Covers(t, 138)
	for _, v := range slices.Concat(canonical, readable) {
		b := unhex(t, v.hex)
		for n := 1; n < len(b); n++ {
			got, err := NewDecoder(b[:n:n], CommandLimits).Decode()
			if err != nil {
				if !errors.Is(err, ErrTruncated) {
					t.Errorf("%s, %d bytes: error %v", v.name, n, err)
				}
				continue
			}
			d := NewDecoder(append(b[:n:n], 0, 0, amf0ObjectEnd), CommandLimits)
			complete, err := d.Decode()
			if err != nil || d.Offset() != n+3 || !reflect.DeepEqual(got, complete) {
				t.Errorf("%s, %d bytes: accepted %#v, but %#v, %v with an end mark", v.name, n, got, complete, err)
			}
		}
	}
}

func TestDecodeReadsTheValuesOfACommand(t *testing.T) {
	// The body of a type 17 message after its format selector, then padding that is no value.
	b := unhex(t, "02 0007 636F6E6E656374 00 3FF0000000000000 11 0A 0B 01 03 61 04 01 03 62 06 03 78 01 FF")
	d := NewDecoder(b, CommandLimits)
	want := []any{"connect", 1.0, AVMPlus{Object3{"", true, []Property{}, []Property{{"a", Integer(1)}, {"b", "x"}}}}}
	for i, offset := range []int{10, 19, 33} {
		v, err := d.Decode()
		if err != nil || !reflect.DeepEqual(v, want[i]) {
			t.Fatalf("value %d: got %#v, %v", i, v, err)
		}
		if d.Offset() != offset {
			t.Errorf("value %d: offset %d, want %d", i, d.Offset(), offset)
		}
	}
	if _, err := d.Decode(); !errors.Is(err, ErrMarker) {
		t.Errorf("padding: error %v", err)
	}
}

// The count of an ECMA array is whatever the encoder wrote: the end mark decides.
func TestECMACountsAreHints(t *testing.T) {
	conformance.Covers(t, 126)
	want := []any{ECMAArray{{"a", nil}, {"b", true}}, "next"}
	for _, count := range []string{"00000000", "00000001", "00000002", "00000003", "FFFFFFFF"} {
		got, _, err := decodeAll(unhex(t, "08"+count+"0001 61 05 0001 62 0101 000009 02 0004 6E657874"), CommandLimits)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("count %s: got %#v, %v", count, got, err)
		}
	}
}

// OBS up to version 30 sends its second audio track in such a message.
func TestTheSwitchToAMF3LastsForOneValue(t *testing.T) {
	conformance.Covers(t, 131)
	media := AVMPlus{ByteArray{0xAF, 0x01, 0x21, 0x10, 0x04, 0x60}}
	object := AVMPlus{Object3{"", true, []Property{}, []Property{{"a", Integer(1)}, {"b", "x"}}}}
	for _, c := range []struct {
		name, hex string
		want      []any
	}{
		{"byte array", "02 000F 6164646974696F6E616C4D65646961 03 0002 6964 02 0007 73747265616D30 0005 6D65646961 11 0C 0D AF0121100460 000009",
			[]any{"additionalMedia", Object{{"id", "stream0"}, {"media", media}}}},
		{"string, then AMF0", "11 06 0B 68656C6C6F 02 0002 6869", []any{AVMPlus{"hello"}, "hi"}},
		{"object, then AMF0", "11 0A 0B 01 03 61 04 01 03 62 06 03 78 01 0101", []any{object, true}},
	} {
		got, _, err := decodeAll(unhex(t, c.hex), CommandLimits)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, %v", c.name, got, err)
		}
	}
}

func TestDecodeOfNothingIsEOF(t *testing.T) {
	d := NewDecoder(nil, CommandLimits)
	for range 2 {
		if v, err := d.Decode(); v != nil || !reflect.DeepEqual(err, io.EOF) {
			t.Errorf("got %v, %v", v, err)
		}
	}
}

func TestReferencesReachEarlierValuesOfTheMessage(t *testing.T) {
	got, _, err := decodeAll(unhex(t, "03 0001 61 05 000009 11 09 01 01 03 000009 07 0000 07 0001"), CommandLimits)
	o := Object{{"a", nil}}
	want := []any{o, AVMPlus{Array3{[]Property{}, []any{}}}, Object{}, o, Object{}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v, %v", got, err)
	}
}

func TestDecodedValuesDoNotShareTheInput(t *testing.T) {
	for _, v := range slices.Concat(canonical, readable) {
		b := unhex(t, v.hex)
		got, err := NewDecoder(b, CommandLimits).Decode()
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		if !reflect.DeepEqual(got, v.value) {
			t.Errorf("%s became %#v when its input was cleared", v.name, got)
		}
	}
}

func TestAppendAcceptsWhatDecodeNeverReturns(t *testing.T) {
	for _, v := range []vector{
		{"int", 1, "00 3FF0000000000000"},
		{"nil object", Object(nil), "03 000009"},
		{"nil ECMA array", ECMAArray(nil), "08 00000000 000009"},
		{"nil strict array", StrictArray(nil), "0A 00000000"},
		{"nil typed object", TypedObject{}, "10 0000 000009"},
		{"AMF3 int", AVMPlus{300}, "11 04 822C"},
		{"AMF3 int above 29 bits", AVMPlus{1 << 28}, "11 05 41B0000000000000"},
		{"AMF3 integer below 29 bits", AVMPlus{Integer(-1<<28 - 1)}, "11 05 C1B0000001000000"},
		{"AMF3 nil parts", AVMPlus{Array3{}}, "11 09 01 01"},
		{"AMF3 members not declared", AVMPlus{Object3{Extra: []Property{{"a", nil}}}}, "11 0A 0B 01 03 61 01 01"},
		{"AMF3 empty name", AVMPlus{Array3{Assoc: []Property{{"", nil}, {"a", nil}}}}, "11 09 01 03 61 01 01"},
	} {
		if got, want := Append(nil, v.value), unhex(t, v.hex); !bytes.Equal(got, want) {
			t.Errorf("%s: got % X, want % X", v.name, got, want)
		}
	}
}

func TestAppendOfLongTexts(t *testing.T) {
	most, over := strings.Repeat("a", 65535), strings.Repeat("a", 65536)
	for _, c := range []struct {
		name        string
		value, want any
		marker      byte
	}{
		{"longest short string", most, most, amf0String},
		{"shortest long string", over, over, amf0LongString},
		{"name cut", Object{{over, true}}, Object{{most, true}}, amf0Object},
		{"class name cut", TypedObject{over, Object{}}, TypedObject{most, Object{}}, amf0TypedObject},
		{"AMF3 name", AVMPlus{Object3{over, true, []Property{}, []Property{{over, nil}}}},
			AVMPlus{Object3{over, true, []Property{}, []Property{{over, nil}}}}, amf0AVMPlus},
	} {
		b := Append(nil, c.value)
		got, err := NewDecoder(b, CommandLimits).Decode()
		if err != nil || !reflect.DeepEqual(got, c.want) || b[0] != c.marker {
			t.Errorf("%s: marker %#x, error %v or another value", c.name, b[0], err)
		}
	}
}

func TestAppendPanicsOnForeignTypes(t *testing.T) {
	for name, f := range map[string]func(){
		"AMF0 has no encoding for Go type amf.Integer":           func() { Append(nil, Integer(1)) },
		"AMF0 has no encoding for Go type []int":                 func() { Append(nil, StrictArray{[]int{}}) },
		"AMF3 has no encoding for Go type amf.Object":            func() { Append(nil, AVMPlus{Object{}}) },
		"536870912 does not fit the 29 bits of an AMF3 length":   func() { appendU29(nil, 1<<29) },
		"AMF3 has no encoding for Go type map[string]interface ": func() { Append(nil, AVMPlus{map[string]any{}}) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, name) {
					t.Errorf("got panic %q, want %q", s, name)
				}
			}()
			f()
		}()
	}
}
