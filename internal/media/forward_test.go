package media

import (
	"fmt"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

func TestSomeMessagesAreForwardedAndNothingElse(t *testing.T) {
	everybody := []Capabilities{anything, everything, permissive, legacyOnly}
	enhanced := []Capabilities{anything, everything, permissive}
	for _, test := range []struct {
		name    string
		covers  []int
		kind    Kind
		payload string
		want    PacketType
		viewers []Capabilities
	}{
		{name: "seek command", covers: []int{149}, kind: Video, payload: "57 00", want: Command, viewers: everybody},
		{name: "end of H.264", covers: []int{162}, kind: Video, payload: "17 02 000000", want: SequenceEnd, viewers: everybody},
		{name: "end of H.265", covers: []int{162}, kind: Video, payload: "1C 02 000000", want: SequenceEnd, viewers: everybody},
		{name: "silence", covers: []int{185}, kind: Audio, payload: "", want: Silence, viewers: everybody},
		{name: "channel layout beside legacy AAC", covers: []int{184}, kind: Audio, payload: "94 6D703461 01 06 0000003F", want: ChannelConfig, viewers: enhanced},
		{name: "unknown FourCC", covers: []int{187}, kind: Video, payload: "91 7A7A7A7A 00", want: Opaque, viewers: enhanced},
		{name: "unknown FourCC of audio", covers: []int{187}, kind: Audio, payload: "91 7A7A7A7A 00", want: Opaque, viewers: enhanced},
		{name: "reserved packet type", covers: []int{187}, kind: Video, payload: "98 68766331 00", want: Opaque, viewers: enhanced},
		{name: "reserved layout of tracks", covers: []int{187}, kind: Video, payload: "96 30 61766331 00 00", want: Opaque, viewers: []Capabilities{anything, everything}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conformance.Covers(t, test.covers...)
			payload := exact(unhex(test.payload))
			if p := Inspect(test.kind, payload); p.Type != test.want || p.Keyframe {
				t.Errorf("is %+v", p)
			}
			for _, c := range test.viewers {
				if got := c.Adapt(test.kind, payload); len(got) != 1 || !same(got[0], payload) {
					t.Errorf("%+v gets % X", c, got)
				}
			}
		})
	}
}

// All but H.265 with CodecID 12, which has its own rules.
func TestLegacyMessagesPassToEveryViewer(t *testing.T) {
	viewers := everyViewer()
	for kind, cases := range casesOf {
		for _, test := range cases {
			payload := exact(unhex(test.payload))
			if p := Inspect(kind, payload); p.Enhanced || p.Codec == H265 {
				continue
			}
			for _, c := range viewers {
				if got := c.Adapt(kind, payload); len(got) != 1 || !same(got[0], payload) {
					t.Errorf("%s: %+v gets % X", test.name, c, got)
				}
			}
		}
	}
}

func TestCodecID12IsTreatedAsAVC(t *testing.T) {
	conformance.Covers(t, 161)
	for first := range 16 {
		for packetType := range 5 {
			for _, rest := range []string{"", "0000", "000028", "FFFFD8 00000001", "000000 01"} {
				avc := unhex(fmt.Sprintf("%X7 %02X %s", first&0x07, packetType, rest))
				hevc := exact(avc)
				hevc[0] += codecIDHEVC - codecIDAVC
				want := InspectVideo(avc)
				want.Codec = H265
				if got := InspectVideo(hevc); got != want {
					t.Errorf("% X is %+v, want %+v", hevc, got, want)
				}
				for _, c := range []Capabilities{anything, permissive, legacyOnly, legacyHEVC} {
					if got := c.Adapt(Video, hevc); len(got) != 1 || !same(got[0], hevc) {
						t.Errorf("%+v gets % X for % X", c, got, hevc)
					}
				}
			}
		}
	}
}

func TestTheTrackOfAMessageIsNotRemembered(t *testing.T) {
	conformance.Covers(t, 173)
	for _, m := range []struct {
		payload string
		want    uint8
	}{
		{"96 03 61766331 01 00", 1},
		{"93 61766331 00", 0},
		{"96 03 61766331 02 00", 2},
		{"17 01 000000 00", 0},
		{"A7 00 AA 06 03 61766331 FF 00", 255},
		{"A7 00 AA 03 61766331 00", 0},
	} {
		payload := unhex(m.payload)
		parts, err := Split(Video, payload)
		if got := InspectVideo(payload).Track; got != m.want || err != nil || len(parts) != 1 || parts[0].Track != m.want {
			t.Errorf("%s: track %d, %+v, %v", m.payload, got, parts, err)
		}
	}
}

func TestAHeaderThatCannotBeReadIsStillAHeader(t *testing.T) {
	conformance.Covers(t, 163)
	for _, test := range []struct {
		name    string
		kind    Kind
		payload string
	}{
		{"H.264 with start codes", Video, "17 00 000000 00000001" + sps720},
		{"H.264 cut short", Video, "17 00 000000 01 42 C0 1F FF E1 00 09 67 42"},
		{"H.264 of zeros", Video, "17 00 000000 01 64 00 1E FF E1 000A 67 00 00 00 00 00 00 00 00 00 00"},
		{"H.265 of another version", Video, "1C 00 000000 02"},
		{"H.265 that counts more than it has", Video, "90 68766331" + hvcCHead + "0F 01 20 FFFF 0001 40"},
		{"AV1 without marker", Video, "90 61763031 01 08 0C 00"},
		{"AAC with a reserved sample rate", Audio, "AF 00 1690"},
		{"Opus without its name", Audio, "90 4F707573 00"},
	} {
		t.Run(test.name, func(t *testing.T) {
			payload := exact(unhex(test.payload))
			var err error
			if _, err = ParseVideoConfig(payload); test.kind == Audio {
				_, err = ParseAudioConfig(payload)
			}
			if err == nil {
				t.Error("can be read")
			}
			if p := Inspect(test.kind, payload); p.Type != SequenceHeader {
				t.Errorf("is %+v", p)
			}
			if got := permissive.Adapt(test.kind, payload); len(got) != 1 || !same(got[0], payload) {
				t.Errorf("forwarded as % X", got)
			}
		})
	}
}
