package e2e

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// trackMap describes a second track, as Enhanced RTMP v2 has it.
var trackMap = amf.Object{{Name: "1", Value: amf.Object{{Name: "width", Value: 320.0}}}}

// awkwardMetadata is what FFmpeg, as it is, ends its session over, or stops
// reading at: in an Object, with every kind of value before what a viewer wants
// to know, and more behind it.
func awkwardMetadata() []byte {
	var b []byte
	for _, v := range []any{"@setDataFrame", "onMetaData", amf.Object{
		{Name: "keyframes", Value: amf.Object{{Name: "filepositions", Value: amf.StrictArray{13.0}}}},
		{Name: "undefined", Value: amf.Undefined{}},
		{Name: "unsupported", Value: amf.Unsupported{}},
		{Name: "xml", Value: amf.XML("<a/>")},
		{Name: "typed", Value: amf.TypedObject{Class: "T", Properties: amf.Object{{Name: "x", Value: amf.Undefined{}}}}},
		{Name: "amf3", Value: amf.AVMPlus{Value: amf.Integer(7)}},
		{Name: "bytes", Value: amf.AVMPlus{Value: amf.ByteArray{1, 2}}},
		{Name: "liveXML", Value: strings.Repeat("x", 70000)},
		{Name: "comment", Value: strings.Repeat("c", 2000)},
		{Name: strings.Repeat("n", 200), Value: 1.0},
		{Name: "", Value: 1.0},
		{Name: "duration", Value: math.NaN()},
		{Name: "recorded", Value: amf.Date{UnixMilli: 1700000000000}},
		{Name: "videoTrackIdInfoMap", Value: trackMap},
		{Name: "width", Value: 640.0},
		{Name: "height", Value: 360.0},
		{Name: "videocodecid", Value: 7.0},
		{Name: "audiocodecid", Value: 10.0},
		{Name: "encoder", Value: "awkward 1.0"},
	}, 1.0, "padding"} {
		b = amf.Append(b, v)
	}
	return b
}

// dataMessages are other things that encoders send, as payloads: timed data, and
// what is no use to a viewer.
func dataMessages() [][]byte {
	return [][]byte{
		amf.Append(amf.Append(nil, "onTextData"), amf.Object{{Name: "text", Value: "x"}, {Name: "language", Value: "en"}}),
		amf.Append(amf.Append(nil, "onCuePoint"), amf.ECMAArray{{Name: "name", Value: "cue"}, {Name: "time", Value: 1.5}}),
		amf.Append(amf.Append(nil, "onTextData"), amf.Object{{Name: "language", Value: "en"}}), // FFmpeg wants a text
		amf.Append(amf.Append(nil, "onCaption"), "x"),
		amf.Append(amf.Append(nil, "|RtmpSampleAccess"), true),
		amf.Append(nil, 1.0),                         // FFmpeg's time codes have no name
		[]byte("\x02\x00\x0aonMetaData\x08\x00\x00"), // cut
		amf.Append(amf.Append(nil, strings.Repeat("n", 100)), true),
	}
}

// withData puts other data messages behind each second of media, and metadata in
// front of it.
func withData(messages []rtmp.Message, metadata []byte, others [][]byte) []rtmp.Message {
	list := []rtmp.Message{{Type: rtmp.TypeData, Payload: metadata}}
	for _, m := range messages {
		switch {
		case m.Type == rtmp.TypeData:
			continue
		case media.InspectVideo(m.Payload).Keyframe && m.Type == rtmp.TypeVideo:
			for _, payload := range others {
				list = append(list, rtmp.Message{Type: rtmp.TypeData, Timestamp: m.Timestamp, Payload: payload})
			}
		}
		list = append(list, m)
	}
	return list
}

// FFmpeg reads and plays a stream whatever its encoder says about it.
func TestFFmpegPlaysStreamsWithAwkwardMetadata(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 139, 141, 160, 198)
	s := stage.Start(t)
	const path = "channel/key"
	publisher := stage.Publish(t, s, path)
	ctx, stop := context.WithCancel(t.Context())
	fed := make(chan error, 1)
	go func() {
		_, err := feed(ctx, publisher, withData(messagesOf(t, mediaPath(fileAV)), awkwardMetadata(), dataMessages()))
		fed <- err
	}()

	watcher := stage.AwaitTime(t, stage.Play(t, s, path).Record(), 2000)
	var shown bytes.Buffer
	probe := stage.Launch(t, &shown, "ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height:format_tags",
		"-of", "default=noprint_wrappers=1", s.URL(path))
	player := stage.Ffmpeg(t, "-xerror", "-i", s.URL(path), "-map", "0:v", "-map", "0:a", "-t", "2",
		"-fps_mode", "passthrough", "-f", "framecrc", "-y", "/dev/null")
	probe.Succeed(4 * stage.Soon)
	player.Succeed(4 * stage.Soon)
	stop()
	if err := <-fed; err != nil {
		t.Error(err)
	}

	for _, want := range []string{
		"codec_name=h264", "width=640", "height=360", "codec_name=aac",
		"TAG:encoder=awkward 1.0", "TAG:recorded=2023-11-14T22:13:20.000Z", "TAG:xml=<a/>", "TAG:amf3=7",
	} {
		if !slices.Contains(strings.Split(shown.String(), "\n"), want) {
			t.Errorf("FFmpeg does not show %q:\n%s", want, shown.String())
		}
	}
	checkData(t, watcher)
}

// checkData wants a viewer to get metadata, timed text and cue points, as they
// were sent, and no other data.
func checkData(t *testing.T, messages []rtmp.Message) {
	t.Helper()
	forwarded := dataMessages()[:2]
	texts := 0
	for _, m := range messages {
		switch {
		case m.Type != rtmp.TypeData:
		case stage.Describe(m) == stage.Metadata:
			if !bytes.Contains(m.Payload, amf.Append(nil, trackMap)) {
				t.Errorf("the track map is missing in %.500q", m.Payload)
			}
		case !slices.ContainsFunc(forwarded, func(b []byte) bool { return bytes.Equal(b, m.Payload) }):
			t.Errorf("a viewer got %q", m.Payload)
		default:
			texts++
		}
	}
	if texts == 0 {
		t.Error("no timed data came")
	}
}
