package rtmp

import (
	"math"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

func TestMetadataTellsOfThePicture(t *testing.T) {
	metadata := func(properties amf.ECMAArray) []byte {
		return amf.Append(amf.Append(nil, "onMetaData"), properties)
	}
	for _, test := range []struct {
		name    string
		payload []byte
		want    Picture
	}{
		{
			"all of it",
			metadata(amf.ECMAArray{{Name: "width", Value: 1280.0}, {Name: "height", Value: 720.0}, {Name: "framerate", Value: 29.97}}),
			Picture{1280, 720, 29.97},
		},
		{"a part", metadata(amf.ECMAArray{{Name: "framerate", Value: 25.0}}), Picture{FrameRate: 25}},
		{
			"what cannot be",
			metadata(amf.ECMAArray{{Name: "width", Value: 1e9}, {Name: "height", Value: -1.0}, {Name: "framerate", Value: math.NaN()}}),
			Picture{},
		},
		{"texts", metadata(amf.ECMAArray{{Name: "width", Value: "1280"}}), Picture{}},
		{"no object", amf.Append(nil, "onMetaData"), Picture{}},
		{"nothing", nil, Picture{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ParsePicture(test.payload); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
