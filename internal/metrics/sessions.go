package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// lagBuckets are upper bounds in seconds.
var lagBuckets = []float64{.1, .25, .5, 1, 2, 4, 8}

// protocols are those of which there is a count although it may be 0.
var protocols = []stream.Protocol{stream.ProtocolRTMP, stream.ProtocolRTMPS, stream.ProtocolHTTPFLV, stream.ProtocolWSFLV}

type group struct {
	kind     stream.Kind
	protocol stream.Protocol
}

func collectSessions(to chan<- prometheus.Metric, all []stream.Session) {
	counts := make(map[group]int)
	for _, protocol := range protocols {
		counts[group{stream.KindPlayer, protocol}] = 0
	}
	for _, protocol := range protocols[:2] {
		counts[group{stream.KindPublisher, protocol}] = 0
	}
	var lags lagCounts
	for _, s := range all {
		counts[group{s.Kind, s.Protocol}]++
		if s.Kind == stream.KindPlayer && s.Live {
			lags.add(s.Lag)
		}
	}
	for g, n := range counts {
		to <- sessions.metric(float64(n), string(g.kind), string(g.protocol))
	}
	lags.collect(to)
}

// lagCounts are a histogram of one moment.
type lagCounts struct {
	buckets  [7]uint64
	all      uint64
	sum, max time.Duration
}

func (l *lagCounts) add(lag time.Duration) {
	l.all++
	l.sum += lag
	l.max = max(l.max, lag)
	for i, bound := range lagBuckets {
		if lag.Seconds() <= bound {
			l.buckets[i]++
		}
	}
}

func (l *lagCounts) collect(to chan<- prometheus.Metric) {
	cumulative := make(map[float64]uint64, len(lagBuckets))
	for i, bound := range lagBuckets {
		cumulative[bound] = l.buckets[i]
	}
	to <- prometheus.MustNewConstHistogram(lag.desc, l.all, l.sum.Seconds(), cumulative)
	to <- lagMax.metric(l.max.Seconds())
}
