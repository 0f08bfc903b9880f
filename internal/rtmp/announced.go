package rtmp

import "github.com/AgustinSRG/rtmp-server/internal/amf"

// Announced is what metadata says of the media to come. What it does not tell, or
// what cannot be, is 0.
type Announced struct {
	Width, Height float64
	// FrameRate is in frames a second.
	FrameRate float64
	// VideoRate and AudioRate are in bit/s, of what the encoder aims at. FFmpeg
	// tells none if it encodes for quality.
	VideoRate, AudioRate float64
	// Video and Audio say that a codec is named.
	Video, Audio bool
}

const (
	// maxPictureSize, maxFrameRate and maxDataRate, in kbit/s, keep numbers that a
	// peer made up out of all reports.
	maxPictureSize = 16384
	maxFrameRate   = 1000
	maxDataRate    = 10_000_000
)

// kilo is what videodatarate and audiodatarate count in.
const kilo = 1000

// ParseAnnounced reads an onMetaData message in the form of [NormalizeMetadata].
func ParseAnnounced(payload []byte) Announced {
	d := amf.NewDecoder(payload, amf.DataLimits)
	if _, err := d.Decode(); err != nil {
		return Announced{}
	}
	v, err := d.Decode()
	if err != nil {
		return Announced{}
	}
	properties, _ := amf.Properties(v)
	number := func(name string, most float64) float64 {
		value, _ := properties.Get(name)
		n, _ := amf.AsNumber(value)
		if !(0 < n && n <= most) {
			return 0
		}
		return n
	}
	// Codecs are numbers or, since Enhanced RTMP, FourCCs as numbers or texts.
	named := func(name string) bool {
		value, _ := properties.Get(name)
		n, _ := amf.AsNumber(value)
		s, _ := amf.AsString(value)
		return n > 0 || s != ""
	}
	return Announced{
		Width: number("width", maxPictureSize), Height: number("height", maxPictureSize),
		FrameRate: number("framerate", maxFrameRate),
		VideoRate: kilo * number("videodatarate", maxDataRate),
		AudioRate: kilo * number("audiodatarate", maxDataRate),
		Video:     named("videocodecid"), Audio: named("audiocodecid"),
	}
}
