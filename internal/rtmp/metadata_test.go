package rtmp

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const onMetaData = "02 000A 6F6E4D65746144617461"

// encodeValues writes values one after the other.
func encodeValues(values ...any) []byte {
	var b []byte
	for _, v := range values {
		b = amf.Append(b, v)
	}
	return b
}

// metadataOf is an onMetaData message as publishers send it.
func metadataOf(properties ...amf.Property) []byte {
	return encodeValues("onMetaData", amf.ECMAArray(properties))
}

func property(name string, value any) amf.Property { return amf.Property{Name: name, Value: value} }

// trackMap is what Enhanced RTMP v2 says of the tracks besides the first.
var trackMap = amf.Object{property("1", amf.Object{property("width", 1280.0), property("codec", "hvc1")})}

// objects returns an object within n-1 others.
func objects(n int) any {
	o := amf.Object{}
	for range n - 1 {
		o = amf.Object{property("a", o)}
	}
	return o
}

func TestMetadataThatEveryPlayerReadsIsLeftAsItIs(t *testing.T) {
	conformance.Covers(t, 198)
	for name, payload := range map[string][]byte{
		"what OBS sends": metadataOf(property("duration", 0.0), property("width", 1280.0), property("2.1", false),
			property("encoder", "obs-output module"), property("fileSize", 0.0)),
		"wrong count":       unhex(onMetaData + "08 00000000 0001 61 05 000009"),
		"absurd count":      unhex(onMetaData + "08 FFFFFFFF 0001 61 05 000009"),
		"boolean of 2":      unhex(onMetaData + "08 00000001 0001 61 0102 000009"),
		"empty":             unhex(onMetaData + "08 00000000 000009"),
		"duplicated names":  metadataOf(property("a", 1.0), property("a", "x")),
		"names of no one":   metadataOf(property("x-app", "\xff\x00"), property(strings.Repeat("n", 127), nil)),
		"FourCC as number":  metadataOf(property("videocodecid", float64(0x68766331)), property("audiocodecid", "mp4a")),
		"track maps":        metadataOf(property("videoTrackIdInfoMap", trackMap), property("audioTrackIdInfoMap", trackMap)),
		"longest text":      metadataOf(property("x", strings.Repeat("t", 1023))),
		"arrays in objects": metadataOf(property("x", amf.Object{property("l", amf.StrictArray{1.0, nil, amf.ECMAArray{}})})),
		"deepest":           metadataOf(property("x", objects(15))),
		"index below top":   metadataOf(property("x", amf.Object{property("keyframes", amf.Object{})})),
	} {
		before := bytes.Clone(payload)
		got, ok := NormalizeMetadata(payload)
		if !ok || !bytes.Equal(got, before) {
			t.Errorf("%s: got %.100q, %v", name, got, ok)
			continue
		}
		if &got[0] != &payload[0] {
			t.Errorf("%s: the bytes were copied", name)
		}
	}
}

// awkward is metadata that FFmpeg fails over or misreads, and what becomes of it.
var awkward = []struct {
	name    string
	payload []byte
	want    amf.ECMAArray
}{
	{"Object", encodeValues("onMetaData", amf.Object{property("width", 640.0)}), amf.ECMAArray{property("width", 640.0)}},
	{"typed object", encodeValues("onMetaData", amf.TypedObject{Class: "M", Properties: amf.Object{property("a", true)}}),
		amf.ECMAArray{property("a", true)}},
	{"AMF3 object", encodeValues("onMetaData", amf.AVMPlus{Value: amf.Object3{Dynamic: true,
		Extra: []amf.Property{property("width", amf.Integer(640)), property("encoder", "AIR")}}}),
		amf.ECMAArray{property("width", 640.0), property("encoder", "AIR")}},
	{"nothing before the object", encodeValues("onMetaData", nil, amf.Object{property("a", 1.0)}), amf.ECMAArray{property("a", 1.0)}},
	{"values behind the array", append(metadataOf(property("a", 1.0)), 0x05, 0x02), amf.ECMAArray{property("a", 1.0)}},
	{"end mark missing, Envivio", unhex(onMetaData + "08 00000001 0001 61 0101"), amf.ECMAArray{property("a", true)}},
	{"end marks missing", unhex(onMetaData + "08 00000001 0001 61 03 0001 62 05"),
		amf.ECMAArray{property("a", amf.Object{property("b", nil)})}},
	{"long string that is short", unhex(onMetaData + "08 00000001 0001 61 0C 00000002 6869 000009"), amf.ECMAArray{property("a", "hi")}},
	{"text that is too long", metadataOf(property("liveXML", strings.Repeat("x", 1024)), property("a", 1.0)), amf.ECMAArray{property("a", 1.0)}},
	{"long string", metadataOf(property("x", strings.Repeat("x", 70000)), property("a", 1.0)), amf.ECMAArray{property("a", 1.0)}},
	{"XML", metadataOf(property("x", amf.XML("<a/>")), property("y", amf.AVMPlus{Value: amf.XMLDocument("<b/>")})),
		amf.ECMAArray{property("x", "<a/>"), property("y", "<b/>")}},
	{"dates", metadataOf(property("d", amf.Date{UnixMilli: 1700000000000}), property("nan", amf.Date{UnixMilli: math.NaN()}),
		property("late", amf.Date{UnixMilli: 1e15}), property("never", amf.Date{UnixMilli: 1e300})),
		amf.ECMAArray{property("d", "2023-11-14T22:13:20.000Z")}},
	{"undefined and unsupported", metadataOf(property("u", amf.Undefined{}), property("v", amf.Unsupported{})),
		amf.ECMAArray{property("u", nil), property("v", nil)}},
	{"numbers that are none", metadataOf(property("duration", math.NaN()), property("width", math.Inf(1)), property("height", 360.0),
		property("l", amf.StrictArray{math.NaN(), 2.0})),
		amf.ECMAArray{property("height", 360.0), property("l", amf.StrictArray{nil, 2.0})}},
	{"reference", unhex(onMetaData + "08 00000002 0001 61 03 0001 78 05 000009 0001 62 07 0001 000009"),
		amf.ECMAArray{property("a", amf.Object{property("x", nil)}), property("b", amf.Object{property("x", nil)})}},
	{"typed object below", metadataOf(property("a", amf.TypedObject{Class: "M", Properties: amf.Object{property("x", amf.Undefined{})}})),
		amf.ECMAArray{property("a", amf.Object{property("x", nil)})}},
	{"AMF3 arrays", metadataOf(
		property("dense", amf.AVMPlus{Value: amf.Array3{Dense: []any{amf.Integer(1), amf.ByteArray{1}, "x"}}}),
		property("mixed", amf.AVMPlus{Value: amf.Array3{Assoc: []amf.Property{property("k", true)}, Dense: []any{2.0}}}),
		property("int", amf.AVMPlus{Value: amf.IntVector{Items: []int32{-1}}}),
		property("uint", amf.AVMPlus{Value: amf.UintVector{Items: []uint32{1}}}),
		property("double", amf.AVMPlus{Value: amf.DoubleVector{Items: []float64{0.5, math.NaN()}}}),
		property("object", amf.AVMPlus{Value: amf.ObjectVector{Type: "*", Items: []any{"y"}}})),
		amf.ECMAArray{
			property("dense", amf.StrictArray{1.0, nil, "x"}),
			property("mixed", amf.ECMAArray{property("k", true), property("0", 2.0)}),
			property("int", amf.StrictArray{-1.0}), property("uint", amf.StrictArray{1.0}),
			property("double", amf.StrictArray{0.5, nil}), property("object", amf.StrictArray{"y"}),
		}},
	{"no form in AMF0", metadataOf(property("b", amf.AVMPlus{Value: amf.ByteArray{1}}), property("d", amf.AVMPlus{Value: amf.Dictionary{}}),
		property("a", amf.ECMAArray{property("b", amf.AVMPlus{Value: amf.ByteArray{1}})})),
		amf.ECMAArray{property("a", amf.ECMAArray{})}},
	{"names", metadataOf(property("", 1.0), property(strings.Repeat("n", 128), 1.0), property("a", amf.Object{property("", 2.0)})),
		amf.ECMAArray{property("a", amf.Object{})}},
	{"index of a file", metadataOf(property("keyframes", amf.Object{property("times", amf.StrictArray{0.0}),
		property("filepositions", amf.StrictArray{13.0})}), property("a", 1.0)), amf.ECMAArray{property("a", 1.0)}},
	{"long index of a file", metadataOf(property("keyframes", amf.Object{property("times", make(amf.StrictArray, 20000))}), property("a", 1.0)),
		amf.ECMAArray{property("a", 1.0)}},
}

func TestAwkwardMetadataIsWrittenAnew(t *testing.T) {
	for _, test := range awkward {
		t.Run(test.name, func(t *testing.T) {
			before := bytes.Clone(test.payload)
			got, ok := NormalizeMetadata(test.payload)
			if !bytes.Equal(test.payload, before) {
				t.Error("the payload was changed")
			}
			d := amf.NewDecoder(got, amf.DataLimits)
			name, err1 := d.Decode()
			value, err2 := d.Decode()
			if !ok || err1 != nil || err2 != nil || name != "onMetaData" || d.Offset() != len(got) {
				t.Fatalf("got % X, %v", got, ok)
			}
			if !reflect.DeepEqual(value, test.want) {
				t.Errorf("got  %v\nwant %v", value, test.want)
			}
			if !isPlainMetadata(got) {
				t.Error("players cannot read the result")
			}
		})
	}
}

// noMetadata is what nothing can be made of.
var noMetadata = map[string][]byte{
	"empty":                 nil,
	"no name":               encodeValues(1.0, amf.ECMAArray{}),
	"empty name":            encodeValues("", amf.Object{}),
	"name too long":         encodeValues(strings.Repeat("n", 64), amf.Object{}),
	"name cut":              unhex("02 000A 6F6E"),
	"name alone":            unhex(onMetaData),
	"no object":             encodeValues("onMetaData", nil, "x", 1.0),
	"cut within a value":    unhex(onMetaData + "08 00000001 0001 61 00 3FF0"),
	"cut within an end":     unhex(onMetaData + "08 00000001 0001 61 05 00"),
	"garbage":               unhex(onMetaData + "08 00000001 DEADBEEF DEADBEEF"),
	"too deep":              encodeValues("onMetaData", objects(17)),
	"too many values":       encodeValues("onMetaData", amf.Object{property("a", make(amf.StrictArray, 1<<16))}),
	"enclosing reference":   unhex(onMetaData + "03 0001 61 07 0000 000009"),
	"externalizable object": unhex(onMetaData + "11 0A 07 03 41 01"),
}

func TestMetadataThatCannotBeDecodedIsRefused(t *testing.T) {
	for name, payload := range noMetadata {
		if got, ok := NormalizeMetadata(payload); ok || got != nil {
			t.Errorf("%s: got %.100q", name, got)
		}
	}
}

func TestPlainMetadataCostsNothing(t *testing.T) {
	payload := metadataOf(property("width", 1280.0), property("videoTrackIdInfoMap", trackMap))
	if n := testing.AllocsPerRun(100, func() { NormalizeMetadata(payload) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzMetadata(f *testing.F) {
	for _, test := range awkward {
		f.Add(test.payload[:min(len(test.payload), 300)])
	}
	for _, payload := range noMetadata {
		f.Add(payload[:min(len(payload), 300)])
	}
	f.Add(metadataOf(property("videoTrackIdInfoMap", trackMap)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		got, ok := NormalizeMetadata(payload)
		if !bytes.Equal(payload, before) {
			t.Fatal("the payload was changed")
		}
		if !ok {
			return
		}
		// References and AMF3 integers are shorter than what they stand for.
		if most := 16*len(payload) + 1<<21; len(got) > most {
			t.Fatalf("%d bytes became %d", len(payload), len(got))
		}
		again, ok := NormalizeMetadata(got)
		if !ok || len(again) == 0 || &again[0] != &got[0] {
			t.Fatalf("% X became % X, which is not plain", payload, got)
		}
	})
}
