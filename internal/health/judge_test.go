package health

import (
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// sound is a channel that has been live for a minute, and with which all is well.
func sound() stream.ChannelInfo {
	return stream.ChannelInfo{
		Name: "live", Live: true, Started: ago(time.Minute), Viewers: 3,
		Tracks:    []stream.Track{{Kind: "video", Codec: "H.264", FrameRate: 30}, {Kind: "audio", Codec: "AAC"}},
		Announced: stream.Announcement{Video: true, Audio: true, VideoBitrate: 2.5e6, AudioBitrate: 128e3},
		Flow: stream.Flow{
			VideoMessages: 1800, AudioMessages: 2800, Keyframes: 30,
			Bitrate: 2.7e6, VideoBitrate: 2.5e6, AudioBitrate: 128e3, FrameRate: 30,
			KeyframeInterval: 2 * time.Second, LongestInterval: 2 * time.Second, LastKeyframe: ago(time.Second),
			LastVideo: ago(30 * time.Millisecond), LastAudio: ago(20 * time.Millisecond),
		},
	}
}

// judgements are what can be wrong: how it looks, and what is said of it.
var judgements = []struct {
	name string
	harm func(c *stream.ChannelInfo)
	want []Code
	says []string
}{
	{name: "all is well", harm: func(*stream.ChannelInfo) {}},
	{name: "nobody publishes", harm: func(c *stream.ChannelInfo) { *c = stream.ChannelInfo{Name: "live", Viewers: 3} }},
	{name: "the first second", harm: func(c *stream.ChannelInfo) {
		*c = stream.ChannelInfo{Live: true, Started: ago(time.Second)}
	}},
	{
		name: "nothing ever comes",
		harm: func(c *stream.ChannelInfo) { *c = stream.ChannelInfo{Live: true, Started: ago(10 * time.Second)} },
		want: []Code{NoMedia}, says: []string{"10 s", "Automatically Reconnect"},
	},
	{
		name: "nothing comes any more",
		harm: func(c *stream.ChannelInfo) {
			c.Flow.LastVideo, c.Flow.LastAudio = ago(12*time.Second), ago(11*time.Second)
			c.Flow.VideoBitrate, c.Flow.AudioBitrate, c.Flow.FrameRate = 0, 0, 0
		},
		want: []Code{NoMedia}, says: []string{"11 s"},
	},
	{
		name: "nothing comes for a moment",
		harm: func(c *stream.ChannelInfo) {
			c.Flow.LastVideo, c.Flow.LastAudio, c.Flow.LastKeyframe = ago(9*time.Second), ago(9*time.Second), ago(9*time.Second)
		},
	},
	{
		name: "the picture is gone", harm: func(c *stream.ChannelInfo) { c.Flow.LastVideo = ago(7 * time.Second) },
		want: []Code{NoVideo}, says: []string{"7 s", "Output in OBS", "-map 0:v"},
	},
	{
		name: "the sound is gone", harm: func(c *stream.ChannelInfo) { c.Flow.LastAudio = ago(6400 * time.Millisecond) },
		want: []Code{NoAudio}, says: []string{"6.4 s", "Global Audio Devices", "-map 0:a"},
	},
	{
		name: "announced sound never comes",
		harm: func(c *stream.ChannelInfo) { c.Tracks, c.Flow.LastAudio = c.Tracks[:1], time.Time{} },
		want: []Code{NoAudio}, says: []string{"60 s"},
	},
	{
		name: "there was to be no sound",
		harm: func(c *stream.ChannelInfo) {
			c.Tracks, c.Flow.LastAudio, c.Announced.Audio = c.Tracks[:1], time.Time{}, false
		},
	},
	{
		name: "there was to be no picture",
		harm: func(c *stream.ChannelInfo) {
			c.Tracks, c.Flow.LastVideo, c.Announced.Video = c.Tracks[1:], time.Time{}, false
		},
	},
	{
		name: "keyframes are far apart", harm: func(c *stream.ChannelInfo) { c.Flow.KeyframeInterval = 8333 * time.Millisecond },
		want: []Code{KeyframeInterval}, says: []string{"8.3 s", "Keyframe Interval", "-g"},
	},
	{name: "keyframes are as far apart as may be", harm: func(c *stream.ChannelInfo) { c.Flow.KeyframeInterval = 4 * time.Second }},
	{
		name: "there is no second keyframe",
		harm: func(c *stream.ChannelInfo) { c.Flow.KeyframeInterval, c.Flow.LastKeyframe = 0, ago(14*time.Second) },
		want: []Code{KeyframeInterval}, says: []string{"No keyframe", "14 s", "-g"},
	},
	{
		name: "there is no keyframe at all",
		harm: func(c *stream.ChannelInfo) { c.Flow.KeyframeInterval, c.Flow.LastKeyframe = 0, time.Time{} },
		want: []Code{KeyframeInterval}, says: []string{"60 s"},
	},
	{
		name: "the video is too thin", harm: func(c *stream.ChannelInfo) { c.Flow.VideoBitrate = 1.2e6 },
		want: []Code{VideoBitrate}, says: []string{"1200 kbit/s", "2500", "Bitrate", "-b:v"},
	},
	{
		name: "the video is too fat", harm: func(c *stream.ChannelInfo) { c.Flow.VideoBitrate = 5.1e6 },
		want: []Code{VideoBitrate}, says: []string{"5100 kbit/s", "2500", "CBR", "-maxrate"},
	},
	{name: "the video is a little fat", harm: func(c *stream.ChannelInfo) { c.Flow.VideoBitrate = 4.9e6 }},
	{
		name: "several tracks are more than one",
		harm: func(c *stream.ChannelInfo) {
			c.Tracks = append([]stream.Track{{Kind: "video"}, {Kind: "video", ID: 1}}, c.Tracks[1])
			c.Flow.VideoBitrate, c.Flow.FrameRate = 7e6, 60
		},
	},
	{
		name: "encoding for quality announces nothing",
		harm: func(c *stream.ChannelInfo) { c.Announced.VideoBitrate, c.Flow.VideoBitrate = 0, 1e5 },
	},
	{name: "a start in a burst", harm: func(c *stream.ChannelInfo) {
		c.Started, c.Flow.VideoBitrate, c.Flow.FrameRate = ago(9*time.Second), 2e7, 5
	}},
	{
		name: "the sound is too thin", harm: func(c *stream.ChannelInfo) { c.Flow.AudioBitrate = 2e3 },
		want: []Code{AudioBitrate}, says: []string{"2 kbit/s", "128", "Audio Bitrate", "-b:a"},
	},
	{
		name: "the sound is too fat", harm: func(c *stream.ChannelInfo) { c.Flow.AudioBitrate = 320e3 },
		want: []Code{AudioBitrate}, says: []string{"320 kbit/s"},
	},
	{
		name: "frames are missing", harm: func(c *stream.ChannelInfo) { c.Flow.FrameRate = 12.34 },
		want: []Code{FrameRate}, says: []string{"30 frames", "12.3", "CPU Usage Preset", "-preset"},
	},
	{name: "a few frames are missing", harm: func(c *stream.ChannelInfo) { c.Flow.FrameRate = 25 }},
	{
		name: "stalls", harm: func(c *stream.ChannelInfo) { c.Flow.RecentStalls = 3 },
		want: []Code{Stalls}, says: []string{"3 times", "Bitrate", "-b:v"},
	},
	{name: "stalls long ago", harm: func(c *stream.ChannelInfo) { c.Flow.Stalls, c.Flow.RecentStalls = 20, 2 }},
	{
		name: "timestamps jump", harm: func(c *stream.ChannelInfo) { c.Flow.RecentRepairs = stream.RecentMost },
		want: []Code{Timestamps}, says: []string{"8 times or more", "Use Device Timestamps", "aresample"},
	},
	{name: "timestamps have jumped", harm: func(c *stream.ChannelInfo) { c.Repairs.Jumps, c.Flow.RecentRepairs = 5, 1 }},
	{
		name: "B-frames with viewers in a hurry", harm: func(c *stream.ChannelInfo) { c.Flow.BFrames, c.LowLatency = true, 2 },
		want: []Code{BFrames}, says: []string{"low latency", "are 2", "Max B-frames", "-bf 0"},
	},
	{name: "B-frames with other viewers", harm: func(c *stream.ChannelInfo) { c.Flow.BFrames = true }},
	{
		name: "much at once",
		harm: func(c *stream.ChannelInfo) {
			c.Flow.RecentRepairs, c.Flow.RecentStalls, c.Flow.FrameRate = 4, 4, 3
			c.Flow.KeyframeInterval = time.Minute
		},
		want: []Code{KeyframeInterval, FrameRate, Stalls, Timestamps},
	},
}

func TestWhatBreaksStreamsIsSaidInASentence(t *testing.T) {
	for _, test := range judgements {
		t.Run(test.name, func(t *testing.T) {
			c := sound()
			test.harm(&c)
			var codes []Code
			for _, w := range Judge(now, c) {
				codes = append(codes, w.Code)
				if !strings.HasSuffix(w.Text, ".") || strings.Contains(w.Text, ". ") || strings.Contains(w.Text, "%!") {
					t.Errorf("%s: this is not one sentence: %s", w.Code, w.Text)
				}
				for _, part := range test.says {
					if !strings.Contains(w.Text, part) {
						t.Errorf("%s does not say %q: %s", w.Code, part, w.Text)
					}
				}
			}
			if !slices.Equal(codes, test.want) {
				t.Errorf("got %v, want %v", codes, test.want)
			}
		})
	}
}

// TestEachWarningNamesASetting wants every check to be tried, and to say what to do.
func TestEachWarningNamesASetting(t *testing.T) {
	tried := make(map[Code]bool)
	for _, test := range judgements {
		c := sound()
		test.harm(&c)
		for _, w := range Judge(now, c) {
			tried[w.Code] = true
			if !strings.Contains(w.Text, "OBS") {
				t.Errorf("%s: no setting of OBS in: %s", w.Code, w.Text)
			}
		}
	}
	for _, c := range checks {
		if !tried[c.code] {
			t.Errorf("nothing tries %s", c.code)
		}
	}
}
