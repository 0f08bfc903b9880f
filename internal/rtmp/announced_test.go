package rtmp

import (
	"math"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

func TestMetadataAnnouncesTheMedia(t *testing.T) {
	metadata := func(properties amf.ECMAArray) []byte {
		return amf.Append(amf.Append(nil, "onMetaData"), properties)
	}
	for _, test := range []struct {
		name    string
		payload []byte
		want    Announced
	}{
		{
			"all of it",
			metadata(amf.ECMAArray{{Name: "width", Value: 1280.0}, {Name: "height", Value: 720.0}, {Name: "framerate", Value: 29.97}}),
			Announced{Width: 1280, Height: 720, FrameRate: 29.97},
		},
		{"a part", metadata(amf.ECMAArray{{Name: "framerate", Value: 25.0}}), Announced{FrameRate: 25}},
		{
			"what cannot be",
			metadata(amf.ECMAArray{{Name: "width", Value: 1e9}, {Name: "height", Value: -1.0}, {Name: "framerate", Value: math.NaN()}}),
			Announced{},
		},
		{
			"bitrates and codecs",
			metadata(amf.ECMAArray{
				{Name: "videodatarate", Value: 2500.0}, {Name: "audiodatarate", Value: 128.0},
				{Name: "videocodecid", Value: 7.0}, {Name: "audiocodecid", Value: "mp4a"},
			}),
			Announced{VideoRate: 2.5e6, AudioRate: 128e3, Video: true, Audio: true},
		},
		{
			"no sound, of any quality",
			metadata(amf.ECMAArray{
				{Name: "videodatarate", Value: 0.0}, {Name: "audiodatarate", Value: 1e12},
				{Name: "videocodecid", Value: "hvc1"}, {Name: "audiocodecid", Value: 0.0},
			}),
			Announced{Video: true},
		},
		{"texts", metadata(amf.ECMAArray{{Name: "width", Value: "1280"}}), Announced{}},
		{"no object", amf.Append(nil, "onMetaData"), Announced{}},
		{"nothing", nil, Announced{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := ParseAnnounced(test.payload); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
