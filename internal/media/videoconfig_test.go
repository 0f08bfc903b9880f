package media

import (
	"errors"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

type videoConfigCase struct {
	name    string
	payload []byte
	want    VideoConfig
	ok      bool
}

// Records as x264, x265, SVT-AV1, libaom and libvpx make them, cut out of files that FFmpeg wrote, of 322×182 samples
// unless said otherwise. They need cropping, since the codecs work in blocks.
const (
	avcCHigh    = "01 64 00 0C FF E1 001B 67 64 00 0C AC D9 41 51 9E 22 6C 04 40 00 00 03 00 40 00 00 03 02 83 C5 0A 65 80 01 0006 68 EB E3 CB 22 C0 FD F8 F8 00"
	avcC444     = "01 F4 00 0C FF E1 001C 67 F4 00 0C 90 D9 B2 82 A3 3C 7C 5E 02 20 00 00 03 00 20 00 00 03 01 41 E2 85 32 C0 01 0006 68 EB E3 C4 48 44 FF FA FA 00"
	avcCFields  = "01 7A 00 16 FF E1 0018 67 7A 00 16 BC D9 40 B4 24 D8 08 80 00 00 03 00 80 00 00 05 0F 8A 14 CB 01 0007 68 FB A3 CB 30 02 C0 FE F8 F8 00" // 720×576
	avcC1080    = "01 64 00 28 FF E1 000C 67 64 00 28 AC D9 40 78 02 27 E5 40 01 0004 68 CE 3C 80 FD F8 F8 00"
	hvcCHead    = "01 01 60000000 900000000000 3C F000 FC FD F8 F8 0000"
	hvcCVPS     = "20 0001 0018 40 01 0C 01 FF FF 01 60 00 00 03 00 90 00 00 03 00 00 03 00 3C 95 98 09"
	hvcCMain    = hvcCHead + "0F 03" + hvcCVPS + "21 0001 002B 42 01 01 01 60 00 00 03 00 90 00 00 03 00 00 03 00 3C A0 0A 48 0B 9C 95 96 56 69 24 CA F0 16 80 80 00 00 03 00 80 00 00 03 02 84 22 0001 0007 44 01 C1 72 B4 62 40"
	hvcC422     = "01 04 08000000 9D0800000000 3C F000 FC FE FA FA 0000 0F 03 20 0001 0017 40 01 0C 01 FF FF 04 08 00 00 03 00 9D 08 00 00 03 00 00 3C 95 98 09 21 0001 002B 42 01 01 04 08 00 00 03 00 9D 08 00 00 03 00 00 3C B0 0A 48 0B 9C 96 D9 65 66 92 4C AF 01 68 08 00 00 03 00 08 00 00 03 00 28 40 22 0001 0007 44 01 C1 72 B4 62 40"
	hvcC444     = "01 04 08000000 9E0800000000 3C F000 FC FF F8 F8 0000 0F 03 20 0001 0017 40 01 0C 01 FF FF 04 08 00 00 03 00 9E 08 00 00 03 00 00 3C 95 98 09 21 0001 002B 42 01 01 04 08 00 00 03 00 9E 08 00 00 03 00 00 3C 90 01 49 01 73 9E F2 CA CD 24 99 5E 02 D0 10 00 00 03 00 10 00 00 03 00 50 80 22 0001 0008 44 01 C1 72 86 0C 46 24"
	hvcCLayers  = hvcCHead + "13 01 21 0001 002F 42 01 02 01 60 00 00 03 00 90 00 00 03 00 00 03 00 3C 00 00 A0 0A 48 0B 9C 95 96 56 62 B3 49 26 57 80 B4 04 00 00 03 00 04 00 00 03 00 14 20"
	av1CSVT     = "81 00 0C 00 0A 0B 00 00 00 04 3D 06 D4 02 F8 00 40"
	av1CTenBit  = "81 00 4C 00 0A 0B 00 00 00 04 3D 06 D4 DA F9 40 40"
	av1CStill   = "81 00 0C 00 0A 07 18 21 E8 36 AD 00 40"
	vpcCFullBox = "01000000 00 0B 82 02 02 02 0000"
)

var videoConfigCases = []videoConfigCase{
	{"H.264 720p", unhex("17 00 000000" + avcC720), VideoConfig{H264, "Constrained Baseline", "3.1", 1280, 720, 8}, true},
	{"H.264 1080p with cropping", unhex("17 00 000000" + avcC1080), VideoConfig{H264, "High", "4.0", 1920, 1080, 8}, true},
	{"H.264 in the enhanced layout", unhex("90 61766331" + avcCHigh), VideoConfig{H264, "High", "1.2", 322, 182, 8}, true},
	{"H.264 of one of several tracks", unhex(manyTracksHeaders), VideoConfig{H264, "Constrained Baseline", "3.1", 1280, 720, 8}, true},
	{"H.264 4:4:4 10 bit", unhex("17 00 000000" + avcC444), VideoConfig{H264, "High 4:4:4 Predictive", "1.2", 322, 182, 10}, true},
	{"H.264 4:2:2 interlaced", unhex("17 00 000000" + avcCFields), VideoConfig{H264, "High 4:2:2", "2.2", 720, 576, 8}, true},
	{"H.264 without parameter sets", unhex("17 00 000000 01 42 10 0B FF E0 00"), VideoConfig{H264, "Baseline", "1b", 0, 0, 0}, true},
	{"H.264 unknown profile", unhex("17 00 000000 01 63 00 33 FF E0 00"), VideoConfig{H264, "profile 99", "5.1", 0, 0, 0}, true},
	{"H.264 with scaling lists and order cycle", avcHeader(avcSPS(avcScaling, avcCycle(2), avcSize(20, 12))), VideoConfig{H264, "High", "3.0", 320, 192, 8}, true},
	{"H.264 order count type 2", avcHeader(avcSPS(avcPlain, ue(2), avcSize(20, 12))), VideoConfig{H264, "High", "3.0", 320, 192, 8}, true},
	{"H.264 1080i with cropping", avcHeader(avcSPS(avcPlain, ue(0)+ue(0), ue(119)+ue(33)+"0"+"1"+"1"+"1"+ue(0)+ue(0)+ue(0)+ue(2))), VideoConfig{H264, "High", "3.0", 1920, 1080, 8}, true},
	{"H.264 widest picture", avcHeader(avcSPS(avcPlain, ue(2), avcSize(1024, 1))), VideoConfig{H264, "High", "3.0", 16384, 16, 8}, true},
	{"H.264 too wide", avcHeader(avcSPS(avcPlain, ue(2), avcSize(1025, 1))), VideoConfig{H264, "High", "3.0", 0, 0, 8}, false},
	{"H.264 of the largest numbers", avcHeader(avcSPS(avcPlain, ue(2), avcSize(1<<32-1, 1<<32-1))), VideoConfig{H264, "High", "3.0", 0, 0, 8}, false},
	{"H.264 cropped to nothing", avcHeader(avcSPS(avcPlain, ue(2), ue(0)+ue(0)+"1"+"1"+"1"+ue(4)+ue(4)+ue(0)+ue(0))), VideoConfig{H264, "High", "3.0", 0, 0, 8}, false},
	{"H.264 order cycle without end", avcHeader(avcSPS(avcPlain, avcCycle(256), avcSize(20, 12))), VideoConfig{H264, "High", "3.0", 0, 0, 0}, false},
	{"H.264 of 17 bits", avcHeader(avcSPS(ue(1)+ue(9)+ue(9)+"00", ue(2), avcSize(20, 12))), VideoConfig{H264, "High", "3.0", 0, 0, 0}, false},
	{"H.264 endless Exp-Golomb code", avcHeader(packBits(field(8, 100), field(16, 30), strings.Repeat("0", 32), strings.Repeat("1", 64))), VideoConfig{H264, "High", "3.0", 0, 0, 0}, false},
	{"H.264 in place of the parameter set", unhex("17 00 000000 01 42 C0 1F FF E1 0001 68 00"), VideoConfig{H264, "Constrained Baseline", "3.1", 0, 0, 0}, false},
	{"H.264 with start codes", unhex("17 00 000000 00000001" + sps720), VideoConfig{Codec: H264}, false},

	{"H.265 with codec id 12", unhex("1C 00 000000" + hvcCMain), VideoConfig{H265, "Main", "2.0", 322, 182, 8}, true},
	{"H.265 in the enhanced layout", unhex("90 68766331" + hvcCMain), VideoConfig{H265, "Main", "2.0", 322, 182, 8}, true},
	{"H.265 4:2:2 10 bit", unhex("90 68766331" + hvcC422), VideoConfig{H265, "Range Extensions", "2.0", 322, 182, 10}, true},
	{"H.265 4:4:4", unhex("90 68766331" + hvcC444), VideoConfig{H265, "Range Extensions", "2.0", 322, 182, 8}, true},
	{"H.265 with two temporal layers", unhex("90 68766331" + hvcCLayers), VideoConfig{H265, "Main", "2.0", 322, 182, 8}, true},
	{"H.265 with described layers", hevcHeader(hevcSPS(2, "11"+"01"+strings.Repeat("00", 6)+ones(88)+ones(8)+ones(8), ue(1), ue(640), ue(360))), VideoConfig{H265, "Main", "2.0", 640, 360, 8}, true},
	{"H.265 without parameter sets", unhex("90 68766331" + hvcCHead + "0F 00"), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, true},
	{"H.265 with VPS only", unhex("90 68766331" + hvcCHead + "0F 01" + hvcCVPS), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, true},
	{"H.265 eight layers", hevcHeader(hevcSPS(7, ones(200), ue(1), ue(640), ue(360))), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 too high", hevcHeader(hevcSPS(0, "", ue(1), ue(640), ue(16385))), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 of no width", hevcHeader(hevcSPS(0, "", ue(1), ue(0), ue(360))), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 of 17 bits", hevcHeader(packBits(field(4, 0), field(3, 0), "1", ones(96), ue(0), ue(1), ue(640), ue(360), "0", ue(9))), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 in place of the parameter set", unhex("90 68766331" + hvcCHead + "0F 01 21 0001 0002 4001"), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 counts more units than it has", unhex("90 68766331" + hvcCHead + "0F 01 20 FFFF 0001 40"), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 counts more arrays than it has", unhex("90 68766331" + hvcCHead + "0F FF 20 0000"), VideoConfig{H265, "Main", "2.0", 0, 0, 8}, false},
	{"H.265 version 2", unhex("90 68766331 02" + strings.Repeat("00", 22)), VideoConfig{Codec: H265}, false},

	{"AV1", unhex("90 61763031" + av1CSVT), VideoConfig{AV1, "Main", "2.0", 322, 182, 8}, true},
	{"AV1 10 bit", unhex("90 61763031" + av1CTenBit), VideoConfig{AV1, "Main", "2.0", 322, 182, 10}, true},
	{"AV1 still picture", unhex("90 61763031" + av1CStill), VideoConfig{AV1, "Main", "2.0", 322, 182, 8}, true},
	{"AV1 without sequence header", unhex("90 61763031 81 2D 6C 00"), VideoConfig{AV1, "High", "5.1", 0, 0, 12}, true},
	{"AV1 maximum level", unhex("90 61763031 81 1F 0C 00"), VideoConfig{AV1, "Main", "", 0, 0, 8}, true},
	{"AV1 with decoder model", av1Header(0x0A, av1Timed()), VideoConfig{AV1, "Main", "4.0", 1920, 1080, 8}, true},
	{"AV1 behind another OBU, extended, without size", concat(unhex("90 61763031 81 08 0C 00 12 00 0C FF"), av1Timed()), VideoConfig{AV1, "Main", "4.0", 1920, 1080, 8}, true},
	{"AV1 too wide", av1Header(0x0A, packBits("000", "1", "1", field(5, 0), field(4, 15), field(4, 15), ones(16), ones(16))), VideoConfig{AV1, "Main", "4.0", 0, 0, 8}, false},
	{"AV1 OBU beyond the end", unhex("90 61763031 81 08 0C 00 0A 05 00"), VideoConfig{AV1, "Main", "4.0", 0, 0, 8}, false},
	{"AV1 endless size", unhex("90 61763031 81 08 0C 00 0A FFFFFFFFFFFFFFFFFF00"), VideoConfig{AV1, "Main", "4.0", 0, 0, 8}, false},
	{"AV1 cut extension", unhex("90 61763031 81 08 0C 00 0C"), VideoConfig{AV1, "Main", "4.0", 0, 0, 8}, false},
	{"AV1 without marker", unhex("90 61763031 01 08 0C 00"), VideoConfig{Codec: AV1}, false},
	{"AV1 as MPEG-2 TS descriptor", unhex("95 61763031 81 08 0C 00 0A"), VideoConfig{Codec: AV1}, true},

	{"VP9 bare", unhex("90 76703039 001F820101010000"), VideoConfig{VP9, "profile 0", "3.1", 0, 0, 8}, true},
	{"VP9 with box version", unhex("90 76703039" + vpcCFullBox), VideoConfig{VP9, "profile 0", "1.1", 0, 0, 8}, true},
	{"VP8 without level", unhex("90 76703038 0000820101010000"), VideoConfig{VP8, "profile 0", "", 0, 0, 8}, true},
	{"VP9 cut", unhex("90 76703039 00"), VideoConfig{Codec: VP9}, false},
	{"H.266 is not read", unhex("90 76766331 00"), VideoConfig{Codec: H266}, true},
	{"keyframe", unhex("17 01 000000 00"), VideoConfig{Codec: H264}, false},
	{"empty", nil, VideoConfig{}, false},
}

func ones(n int) string { return strings.Repeat("1", n) }

// avcHeader makes the message of a parameter set without its NAL header, which has no escapes: High profile, level 3.0.
func avcHeader(sps []byte) []byte {
	nal := append([]byte{0x67}, escape(sps)...)
	return concat(unhex("17 00 000000 01 64 00 1E FF E1"), []byte{0, byte(len(nal))}, nal, []byte{0})
}

const avcPlain = "010" + "1" + "1" + "00" // 4:2:0, 8 bits, no scaling lists

// avcScaling is 4:4:4 with 12 lists: two are there, the second ends early, where the scale comes round to 0.
var avcScaling = ue(3) + "0" + ue(0) + ue(0) + "0" + "1" +
	"1" + strings.Repeat(se(-1)+se(1), 8) + strings.Repeat("0", 10) + "1" + se(2) + se(246)

func avcCycle(n uint64) string {
	return ue(1) + "0" + se(-3) + se(4) + ue(n) + strings.Repeat(se(1), int(n))
}

// avcSize is the size in macroblocks of a progressive picture without cropping.
func avcSize(width, height uint64) string {
	return ue(width-1) + ue(height-1) + "1" + "1" + "0"
}

func avcSPS(chroma, orderCount, size string) []byte {
	return packBits(field(8, 100), field(16, 30), ue(0), chroma, ue(0), orderCount, ue(4), "0", size)
}

func hevcHeader(sps []byte) []byte {
	nal := append([]byte{0x42, 0x01}, escape(sps)...)
	return concat(unhex("90 68766331"+hvcCHead+"0F 01 21 0001"), []byte{0, byte(len(nal))}, nal)
}

func hevcSPS(subLayers uint64, layers, chroma, width, height string) []byte {
	return packBits(field(4, 0), field(3, subLayers), "1", ones(96), layers, ue(0), chroma, width, height, "0", ue(0))
}

// escape puts in what unescape takes out.
func escape(b []byte) []byte {
	var out []byte
	zeros := 0
	for _, v := range b {
		if zeros == 2 && v <= 3 {
			out, zeros = append(out, 3), 0
		}
		if zeros++; v != 0 {
			zeros = 0
		}
		out = append(out, v)
	}
	return out
}

func av1Header(obu byte, payload []byte) []byte {
	return concat(unhex("90 61763031 81 08 0C 00"), []byte{obu, byte(len(payload))}, payload)
}

// av1Timed is a sequence header of 1920×1080 with all that may come before the size.
func av1Timed() []byte {
	return packBits("000", "0", "0",
		"1", field(32, 1), field(32, 30), "1", ue(0), // timing
		"1", field(5, 7), field(32, 1), field(5, 9), field(5, 9), // decoder model
		"1", field(5, 1), // display delay, two operating points
		field(12, 0), field(5, 8), "0", "1", field(8, 1), field(8, 2), "0", "1", field(4, 3),
		field(12, 1), field(5, 0), "0", "0",
		field(4, 10), field(4, 10), field(11, 1919), field(11, 1079))
}

func TestVideoConfigIsReadFromSequenceHeaders(t *testing.T) {
	conformance.Covers(t, 164)
	for _, c := range videoConfigCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseVideoConfig(exact(c.payload))
			if got != c.want || (err == nil) != c.ok || err != nil && !errors.Is(err, ErrMalformed) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

func TestExpGolombCodesAreBounded(t *testing.T) {
	conformance.Covers(t, 163)
	for _, c := range []struct {
		bits string
		want uint32
		err  error
	}{
		{ue(0), 0, nil},
		{ue(7), 7, nil},
		{ue(1<<32 - 2), 1<<32 - 2, nil},
		{ue(1<<32 - 1), 0, errExpGolomb},
		{"00000000", 0, errTruncated},
		{"00010", 7, nil}, // padded with zeros to a byte
		{"00000001", 0, errTruncated},
	} {
		r := &bitReader{data: packBits(c.bits)}
		if got := r.ue(); r.err == nil && got != c.want || !errors.Is(r.err, c.err) {
			t.Errorf("%s: got %d, %v", c.bits, got, r.err)
		}
	}
}

func TestVideoConfigTruncatedAnywhereIsHarmless(t *testing.T) {
	conformance.Covers(t, 163)
	for _, c := range videoConfigCases {
		for length := range c.payload {
			checkVideoConfig(t, exact(c.payload[:length]))
		}
	}
}

func checkVideoConfig(t *testing.T, payload []byte) {
	t.Helper()
	c, err := ParseVideoConfig(payload)
	if c.Width < 0 || c.Height < 0 || c.Width > maxDimension || c.Height > maxDimension || (c.Width == 0) != (c.Height == 0) {
		t.Errorf("% X: picture of %d×%d", payload, c.Width, c.Height)
	}
	if c.BitDepth < 0 || c.BitDepth > 16 || c.Codec != InspectVideo(payload).Codec {
		t.Errorf("% X: %+v", payload, c)
	}
	if err != nil && !errors.Is(err, ErrMalformed) {
		t.Errorf("% X: %v", payload, err)
	}
}

func FuzzVideoConfig(f *testing.F) {
	for _, c := range videoConfigCases {
		f.Add(c.payload)
	}
	f.Fuzz(checkVideoConfig)
}
