package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Sources are asked at each scrape. Those that are nil have no series.
type Sources struct {
	Sessions func() []stream.Session
	Traffic  func() []stream.Traffic
	Channels func() []stream.ChannelInfo
	// PendingStops is how many stop events the callback has not taken.
	PendingStops func() int
	// Redis says whether commands are heard, and for how long they were not.
	Redis  func() (connected bool, lost time.Duration)
	Panics func() uint64
	// LogLost is how many lines the log has lost.
	LogLost func() uint64
	// Warnings is how many channels have each of the warnings, which are words of
	// this program.
	Warnings func() map[string]int
	Budgets  func() []Budget
}

// Budget is something of which there is so much.
type Budget struct {
	// Name is a word of this program.
	Name string
	// Limit is 0 if there is none.
	Used, Limit int64
}

// Watch has the sources asked from now on. It is called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(collector{s}) }

// collector looks up what can be looked up.
type collector struct{ Sources }

// Describe implements prometheus.Collector.
func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, families := range [][]*family{lookedUp, ofChannels} {
		for _, f := range families {
			to <- f.desc
		}
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	if c.Sessions != nil {
		collectSessions(to, c.Sessions())
	}
	if c.Traffic != nil {
		collectTraffic(to, c.Traffic())
	}
	if c.Channels != nil {
		collectChannels(to, c.Channels())
	}
	if c.PendingStops != nil {
		to <- stopsPending.metric(float64(c.PendingStops()))
	}
	if c.Redis != nil {
		connected, lost := c.Redis()
		to <- redisConnected.metric(truth(connected))
		to <- redisLost.metric(lost.Seconds())
	}
	if c.Panics != nil {
		to <- panics.metric(float64(c.Panics()))
	}
	if c.LogLost != nil {
		to <- logLost.metric(float64(c.LogLost()))
	}
	if c.Warnings != nil {
		for warning, n := range c.Warnings() {
			to <- warnings.metric(float64(n), warning)
		}
	}
	if c.Budgets != nil {
		for _, b := range c.Budgets() {
			to <- used.metric(float64(b.Used), b.Name)
			to <- limit.metric(float64(b.Limit), b.Name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func collectTraffic(to chan<- prometheus.Metric, traffic []stream.Traffic) {
	for _, t := range traffic {
		protocol := string(t.Protocol)
		to <- connections.metric(float64(t.Open), protocol)
		to <- accepted.metric(float64(t.Accepted), protocol)
		to <- bytesIn.metric(float64(t.BytesIn), protocol)
		to <- bytesOut.metric(float64(t.BytesOut), protocol)
		to <- messagesIn.metric(float64(t.MessagesIn), protocol)
		to <- messagesOut.metric(float64(t.MessagesOut), protocol)
		to <- skipped.metric(float64(t.Skipped), protocol)
		to <- skips.metric(float64(t.Skips), protocol)
	}
}
