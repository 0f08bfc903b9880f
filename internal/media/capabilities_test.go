package media

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
)

func TestTraitsSayWhatAMessageAsks(t *testing.T) {
	codec := func(c Codec) Traits { return Traits(CodecSet(c)) }
	for _, c := range []struct {
		name    string
		kind    Kind
		payload string
		want    Traits
	}{
		{"legacy H.264", Video, "17 01 000000 00", 0},
		{"legacy AAC", Audio, "AF 01 21", 0},
		{"silence", Audio, "", 0},
		{"empty video", Video, "", 0},
		{"seek command", Video, "57 00", 0},
		{"private codec 13", Video, "1D 00 000000 00", 0},
		{"CodecID 12", Video, "1C 01 000000 00", TraitCodecID12},
		{"CodecID 12 damaged", Video, "1C", TraitCodecID12},
		{"CodecID 12 command", Video, "5C 00", TraitCodecID12},
		{"H.265", Video, "91 68766331 000000 00", codec(H265)},
		{"H.265 header", Video, "90 68766331 00", codec(H265)},
		{"H.265 end", Video, "92 68766331", codec(H265)},
		{"H.265 colour information", Video, "D4 68766331 020009", codec(H265)},
		{"H.265 without data", Video, "91 68766331 000000", codec(H265)},
		{"AAC channel layout", Audio, "94 6D703461 01 06 0000003F", codec(AAC)},
		{"E-AC-3", Audio, "91 65632D33 0B77", codec(EAC3)},
		{"ModEx", Video, "97 00 AA 03 61763031 00", TraitModEx | codec(AV1)},
		{"OneTrack", Video, "96 03 61766331 00 00", TraitMultitrack | codec(H264)},
		{"ModEx and OneTrack", Audio, "97 00 AA 05 01 4F707573 01 00", TraitModEx | TraitMultitrack | codec(Opus)},
		{"ManyTracks has one codec", Video, manyTracksFrames, TraitMultitrack | codec(H264)},
		{"ManyTracksManyCodecs may have all of its kind", Video, manyCodecsFrames, TraitMultitrack | TraitUnknown | Traits(VideoCodecs)},
		{"ManyTracksManyCodecs of audio", Audio, "95 21 4F707573 01 000001 00", TraitMultitrack | TraitUnknown | Traits(AudioCodecs)},
		{"ManyTracksManyCodecs with an unknown first track", Video, "96 21 7A7A7A7A 01 000001 00", TraitMultitrack | TraitUnknown | Traits(VideoCodecs)},
		{"enhanced command", Video, "D1 00", TraitUnknown},
		{"enhanced command behind ModEx", Video, "D7 00 AA 01 01", TraitModEx | TraitUnknown},
		{"unknown FourCC", Video, "91 7A7A7A7A 00", TraitUnknown},
		{"FourCC of audio in video", Video, "91 6D703461 00", TraitUnknown},
		{"reserved packet type", Video, "98 68766331 00", TraitUnknown},
		{"reserved layout", Video, "96 30 61766331 00 00", TraitMultitrack | TraitUnknown},
		{"Multitrack inside Multitrack", Video, "96 06 61766331 00 00", TraitMultitrack | TraitUnknown},
		{"Multitrack alone", Audio, "95", TraitMultitrack | TraitUnknown},
		{"damaged ModEx", Video, "97 09 07", TraitModEx | TraitUnknown},
		{"cut FourCC", Audio, "91 4F7075", TraitUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Inspect(c.kind, unhex(c.payload)).Traits(); got != c.want {
				t.Errorf("got %b, want %b", got, c.want)
			}
		})
	}
}

func TestEachEnhancedCodecHasABit(t *testing.T) {
	var all Codecs
	for kind, codecs := range map[Kind]Codecs{Video: VideoCodecs, Audio: AudioCodecs} {
		for _, c := range enhancedCodecs {
			set := CodecSet(c)
			if bits.OnesCount32(uint32(set)) != 1 || kind.hasFourCC(c) != (codecs&set != 0) {
				t.Errorf("%s %s: %b of %b", kind, c, set, codecs)
			}
			all |= set
		}
	}
	if all != AllCodecs || hvc1 != CodecSet(H265) || CodecSet(Speex)|CodecSet(0) != 0 {
		t.Errorf("all are %b, hvc1 is %b", all, hvc1)
	}
}

func TestViewersAcceptWhatTheyAnnounced(t *testing.T) {
	for _, c := range []struct {
		name string
		c    Capabilities
		want Traits
	}{
		{"anything", anything, ^Traits(0)},
		{"permissive", permissive, Traits(AllCodecs) | TraitUnknown | TraitCodecID12},
		{"legacy only", legacyOnly, TraitCodecID12},
		{"H.265 by FourCC", byFourCC, Traits(AllCodecs) | TraitUnknown},
		{"H.265 by CodecID", Capabilities{Restricted: true, Enhanced: AllCodecs, HEVC: HEVCByCodecID}, Traits(AllCodecs&^hvc1) | TraitUnknown | TraitCodecID12},
		{"everything", everything, Traits(AllCodecs) | TraitUnknown | TraitCodecID12 | TraitMultitrack | TraitModEx},
		{"unrestricted with leftovers", Capabilities{HEVC: HEVCByFourCC}, ^Traits(0)},
	} {
		if got := c.c.Accepts(); got != c.want {
			t.Errorf("%s: got %b, want %b", c.name, got, c.want)
		}
	}
}

// everyMessage makes messages of all packet types, codecs and layouts of a kind.
func everyMessage(kind Kind) (payloads [][]byte) {
	codecs := []string{"61766331", "68766331", "61763031"}
	if kind == Audio {
		codecs = []string{"6D703461", "4F707573", "2E6D7033"}
	}
	codecs = append(codecs, "7A7A7A7A")
	add := func(packetType uint8, rest string) {
		payloads = append(payloads,
			unhex(fmt.Sprintf("9%X %s", packetType, rest)),
			unhex(fmt.Sprintf("97 00 AA 0%X %s", packetType, rest)))
	}
	for _, packetType := range []uint8{0, 1, 2, 4} {
		for _, c := range codecs {
			track := "000028 00000001"
			add(packetType, c+track)
			for id := range 2 {
				add(kind.multitrack(), fmt.Sprintf("0%X %s 0%X %s", packetType, c, id, track))
				add(kind.multitrack(), fmt.Sprintf("1%X %s 0%X 000007 %s 02 000007 %s", packetType, c, id, track, track))
				for _, other := range codecs[1:3] {
					add(kind.multitrack(), fmt.Sprintf("2%X %s 0%X 000007 %s %s 02 000007 %s", packetType, c, id, track, other, track))
				}
			}
		}
	}
	for _, c := range casesOf[kind] {
		payloads = append(payloads, unhex(c.payload))
	}
	return payloads
}

// everyViewer makes viewers of all sorts.
func everyViewer() (viewers []Capabilities) {
	for _, codecs := range []Codecs{
		0, AllCodecs, VideoCodecs, AudioCodecs, hvc1, AllCodecs &^ hvc1, VideoCodecs &^ hvc1, CodecSet(H264), CodecSet(H264) | hvc1,
		CodecSet(AV1), CodecSet(AV1) | hvc1, CodecSet(AAC), CodecSet(Opus) | CodecSet(MP3), hvc1 | CodecSet(Opus),
	} {
		for _, hevc := range []HEVCForm{HEVCAsPublished, HEVCByFourCC, HEVCByCodecID} {
			for layout := range 4 {
				viewers = append(viewers, Capabilities{Restricted: true, Multitrack: layout&1 != 0, ModEx: layout&2 != 0, Enhanced: codecs, HEVC: hevc})
			}
		}
	}
	return append(viewers, anything)
}

func TestViewersShareBytesExactlyWhenTheyGetTheSame(t *testing.T) {
	viewers := everyViewer()
	for _, kind := range []Kind{Audio, Video} {
		alike := make(map[Traits][][]byte)
		for _, payload := range everyMessage(kind) {
			for _, c := range viewers {
				checkAdapt(t, c, kind, payload)
			}
			traits := Inspect(kind, payload).Traits()
			alike[traits] = append(alike[traits], payload)
		}
		for traits, payloads := range alike {
			keyOf := make(map[string]Capabilities)
			for _, c := range viewers {
				var got strings.Builder
				for _, payload := range payloads {
					fmt.Fprintf(&got, "%X\n", c.Adapt(kind, payload))
				}
				key := c.For(traits)
				taken := traits&TraitModEx != 0 && traits&TraitUnknown != 0 && traits&Traits(AllCodecs) != 0 // apart, and so without ModEx
				if other, seen := keyOf[got.String()]; seen && other != key && !taken {
					t.Errorf("%s %b: %+v and %+v get the same", kind, traits, key, other)
				}
				keyOf[got.String()] = key
				if again := key.For(traits); again != key {
					t.Errorf("%s %b: the key of %+v is %+v", kind, traits, key, again)
				}
			}
		}
	}
}

func BenchmarkTraits(b *testing.B) {
	for name, payload := range map[string]string{
		"legacy":    "17 01 000050 00000004 65888400",
		"enhanced":  "91 68766331 000028 00000003 2601AF",
		"onetrack":  "A7 02 07A120 06 01 61766331 01 000028 00000003 419A24",
		"manycodec": manyCodecsFrames,
	} {
		b.Run(name, func(b *testing.B) {
			message := unhex(payload)
			accepted := permissive.Accepts()
			b.ReportAllocs()
			for b.Loop() {
				if t := InspectVideo(message).Traits(); t&^accepted != 0 {
					permissive.For(t)
				}
			}
		})
	}
}

func TestTraitsAndKeysAllocateNothing(t *testing.T) {
	for kind, cases := range casesOf {
		for _, c := range cases {
			payload := unhex(c.payload)
			n := testing.AllocsPerRun(10, func() {
				_ = tracks.For(Inspect(kind, payload).Traits())
			})
			if n != 0 {
				t.Errorf("%s/%s: %v allocations", kind, c.name, n)
			}
		}
	}
}
