package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// WriteText writes the report as a table for people.
func (r Report) WriteText(w io.Writer) error {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.row("address", "%s", r.URL)
	t.row("load", "%d publishers of %.2f Mbit/s, %d players, for %.1f s",
		r.Publishers, float64(r.Bitrate)/1e6, r.Players, r.Seconds)
	t.row("joined", "%d, failed %d, lost %d, came back %d", r.Joined, r.Failed, r.Ended, r.Reconnects)
	t.latency("time to join", r.Join)
	t.row("published", "%.2f MB in %d messages", float64(r.PublishedBytes)/1e6, r.PublishedMessages)
	t.row("played", "%.2f MB, %.1f MB/s on the wire", float64(r.Bytes)/1e6, float64(r.WireBytes)/1e6/r.Seconds)
	if r.Delivered != nil && r.ExpectedBytes != nil {
		t.row("delivered", "%.3f %% of %.2f MB", 100**r.Delivered, float64(*r.ExpectedBytes)/1e6)
	}
	t.row("left out", "%d messages in %d gaps", r.LostMessages, r.Gaps)
	t.latency("latency of watchers", r.Latency)
	t.latency("lag of all players", r.Lag)
	if r.LagFirst != nil && r.LagLast != nil {
		t.row("median lag", "%.1f ms in the first fifth, %.1f ms in the last", *r.LagFirst, *r.LagLast)
	}
	if r.BatchMS != nil && r.BatchBytes != nil {
		t.row("arrivals", "every %.1f ms, %.0f bytes each", *r.BatchMS, *r.BatchBytes)
	}
	t.server(r.Server)
	if g := r.Generator; g != nil {
		t.row("generator", "%.2f s of CPU, %.1f %%, %s", g.CPUSeconds, g.CPUPercent, mebibytes(g.RSS))
	}
	return t.Flush()
}

type table struct{ *tabwriter.Writer }

func (t table) row(name, format string, args ...any) {
	_, _ = fmt.Fprintf(t, name+"\t"+format+"\n", args...)
}

func (t table) latency(name string, l *Latency) {
	if l != nil {
		t.row(name, "p50 %.1f ms, p99 %.1f ms, max %.1f ms", l.P50, l.P99, l.Max)
	}
}

func (t table) server(s *ServerCost) {
	if s == nil {
		return
	}
	t.row("server CPU", "%.2f s, %.1f %%", s.CPUSeconds, s.CPUPercent)
	if s.CPUSecondsPerGB != nil {
		t.row("server CPU per GB", "%.3f s", *s.CPUSecondsPerGB)
	}
	if s.CPUPerPlayerSeconds != nil {
		t.row("server CPU per player", "%.0f µs a second", *s.CPUPerPlayerSeconds)
	}
	t.row("server memory", "%s, %s at most, %s before the players", mebibytes(s.RSS), mebibytes(s.RSSPeak), mebibytes(s.RSSBefore))
	if s.RSSPerPlayer != nil {
		t.row("server memory per player", "%.1f KiB", *s.RSSPerPlayer/1024)
	}
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
