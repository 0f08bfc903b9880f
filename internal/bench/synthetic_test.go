package bench

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
)

func shapeOf(t testing.TB, o Options) shape {
	t.Helper()
	s, err := newShape(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHeadersDescribeTheStream(t *testing.T) {
	video, err := media.ParseVideoConfig(videoHeader)
	if err != nil || video.Width != width || video.Height != height || video.Codec != media.H264 || video.Profile != "Constrained Baseline" {
		t.Errorf("video header: %+v, %v", video, err)
	}
	audio, err := media.ParseAudioConfig(audioHeader)
	if err != nil || audio.Codec != media.AAC || audio.SampleRate != 44100 || audio.Channels != 2 {
		t.Errorf("audio header: %+v, %v", audio, err)
	}
	script, ok := media.ParseScript(shapeOf(t, Defaults()).metadata(Defaults()))
	if !ok || script.Name != "onMetaData" {
		t.Fatalf("metadata: %+v", script)
	}
	d := amf.NewDecoder(script.Body, amf.CommandLimits)
	if _, err := d.Decode(); err != nil {
		t.Fatal(err)
	}
	value, err := d.Decode()
	properties, _ := amf.Properties(value)
	if rate, _ := properties.Get("framerate"); err != nil || rate != 30.0 {
		t.Errorf("metadata: %v, %v", value, err)
	}
}

func TestFramesParseAndCarryTheirMarker(t *testing.T) {
	y := newSynthetic(shapeOf(t, Defaults()))
	want := marker{source: 1<<55 | 7, seq: 1 << 40, sent: time.Now().UnixMicro()}
	for _, test := range []struct {
		kind     media.Kind
		payload  []byte
		size, at int
		keyframe bool
	}{
		{media.Video, bytes.Clone(y.frame(true, want)), y.keyframe, videoMarkerAt, true},
		{media.Video, bytes.Clone(y.frame(false, want)), y.other, videoMarkerAt, false},
		{media.Audio, y.sound(want), y.aac, audioMarkerAt, false},
	} {
		p := media.Inspect(test.kind, test.payload)
		if p.Type != media.Frame || p.Keyframe != test.keyframe || p.Codec != media.H264 && p.Codec != media.AAC {
			t.Errorf("%v: %+v", test.kind, p)
		}
		if len(test.payload) != test.size {
			t.Errorf("%v of %d bytes, want %d", test.kind, len(test.payload), test.size)
		}
		if got, ok := parseMarker(test.payload[:headSize], test.at); !ok || got != want {
			t.Errorf("%v: marker %+v, %v, want %+v", test.kind, got, ok, want)
		}
	}
	if _, ok := parseMarker(y.audio[:audioMarkerAt+markerSize-1], audioMarkerAt); ok {
		t.Error("a marker was found in a message that is too short")
	}
	if _, ok := parseMarker(videoHeader, videoMarkerAt); ok {
		t.Error("a marker was found in a sequence header")
	}
}

func TestVideoIsMadeOfNALUnits(t *testing.T) {
	y := newSynthetic(shapeOf(t, Defaults()))
	for _, keyframe := range []bool{true, false} {
		body := y.frame(keyframe, marker{})[5:]
		var types []byte
		for len(body) > 0 {
			n := binary.BigEndian.Uint32(body)
			unit := body[4 : 4+n]
			types = append(types, unit[0]&0x1F)
			for _, code := range [][]byte{{0, 0, 0}, {0, 0, 1}, {0, 0, 2}, {0, 0, 3}} {
				if bytes.Contains(unit, code) {
					t.Errorf("NAL unit of type %d contains % x", unit[0]&0x1F, code)
				}
			}
			body = body[4+n:]
		}
		want := []byte{6, 1}
		if keyframe {
			want[1] = 5
		}
		if !bytes.Equal(types, want) {
			t.Errorf("NAL units %v, want %v", types, want)
		}
	}
}

func TestSizesMakeTheBitrate(t *testing.T) {
	for _, bitrate := range []int{300_000, 2_500_000, 20_000_000} {
		o := Defaults()
		o.Bitrate = bitrate
		s := shapeOf(t, o)
		video := float64(s.keyframe+(s.gop-1)*s.other) / o.GOP.Seconds()
		audio := float64(s.aac) * audioRate / audioSamples
		if got := 8 * (video + audio); math.Abs(got-float64(bitrate)) > float64(bitrate)/1000 {
			t.Errorf("%d bits a second, want %d", int(got), bitrate)
		}
		if s.keyframe < 5*s.other || s.aac < minAudio {
			t.Errorf("at %d: keyframes of %d, others of %d, audio of %d bytes", bitrate, s.keyframe, s.other, s.aac)
		}
	}
	for _, bitrate := range []int{90_000, 2_000_000_000} {
		o := Defaults()
		o.Bitrate = bitrate
		if _, err := newShape(o); err == nil {
			t.Errorf("a bitrate of %d was accepted", bitrate)
		}
	}
}

func TestScheduleDoesNotDrift(t *testing.T) {
	s := shapeOf(t, Defaults())
	if got := s.videoDue(30 * 3600); got != time.Hour {
		t.Errorf("an hour of video lasts %v", got)
	}
	if got := s.audioDue(44100 * 10); got != 10240*time.Second {
		t.Errorf("10,240 s of audio last %v", got)
	}
}

func BenchmarkFrame(b *testing.B) {
	y := newSynthetic(shapeOf(b, Defaults()))
	b.ReportAllocs()
	for i := range b.N {
		y.frame(i%60 == 0, marker{seq: uint64(i)})
	}
}
