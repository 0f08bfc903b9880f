package health

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Code names a warning for programs.
type Code string

// The warnings.
const (
	NoMedia          Code = "no-media"
	NoVideo          Code = "no-video"
	NoAudio          Code = "no-audio"
	KeyframeInterval Code = "keyframe-interval"
	VideoBitrate     Code = "video-bitrate"
	AudioBitrate     Code = "audio-bitrate"
	FrameRate        Code = "frame-rate"
	Stalls           Code = "stalls"
	Timestamps       Code = "timestamps"
	BFrames          Code = "b-frames"
)

// Warning is something that is wrong with a stream.
type Warning struct {
	Code Code
	// Text is a sentence for people. Nothing of it is from a peer but numbers.
	Text string
}

const (
	// silentFor is for how long nothing comes at all before that is a warning.
	silentFor = 10 * time.Second
	// missingFor is for how long one kind of media is missing while the other one
	// comes, and flowing how old the latest of that may be.
	missingFor = 5 * time.Second
	flowing    = 5 * time.Second
	// longInterval is the longest time between keyframes that new viewers bear,
	// and noKeyframeFor how long there is none before the next is not waited for.
	longInterval  = 4 * time.Second
	noKeyframeFor = 10 * time.Second
	// settled is the age from which rates are judged: encoders begin in bursts.
	settled = 10 * time.Second
	// rateFactor is how far a bitrate may be from the announced one, and
	// leastRate, in bit/s, what an announcement has to be to mean something.
	rateFactor = 2
	leastRate  = 8000
	// frameShare is which part of the announced frames has to come.
	frameShare = 0.7
	// manyStalls and manyRepairs are how many there are in a minute if it is no
	// accident.
	manyStalls  = 3
	manyRepairs = 2
)

// checks are all that can be wrong, the worst first. Each returns a sentence, or
// nothing.
var checks = [...]struct {
	code  Code
	check func(*look) string
}{
	{NoMedia, (*look).noMedia},
	{NoVideo, (*look).noVideo},
	{NoAudio, (*look).noAudio},
	{KeyframeInterval, (*look).keyframes},
	{VideoBitrate, (*look).videoBitrate},
	{AudioBitrate, (*look).audioBitrate},
	{FrameRate, (*look).frameRate},
	{Stalls, (*look).stalls},
	{Timestamps, (*look).timestamps},
	{BFrames, (*look).bFrames},
}

// Judge returns what is wrong with a channel, the worst first: nothing, if it is not
// live.
func Judge(now time.Time, c stream.ChannelInfo) []Warning {
	if !c.Live {
		return nil
	}
	l := newLook(now, &c)
	var warnings []Warning
	for _, c := range checks {
		if text := c.check(l); text != "" {
			warnings = append(warnings, Warning{c.code, text})
		}
	}
	return warnings
}

// look is a live channel at a moment.
type look struct {
	now  time.Time
	info *stream.ChannelInfo
	flow *stream.Flow
	age  time.Duration
	// video and audio say that this kind comes, and so it can be judged.
	video, audio bool
}

func newLook(now time.Time, c *stream.ChannelInfo) *look {
	comes := func(last time.Time) bool { return !last.IsZero() && now.Sub(last) <= flowing }
	return &look{
		now: now, info: c, flow: &c.Flow, age: now.Sub(c.Started),
		video: comes(c.Flow.LastVideo), audio: comes(c.Flow.LastAudio),
	}
}

// since is the time that has passed since the latest of something, and since the
// beginning if there was none.
func (l *look) since(last time.Time) time.Duration { return min(l.age, l.now.Sub(last)) }

// tracks counts those of a kind.
func (l *look) tracks(kind string) (n int) {
	for _, t := range l.info.Tracks {
		if t.Kind == kind {
			n++
		}
	}
	return n
}

const video, audio = "video", "audio" // kinds, as stream.Track has them
