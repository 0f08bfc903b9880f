package bench

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

const (
	// audioRate and audioSamples are those of AAC-LC: 43 messages a second.
	audioRate    = 44100
	audioSamples = 1024
	// audioBitrate is the part of the bitrate that is audio, if that much is to
	// be had; minAudio is the smallest audio message.
	audioBitrate = 96_000
	minAudio     = 220
	// keyframeWeight is how many times larger keyframes are than others.
	keyframeWeight = 6
	// sliceAt is where the slice lies in a video message: behind the AVC header
	// and the SEI NAL unit with the marker.
	sliceAt  = videoMarkerAt + markerSize + 1
	minVideo = 2 * sliceAt
)

// shape is the sizes of the messages of a stream.
type shape struct {
	fps, gop             int // frames
	keyframe, other, aac int // bytes
}

// newShape makes the stream that has the bitrate asked for.
func newShape(o Options) (shape, error) {
	const perSecond = float64(audioRate) / audioSamples
	s := shape{fps: o.FPS, gop: max(1, int(math.Round(o.GOP.Seconds()*float64(o.FPS))))}
	rate := float64(o.Bitrate) / 8
	s.aac = max(minAudio, int(min(audioBitrate/8, rate/4)/perSecond))
	group := int((rate - float64(s.aac)*perSecond) * float64(s.gop) / float64(s.fps))
	s.other = group / (s.gop - 1 + keyframeWeight)
	s.keyframe = group - s.other*(s.gop-1)
	if s.other < minVideo {
		return shape{}, fmt.Errorf("-bitrate %d is too low for %d frames a second", o.Bitrate, o.FPS)
	}
	if s.keyframe > rtmp.MaxMessageSize {
		return shape{}, fmt.Errorf("-bitrate %d makes keyframes of %d bytes, more than RTMP can carry", o.Bitrate, s.keyframe)
	}
	return s, nil
}

// videoDue and audioDue are when a frame of a stream is due, from its start.
func (s shape) videoDue(frame int64) time.Duration {
	return time.Duration(frame) * time.Second / time.Duration(s.fps)
}

func (s shape) audioDue(frame int64) time.Duration {
	return time.Duration(frame) * audioSamples * time.Second / audioRate
}

// synthetic makes the messages of streams. The bulk of them is made once: a
// message is valid until the next of its kind.
type synthetic struct {
	shape
	video, audio []byte
}

func newSynthetic(s shape) *synthetic {
	y := &synthetic{shape: s, video: make([]byte, s.keyframe), audio: make([]byte, s.aac)}
	random := uint32(1)
	for i := range y.video {
		random = random*1664525 + 1013904223
		y.video[i] = byte(random>>24) | 1 // no zeros: nothing that looks like a start code
	}
	y.video[1], y.video[2], y.video[3], y.video[4] = 1, 0, 0, 0 // NAL units, composition time 0
	const sei = 3 + markerSize + 1
	binary.BigEndian.PutUint32(y.video[5:], sei)
	copy(y.video[9:], []byte{6, 5, markerSize}) // SEI, user data unregistered
	y.video[sliceAt-1] = 0x80                   // trailing bits

	y.layAudio()
	return y
}

// layAudio makes a raw data block of a data stream element for the marker, a
// fill element and the end (ISO/IEC 14496-3 section 4.4.2.1), which decoders
// take for silence.
func (y *synthetic) layAudio() {
	y.audio[0], y.audio[1] = 0xAF, 1 // AAC 44.1 kHz stereo, raw
	y.audio[2], y.audio[3] = 0x81, markerSize
	fill := y.audio[audioMarkerAt+markerSize:]
	count := len(fill) - 3
	escape := count - 14
	fill[0] = 0b1101111<<1 | byte(escape>>7)
	fill[1] = byte(escape << 1)
	fill[count+1] |= 1 // the end, 111, and alignment
	fill[count+2] = 0b11000000
}

// frame returns a video message.
func (y *synthetic) frame(keyframe bool, m marker) []byte {
	message, head, slice := y.video[:y.other], byte(0x27), byte(0x41)
	if keyframe {
		message, head, slice = y.video, 0x17, 0x65
	}
	message[0] = head
	m.put(message[videoMarkerAt:])
	binary.BigEndian.PutUint32(message[sliceAt:], uint32(len(message)-sliceAt-4))
	message[sliceAt+4] = slice
	return message
}

// sound returns an audio message.
func (y *synthetic) sound(m marker) []byte {
	m.put(y.audio[audioMarkerAt:])
	return y.audio
}

// The size of the picture that videoHeader describes.
const width, height = 1280, 720

// videoHeader is an AVC sequence header: Constrained Baseline 3.1 of 1280x720
// (ISO/IEC 14496-15 section 5.3.3.1).
var videoHeader = []byte{
	0x17, 0, 0, 0, 0,
	1, 0x42, 0xC0, 0x1F, 0xFF,
	0xE1, 0, 9, 0x67, 0x42, 0xC0, 0x1F, 0xDA, 0x01, 0x40, 0x16, 0xE4,
	1, 0, 4, 0x68, 0xCE, 0x3C, 0x80,
}

// audioHeader is an AudioSpecificConfig: AAC-LC, 44.1 kHz, stereo.
var audioHeader = []byte{0xAF, 0, 0x12, 0x10}

// metadata is the payload of the data message that describes the stream.
func (s shape) metadata(o Options) []byte {
	payload := amf.Append(nil, "@setDataFrame")
	payload = amf.Append(payload, "onMetaData")
	return amf.Append(payload, amf.ECMAArray{
		{Name: "duration", Value: 0},
		{Name: "width", Value: width},
		{Name: "height", Value: height},
		{Name: "framerate", Value: s.fps},
		{Name: "videocodecid", Value: 7},
		{Name: "videodatarate", Value: float64(o.Bitrate-audioBitrate) / 1000},
		{Name: "audiocodecid", Value: 10},
		{Name: "audiodatarate", Value: float64(audioBitrate) / 1000},
		{Name: "audiosamplerate", Value: audioRate},
		{Name: "audiosamplesize", Value: 16},
		{Name: "stereo", Value: true},
		{Name: "encoder", Value: "rtmp-server bench"},
	})
}
