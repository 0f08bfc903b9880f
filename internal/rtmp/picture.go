package rtmp

import "github.com/AgustinSRG/rtmp-server/internal/amf"

// Picture is what metadata announces of the picture. What it does not tell, or
// what cannot be, is 0.
type Picture struct {
	Width, Height float64
	// FrameRate is in frames a second.
	FrameRate float64
}

const (
	// maxPictureSize and maxFrameRate keep numbers that a peer made up out of all
	// reports.
	maxPictureSize = 16384
	maxFrameRate   = 1000
)

// ParsePicture reads an onMetaData message in the form of [NormalizeMetadata].
func ParsePicture(payload []byte) Picture {
	d := amf.NewDecoder(payload, amf.DataLimits)
	if _, err := d.Decode(); err != nil {
		return Picture{}
	}
	v, err := d.Decode()
	if err != nil {
		return Picture{}
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
	return Picture{
		Width: number("width", maxPictureSize), Height: number("height", maxPictureSize),
		FrameRate: number("framerate", maxFrameRate),
	}
}
