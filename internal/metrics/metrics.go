package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// maxScrapes is how many requests are answered at a time. It stops a client that
	// asks without end, each time for a look at every session.
	maxScrapes = 4
	// other stands for a label value that was not announced.
	other = "other"
)

var (
	viewerBuckets   = []float64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000}
	passBuckets     = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1}
	callbackBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
)

// Options are what labels may say: the series of all of it exist from the start, so
// that the first event is one more than none.
type Options struct {
	// Version is that of the server.
	Version string
	// Reasons are those for which sessions end.
	Reasons []stream.Reason
	// Events and Outcomes are those of the callback, Verbs and Results those of
	// commands. Without them these have no series.
	Events, Outcomes, Verbs, Results []string
}

// Metrics are those of one server.
type Metrics struct {
	registry *prometheus.Registry
	known    map[string]bool // label values

	ends, refusals, commands   *prometheus.CounterVec
	flushViewers, flushSeconds prometheus.Observer
	callbacks                  *prometheus.HistogramVec
}

// New returns metrics with nothing counted yet.
func New(o Options) *Metrics {
	passViewers, passSeconds := flushViewers.histograms(viewerBuckets), flushSeconds.histograms(passBuckets)
	m := &Metrics{
		registry:     prometheus.NewRegistry(),
		known:        make(map[string]bool),
		ends:         sessionEnds.counters(),
		refusals:     refusals.counters(),
		commands:     commands.counters(),
		flushViewers: passViewers.WithLabelValues(),
		flushSeconds: passSeconds.WithLabelValues(),
		callbacks:    callbacks.histograms(callbackBuckets),
	}
	m.announce(o)
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: buildInfo.name, Help: buildInfo.help,
		ConstLabels: prometheus.Labels{"version": o.Version, "go": runtime.Version()},
	})
	info.Set(1)
	m.registry.MustRegister(info, m.ends, m.refusals, m.commands, passViewers, passSeconds, m.callbacks,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// announce makes the series of all that labels may say.
func (m *Metrics) announce(o Options) {
	for _, reason := range o.Reasons {
		m.known[string(reason)] = true
		m.refusals.WithLabelValues(string(reason))
		for _, kind := range []stream.Kind{stream.KindPublisher, stream.KindPlayer} {
			m.ends.WithLabelValues(string(kind), string(reason))
		}
	}
	for _, event := range o.Events {
		m.known[event] = true
		for _, outcome := range o.Outcomes {
			m.known[outcome] = true
			m.callbacks.WithLabelValues(event, outcome)
		}
	}
	for _, verb := range o.Verbs {
		m.known[verb] = true
		for _, result := range o.Results {
			m.known[result] = true
			m.commands.WithLabelValues(verb, result)
		}
	}
}

// label returns a label value that was announced.
func (m *Metrics) label(value string) string {
	if m.known[value] {
		return value
	}
	return other
}

// Ended counts the end of a session, or a refusal.
func (m *Metrics) Ended(e stream.End) {
	reason := m.label(string(e.Reason))
	switch e.Kind {
	case stream.KindPublisher, stream.KindPlayer:
		m.ends.WithLabelValues(string(e.Kind), reason).Inc()
	default:
		m.refusals.WithLabelValues(reason).Inc()
	}
}

// Passed counts a pass over the viewers of a channel.
func (m *Metrics) Passed(viewers int, took time.Duration) {
	m.flushViewers.Observe(float64(viewers))
	m.flushSeconds.Observe(took.Seconds())
}

// Callback counts an event of the callback.
func (m *Metrics) Callback(event, outcome string, took time.Duration) {
	m.callbacks.WithLabelValues(m.label(event), m.label(outcome)).Observe(took.Seconds())
}

// Command counts a command.
func (m *Metrics) Command(verb, result string) {
	m.commands.WithLabelValues(m.label(verb), m.label(result)).Inc()
}

// Handler answers with all metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes})
}
