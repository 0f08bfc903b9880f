package media

import "fmt"

// Codec names a coding. A codec that has a FourCC is that FourCC as a big-endian number, whether a message carries
// it in the legacy or in the Enhanced RTMP layout; FourCCs that are unknown here keep their value. Codecs that
// exist only in the legacy layout are small numbers, which no FourCC of printable characters can be.
type Codec uint32

// Codecs with a FourCC: Enhanced RTMP v2, tables of video and audio FourCCs.
const (
	H264 Codec = 'a'<<24 | 'v'<<16 | 'c'<<8 | '1' // also legacy CodecID 7
	H265 Codec = 'h'<<24 | 'v'<<16 | 'c'<<8 | '1' // also CodecID 12, an unofficial convention of cameras and CDNs
	H266 Codec = 'v'<<24 | 'v'<<16 | 'c'<<8 | '1'
	AV1  Codec = 'a'<<24 | 'v'<<16 | '0'<<8 | '1'
	VP8  Codec = 'v'<<24 | 'p'<<16 | '0'<<8 | '8'
	VP9  Codec = 'v'<<24 | 'p'<<16 | '0'<<8 | '9'

	AAC  Codec = 'm'<<24 | 'p'<<16 | '4'<<8 | 'a' // also legacy SoundFormat 10
	Opus Codec = 'O'<<24 | 'p'<<16 | 'u'<<8 | 's'
	FLAC Codec = 'f'<<24 | 'L'<<16 | 'a'<<8 | 'C'
	MP3  Codec = '.'<<24 | 'm'<<16 | 'p'<<8 | '3' // also legacy SoundFormat 2, and 14 for 8 kHz
	AC3  Codec = 'a'<<24 | 'c'<<16 | '-'<<8 | '3'
	EAC3 Codec = 'e'<<24 | 'c'<<16 | '-'<<8 | '3'
)

const (
	legacyVideo Codec = 0x0100 // plus the CodecID
	legacyAudio Codec = 0x0200 // plus the SoundFormat
	legacyEnd   Codec = 0x0300
)

// Codecs of the legacy layout only: FLV specification 10.1, E.4.2.1 (audio) and E.4.3.1 (video).
const (
	SorensonH263 = legacyVideo | 2
	ScreenVideo  = legacyVideo | 3
	VP6          = legacyVideo | 4
	VP6Alpha     = legacyVideo | 5
	ScreenVideo2 = legacyVideo | 6

	PCM           = legacyAudio // in the byte order of the sender's machine
	ADPCM         = legacyAudio | 1
	PCMLE         = legacyAudio | 3
	Nellymoser16k = legacyAudio | 4
	Nellymoser8k  = legacyAudio | 5
	Nellymoser    = legacyAudio | 6
	G711ALaw      = legacyAudio | 7
	G711MuLaw     = legacyAudio | 8
	Speex         = legacyAudio | 11
)

var codecNames = map[Codec]string{
	0:    "unknown",
	H264: "H.264", H265: "H.265", H266: "H.266", AV1: "AV1", VP8: "VP8", VP9: "VP9",
	AAC: "AAC", Opus: "Opus", FLAC: "FLAC", MP3: "MP3", AC3: "AC-3", EAC3: "E-AC-3",
	SorensonH263: "Sorenson H.263", ScreenVideo: "Screen Video", ScreenVideo2: "Screen Video 2",
	VP6: "VP6", VP6Alpha: "VP6 with alpha",
	PCM: "PCM", PCMLE: "PCM little endian", ADPCM: "ADPCM", G711ALaw: "G.711 A-law", G711MuLaw: "G.711 mu-law",
	Nellymoser16k: "Nellymoser 16 kHz", Nellymoser8k: "Nellymoser 8 kHz", Nellymoser: "Nellymoser", Speex: "Speex",
}

// String returns the usual name ("H.264", "AAC"), the characters of an unknown FourCC, or the number of an unknown
// legacy codec ("video codec 13").
func (c Codec) String() string {
	if name, ok := codecNames[c]; ok {
		return name
	}
	switch {
	case c >= legacyEnd:
		return string([]byte{byte(c >> 24), byte(c >> 16), byte(c >> 8), byte(c)})
	case c >= legacyAudio:
		return fmt.Sprintf("audio format %d", uint32(c-legacyAudio))
	default:
		return fmt.Sprintf("video codec %d", uint32(c-legacyVideo))
	}
}

// fourCC reads a codec. Four bytes that are not all printable ASCII are no FourCC and give the zero Codec.
func fourCC(b []byte) Codec {
	var c Codec
	for _, char := range b[:4] {
		if char < ' ' || char > '~' {
			return 0
		}
		c = c<<8 | Codec(char)
	}
	return c
}

// hasFourCC tells whether Enhanced RTMP defines the codec for messages of that kind.
func (k Kind) hasFourCC(c Codec) bool {
	switch c {
	case H264, H265, H266, AV1, VP8, VP9:
		return k == Video
	case AAC, Opus, FLAC, MP3, AC3, EAC3:
		return k == Audio
	default:
		return false
	}
}

// reorders tells whether CodedFrames of the codec begin with a composition time.
func (c Codec) reorders() bool {
	return c == H264 || c == H265 || c == H266
}
