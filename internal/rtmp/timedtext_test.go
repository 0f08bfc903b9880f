package rtmp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// dataMessages are data messages and what becomes of them: nil for nothing, "same"
// for the very bytes.
var dataMessages = []struct {
	name          string
	payload, want []byte
}{
	{"timed text", encodeValues("onTextData", amf.Object{property("text", "x"), property("more", amf.Undefined{})}), same},
	{"text behind other values", encodeValues("onTextData", amf.ECMAArray{property("language", "en"),
		property("trackid", 1.0), property("text", "x")}), same},
	{"cue point", encodeValues("onCuePoint", amf.Object{property("a", amf.TypedObject{})}), same},
	{"name alone", encodeValues("onFI"), same},
	{"padding", append(encodeValues("onCuePoint", amf.Object{}), 0xFF), same},
	{"second audio track of OBS", encodeValues("additionalMedia",
		amf.Object{property("id", "stream0"), property("media", amf.AVMPlus{Value: amf.ByteArray{0xAF, 1}})}), same},
	{"longest name", encodeValues(strings.Repeat("n", 63)), same},

	{"text behind a value that FFmpeg does not know", encodeValues("onTextData", amf.Object{property("a", amf.Undefined{}),
		property("b", amf.AVMPlus{Value: amf.ByteArray{1}}), property("text", "x"), property("c", 1.0)}),
		encodeValues("onTextData", amf.Object{property("text", "x"), property("a", nil), property("c", 1.0)})},
	{"text behind a name of 20 bytes", encodeValues("onCaption", amf.ECMAArray{property(strings.Repeat("n", 20), true), property("text", "x")}),
		encodeValues("onCaption", amf.Object{property("text", "x"), property(strings.Repeat("n", 20), true)})},
	{"text in an object of a class", encodeValues("onTextData", amf.TypedObject{Class: "T", Properties: amf.Object{property("text", "x")}}),
		encodeValues("onTextData", amf.Object{property("text", "x")})},
	{"text in AMF3", encodeValues("onTextData", amf.AVMPlus{Value: amf.Object3{Dynamic: true, Extra: []amf.Property{property("text", "x")}}}),
		encodeValues("onTextData", amf.Object{property("text", "x")})},

	{"timed text without text", encodeValues("onTextData", amf.Object{property("language", "en")}), nil},
	{"timed text of another type", encodeValues("onTextData", amf.Object{property("text", 1.0)}), nil},
	{"timed text that is a string", encodeValues("onCaption", "words"), nil},
	{"timed text alone", encodeValues("onCaption"), nil},
	{"timed text that is too long", encodeValues("onTextData", amf.Object{property("text", strings.Repeat("x", 1<<16))}), nil},
	{"name too long", encodeValues(strings.Repeat("n", 64)), nil},
	{"empty name", encodeValues("", 1.0), nil},
	{"time code of FFmpeg", unhex("00 010203"), nil},
	{"number", encodeValues(1.0), nil},
	{"garbage", unhex("02 0002 6869 0E"), nil},
	{"nothing", nil, nil},
}

var same = []byte("same")

func TestDataIsSentAsPlayersCanTakeIt(t *testing.T) {
	conformance.Covers(t, 139, 159)
	for _, test := range dataMessages {
		want := test.want
		if bytes.Equal(want, same) {
			want = test.payload
		}
		got, ok := NormalizeData(test.payload)
		if ok != (want != nil) || !bytes.Equal(got, want) {
			t.Errorf("%s: got %.100q, %v, want %.100q", test.name, got, ok, want)
		}
	}
}

func FuzzData(f *testing.F) {
	for _, test := range dataMessages {
		f.Add(test.payload[:min(len(test.payload), 300)])
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		before := bytes.Clone(payload)
		got, ok := NormalizeData(payload)
		if !bytes.Equal(payload, before) {
			t.Fatal("the payload was changed")
		}
		if !ok {
			return
		}
		again, ok := NormalizeData(got)
		if !ok || !bytes.Equal(again, got) {
			t.Fatalf("% X became % X, and that % X", payload, got, again)
		}
	})
}
