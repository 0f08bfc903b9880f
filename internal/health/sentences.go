package health

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func (l *look) noMedia() string {
	silent := min(l.since(l.flow.LastVideo), l.since(l.flow.LastAudio))
	if silent < silentFor {
		return ""
	}
	return fmt.Sprintf("Nothing has come for %s: see whether the encoder still runs and its connection is up, "+
		`and turn on "Automatically Reconnect" in OBS.`, seconds(silent))
}

func (l *look) noVideo() string {
	missing := l.since(l.flow.LastVideo)
	if !l.audio || missing < missingFor || !l.info.Announced.Video && l.tracks(video) == 0 {
		return ""
	}
	return fmt.Sprintf("There is sound, but no picture has come for %s: see whether the encoder is overloaded "+
		`("Encoder" under Output in OBS), or takes a source for the picture ("-map 0:v" in FFmpeg).`, seconds(missing))
}

func (l *look) noAudio() string {
	missing := l.since(l.flow.LastAudio)
	if !l.video || missing < missingFor || !l.info.Announced.Audio && l.tracks(audio) == 0 {
		return ""
	}
	return fmt.Sprintf("There is a picture, but no sound has come for %s: choose a device that works under "+
		`"Global Audio Devices" in OBS, or take a source for the sound ("-map 0:a") in FFmpeg.`, seconds(missing))
}

func (l *look) keyframes() string {
	if !l.video {
		return ""
	}
	apart, waiting := l.flow.KeyframeInterval, l.since(l.flow.LastKeyframe)
	const remedy = `set "Keyframe Interval" to 2 s in OBS, or "-g" to twice the frame rate in FFmpeg.`
	switch {
	case waiting >= noKeyframeFor:
		return fmt.Sprintf("No keyframe has come for %s, and who wants to watch sees nothing until one does: %s", seconds(waiting), remedy)
	case apart > longInterval:
		return fmt.Sprintf("Keyframes are %s apart, so that viewers start late or far behind: %s", seconds(apart), remedy)
	default:
		return ""
	}
}

func (l *look) videoBitrate() string {
	if !l.video {
		return ""
	}
	return l.bitrate("Video", l.flow.VideoBitrate, l.info.Announced.VideoBitrate, l.tracks(video),
		`lower "Bitrate" in OBS ("-b:v" in FFmpeg) to what the connection and the processor of the encoder can do.`,
		`choose "CBR" for "Rate Control" in OBS, or set "-maxrate" and "-bufsize" in FFmpeg.`)
}

func (l *look) audioBitrate() string {
	if !l.audio {
		return ""
	}
	return l.bitrate("Sound", l.flow.AudioBitrate, l.info.Announced.AudioBitrate, l.tracks(audio),
		`see whether "Audio Bitrate" in OBS ("-b:a" in FFmpeg) is what is meant, and whether the source is silent.`,
		`set "Audio Bitrate" in OBS, or "-b:a" in FFmpeg, to what is meant.`)
}

// bitrate judges a kind of media. The announcement is that of a single track.
func (l *look) bitrate(what string, comes, announced float64, tracks int, ifLow, ifHigh string) string {
	remedy := ifLow
	switch {
	case l.age < settled || announced < leastRate:
		return ""
	case comes < announced/rateFactor:
	case comes > announced*rateFactor && tracks <= 1:
		remedy = ifHigh
	default:
		return ""
	}
	return fmt.Sprintf("%s comes with %.0f kbit/s, where the encoder announced %.0f: %s", what, comes/1000, announced/1000, remedy)
}

func (l *look) frameRate() string {
	if !l.video || l.age < settled {
		return ""
	}
	comes, announced := l.flow.FrameRate, l.announcedFrames()
	if comes >= announced*frameShare {
		return ""
	}
	return fmt.Sprintf("Of %s frames a second only %s come: choose a faster \"CPU Usage Preset\" in OBS (\"-preset\" in FFmpeg), "+
		"or a smaller picture or frame rate.", number(announced), number(comes))
}

// announcedFrames is the frame rate of the only video track, which alone has one.
func (l *look) announcedFrames() float64 {
	for _, t := range l.info.Tracks {
		if t.Kind == video {
			return t.FrameRate
		}
	}
	return 0
}

func (l *look) stalls() string {
	if l.flow.RecentStalls < manyStalls {
		return ""
	}
	return fmt.Sprintf("The encoder sent nothing for more than a second %s in the last minute: "+
		`lower "Bitrate" in OBS ("-b:v" in FFmpeg) to three quarters of what its connection can upload.`, times(l.flow.RecentStalls))
}

func (l *look) timestamps() string {
	if l.flow.RecentRepairs < manyRepairs {
		return ""
	}
	return fmt.Sprintf("Timestamps jumped or stood still %s in the last minute and were mended: "+
		`turn "Use Device Timestamps" off for the audio sources in OBS, or add "-af aresample=async=1" in FFmpeg.`, times(l.flow.RecentRepairs))
}

func (l *look) bFrames() string {
	if !l.flow.BFrames || l.info.LowLatency == 0 {
		return ""
	}
	return fmt.Sprintf("B-frames delay the picture for viewers with low latency, of whom there are %d, and WebRTC cannot show them: "+
		`set "Max B-frames" to 0 in OBS ("bframes=0" for x264), or "-bf 0" in FFmpeg.`, l.info.LowLatency)
}

func seconds(d time.Duration) string { return number(d.Seconds()) + " s" }

// number has a digit behind the point, if that says something.
func number(n float64) string { return strconv.FormatFloat(math.Round(n*10)/10, 'f', -1, 64) }

// times are as many as are counted.
func times(n int) string {
	if n == stream.RecentMost {
		return fmt.Sprintf("%d times or more", n)
	}
	return fmt.Sprintf("%d times", n)
}
