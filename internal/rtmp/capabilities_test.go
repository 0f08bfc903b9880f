package rtmp

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// announced is a command object with one property.
func announced(name string, value any) amf.Object {
	return amf.Object{{Name: "app", Value: "live"}, {Name: name, Value: value}}
}

// flags is a map with one entry.
func flags(fourCC string, value any) amf.Object { return amf.Object{{Name: fourCC, Value: value}} }

// textForm writes capabilities in a line, with the codecs that the tests name.
func textForm(c Capabilities) string {
	var parts []string
	note := func(name string, on bool) {
		if on {
			parts = append(parts, name)
		}
	}
	note("announced", c.Announced)
	for _, name := range []string{"av01", "hvc1", "AV01", "Opus"} {
		fourCC := uint32(name[0])<<24 | uint32(name[1])<<16 | uint32(name[2])<<8 | uint32(name[3])
		note("video:"+name, c.Video.Has(fourCC))
		note("audio:"+name, c.Audio.Has(fourCC))
	}
	note("reconnect", c.Reconnect)
	note("multitrack", c.Multitrack)
	note("modex", c.ModEx)
	note("nano", c.TimestampNanoOffset)
	return strings.Join(parts, " ")
}

const (
	nothing = ""
	av01    = "announced video:av01 audio:av01" // by the list, which does not tell video from audio
	all     = "announced video:av01 audio:av01 video:hvc1 audio:hvc1 video:AV01 audio:AV01 video:Opus audio:Opus"
	every   = "announced video:av01 video:hvc1 video:AV01 video:Opus" // by the map for video
)

// Command objects, and what they announce.
var capabilityCases = []struct {
	name   string
	object amf.Object
	want   string
}{
	{"nothing", nil, nothing},
	{"a client of before Enhanced RTMP", announced("videoFunction", 1.0), nothing},

	{"a strict array", announced("fourCcList", amf.StrictArray{"av01"}), av01},
	{"an ECMA array", announced("fourCcList", amf.ECMAArray{{Name: "0", Value: "av01"}}), av01},
	{"an object", announced("fourCcList", amf.Object{{Name: "0", Value: "av01"}}), av01},
	{"an AMF3 array", announced("fourCcList", amf.AVMPlus{Value: amf.Array3{Dense: []any{"av01"}}}), av01},
	{"an AMF3 array with names", announced("fourCcList", amf.AVMPlus{Value: amf.Array3{Assoc: []amf.Property{{Name: "0", Value: "av01"}}}}), av01},
	{"several codecs", announced("fourCcList", amf.StrictArray{"av01", "hvc1"}), "announced video:av01 audio:av01 video:hvc1 audio:hvc1"},
	{"all codecs", announced("fourCcList", amf.StrictArray{"*"}), all},
	{"a codec that nobody knows", announced("fourCcList", amf.StrictArray{"zzzz"}), "announced"},
	{"a list with members of other types", announced("fourCcList", amf.StrictArray{1.0, nil, amf.Object{}, "av01", "toolong", ""}), av01},
	{"a list of members of other types", announced("fourCcList", amf.StrictArray{1.0, nil, "**"}), nothing},
	{"an empty list", announced("fourCcList", amf.StrictArray{}), nothing},
	{"text for a list", announced("fourCcList", "av01"), nothing},
	{"a number for a list", announced("fourCcList", 7.0), nothing},
	{"null for a list", announced("fourCcList", nil), nothing},
	{"a list as an AMF3 number", announced("fourCcList", amf.AVMPlus{Value: amf.Integer(1)}), nothing},
	{"a list of 64 and more", announced("fourCcList", append(make(amf.StrictArray, 64), "av01")), nothing},
	{"a list of 64", announced("fourCcList", append(make(amf.StrictArray, 63), "av01")), av01},
	{"an ECMA array of more than 64", announced("fourCcList", append(make(amf.ECMAArray, 64), amf.Property{Value: "av01"})), nothing},

	{"a map for video", announced("videoFourCcInfoMap", flags("av01", 1.0)), "announced video:av01"},
	{"a map for audio", announced("audioFourCcInfoMap", flags("Opus", 1.0)), "announced audio:Opus"},
	{"a map in an ECMA array", announced("videoFourCcInfoMap", amf.ECMAArray(flags("av01", 3.0))), "announced video:av01"},
	{"a client that forwards", announced("videoFourCcInfoMap", flags("av01", 4.0)), "announced video:av01"},
	{"a client that forwards everything", announced("videoFourCcInfoMap", flags("*", 4.0)), every},
	{"all codecs and one", announced("videoFourCcInfoMap", append(flags("*", 4.0), flags("av01", 0.0)...)), every},
	{"one codec and all", announced("videoFourCcInfoMap", append(flags("av01", 1.0), flags("*", 2.0)...)), "announced video:av01"},
	{"a client that encodes", announced("videoFourCcInfoMap", flags("av01", 2.0)), "announced"},
	{"flags that say nothing", announced("videoFourCcInfoMap", flags("av01", 0.0)), "announced"},
	{"flags of a later version", announced("videoFourCcInfoMap", flags("av01", 0x101.0p0)), "announced video:av01"},
	{"flags that are NaN", announced("videoFourCcInfoMap", flags("av01", math.NaN())), "announced"},
	{"flags that are text", announced("videoFourCcInfoMap", flags("av01", "1")), nothing},
	{"a map of another type", announced("videoFourCcInfoMap", amf.StrictArray{"av01"}), nothing},
	{"a map with a name that is none", announced("videoFourCcInfoMap", flags("av1", 1.0)), nothing},
	{"a map of more than 64", announced("videoFourCcInfoMap", append(make(amf.Object, 64), flags("av01", 1.0)...)), nothing},
	{"a list and a map", append(announced("fourCcList", amf.StrictArray{"av01"}), announced("audioFourCcInfoMap", flags("Opus", 1.0))...), av01 + " audio:Opus"},

	{"capsEx 1", announced("capsEx", 1.0), "reconnect"},
	{"capsEx 2", announced("capsEx", 2.0), "multitrack"},
	{"capsEx 4", announced("capsEx", 4.0), "modex"},
	{"capsEx 8", announced("capsEx", 8.0), "nano"},
	{"capsEx 15", announced("capsEx", 15.0), "reconnect multitrack modex nano"},
	{"capsEx in AMF3", announced("capsEx", amf.AVMPlus{Value: amf.Integer(2)}), "multitrack"},
	{"capsEx of a later version", announced("capsEx", 0xFFFFFFF2.0p0), "multitrack"},
	{"capsEx with a fraction", announced("capsEx", 2.5), "multitrack"},
	{"capsEx that is NaN", announced("capsEx", math.NaN()), nothing},
	{"capsEx that is infinite", announced("capsEx", math.Inf(1)), nothing},
	{"capsEx that is minus infinite", announced("capsEx", math.Inf(-1)), nothing},
	{"capsEx that is negative", announced("capsEx", -1.0), nothing},
	{"capsEx of 2^32", announced("capsEx", 1.0*(1<<32)), nothing},
	{"capsEx that is text", announced("capsEx", "2"), nothing},
	{"capsEx that is true", announced("capsEx", true), nothing},
}

func TestParseCapabilities(t *testing.T) {
	conformance.Covers(t, 189, 191)
	for _, c := range capabilityCases {
		got, want := strings.Fields(textForm(ParseCapabilities(c.object))), strings.Fields(c.want)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", c.name, got, want)
		}
	}
}

func TestVideoFunctionIsKept(t *testing.T) {
	for value, want := range map[any]uint32{1.0: 1, 6.0: 6, -1.0: 0, "6": 0} {
		if got := ParseCapabilities(announced("videoFunction", value)).VideoFunction; got != want {
			t.Errorf("videoFunction %v is %d, want %d", value, got, want)
		}
	}
}

// The list and the maps are bounded whatever a client puts into them.
func TestLongListsAreCut(t *testing.T) {
	var list amf.StrictArray
	var codecs amf.Object
	for range 900 {
		list = append(list, "av01")
		codecs = append(codecs, amf.Property{Name: "av01", Value: 1.0})
	}
	c := ParseCapabilities(amf.Object{{Name: "fourCcList", Value: list}, {Name: "videoFourCcInfoMap", Value: codecs}})
	if len(c.Video.named) != 2*maxFourCCs || len(c.Audio.named) != maxFourCCs {
		t.Errorf("%d video and %d audio codecs kept", len(c.Video.named), len(c.Audio.named))
	}
}

// A client reads of the server what the server would read of a client.
func TestConnectResultAnnouncesTheServer(t *testing.T) {
	conformance.Covers(t, 190)
	c, err := ParseCommand(ConnectResult(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	information, ok := c.Arg(0).(amf.Object)
	if !ok {
		t.Fatalf("the information is a %T", c.Arg(0))
	}
	if got := textForm(ParseCapabilities(information)); got != all+" reconnect multitrack modex nano" {
		t.Errorf("the server announces %q", got)
	}
}
