package metrics

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric with all its series.
type family struct {
	name, help string
	kind       prometheus.ValueType // of families that are looked up
	histogram  bool
	labels     []string
	desc       *prometheus.Desc
}

func newFamily(kind prometheus.ValueType, name, help string, labels []string) *family {
	return &family{name: name, help: help, kind: kind, labels: labels, desc: prometheus.NewDesc(name, help, labels, nil)}
}

func gauge(name, help string, labels ...string) *family {
	return newFamily(prometheus.GaugeValue, name, help, labels)
}

func counter(name, help string, labels ...string) *family {
	return newFamily(prometheus.CounterValue, name, help, labels)
}

func histogram(name, help string, labels ...string) *family {
	f := newFamily(prometheus.UntypedValue, name, help, labels)
	f.histogram = true
	return f
}

// metric is one value of the family.
func (f *family) metric(value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

func (f *family) counters() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: f.name, Help: f.help}, f.labels)
}

func (f *family) histograms(buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: f.name, Help: f.help, Buckets: buckets}, f.labels)
}

// typeName is what Prometheus calls the type of the family.
func (f *family) typeName() string {
	switch {
	case f.histogram:
		return "histogram"
	case f.kind == prometheus.CounterValue:
		return "counter"
	default:
		return "gauge"
	}
}

// Markdown returns all metrics as a table in GitHub's Markdown, for the
// documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range slices.Concat(told, lookedUp, ofChannels) {
		labels := ""
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.typeName(), labels, f.help)
	}
	return b.String()
}
