package metrics

import (
	"cmp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// maxChannels is how many channels have series of their own, those that have been
// live for the longest. It stops publishers of made-up names from filling the
// memory of whoever stores the metrics.
const maxChannels = 1000

func collectChannels(to chan<- prometheus.Metric, all []stream.ChannelInfo) {
	var live []stream.ChannelInfo
	var interrupted int
	for _, c := range all {
		if c.Live {
			live = append(live, c)
		} else if c.Interrupted {
			interrupted++
		}
	}
	to <- channels.metric(float64(len(live)), "live")
	to <- channels.metric(float64(interrupted), "interrupted")
	to <- channels.metric(float64(len(all)-len(live)-interrupted), "waiting")
	slices.SortFunc(live, func(a, b stream.ChannelInfo) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Name, b.Name))
	})
	shown := min(len(live), maxChannels)
	to <- channelsLeftOut.metric(float64(len(live) - shown))
	for _, c := range live[:shown] {
		collectChannel(to, c)
	}
}

func collectChannel(to chan<- prometheus.Metric, c stream.ChannelInfo) {
	name := strings.ToValidUTF8(c.Name, "�")
	r := c.Repairs
	to <- channelViewers.metric(float64(c.Viewers), name)
	to <- channelBytes.metric(float64(c.Flow.Bytes), name)
	to <- channelBitrate.metric(c.Flow.Bitrate, name)
	to <- channelFrames.metric(c.Flow.FrameRate, name)
	to <- channelKeyframes.metric(c.Flow.KeyframeInterval.Seconds(), name)
	to <- channelStalls.metric(float64(c.Flow.Stalls), name)
	to <- channelJumps.metric(float64(r.Jumps+r.Backward+r.Stuck), name)
}
