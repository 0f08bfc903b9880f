package bench

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// live writes a line about the run each second, while the run waits.
type live struct {
	run       *run
	start     time.Time
	ticker    *time.Ticker
	last      moment
	measuring bool
}

func newLive(r *run) *live {
	l := &live{run: r, start: time.Now(), ticker: time.NewTicker(time.Second)}
	l.last, _ = r.moment()
	return l
}

// open says that the window is open.
func (l *live) open() { l.measuring = true }

// wait returns at a time, or with an error when ctx ends.
func (l *live) wait(ctx context.Context, until time.Time) error {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return nil
		case <-l.ticker.C:
			l.write()
		case <-ctx.Done():
			return ErrInterrupted
		}
	}
}

// until returns what comes from a channel, nil if it is closed, or an error when
// ctx ends.
func (l *live) until(ctx context.Context, c <-chan error) error {
	for {
		select {
		case err := <-c:
			return err
		case <-l.ticker.C:
			l.write()
		case <-ctx.Done():
			return ErrInterrupted
		}
	}
}

// poll writes the line if it is due.
func (l *live) poll() {
	select {
	case <-l.ticker.C:
		l.write()
	default:
	}
}

// write writes the line. It also notes the memory of the server, for its peak.
func (l *live) write() {
	r := l.run
	now, err := r.moment()
	if err != nil {
		r.console.problem(err.Error())
	}
	seconds := float64(now.at-l.last.at) / 1e6
	var b strings.Builder
	fmt.Fprintf(&b, "%3.0f s", time.Since(l.start).Seconds())
	if r.options.Players > 0 {
		l.writePlayers(&b, float64(now.wire-l.last.wire)/1e6/seconds)
	} else {
		l.writePublishers(&b)
	}
	if now.server != nil && l.last.server != nil {
		fmt.Fprintf(&b, "  server CPU %.1f %%, %s", 100*(now.server.cpu-l.last.server.cpu).Seconds()/seconds, mebibytes(now.server.rss))
	}
	l.last = now
	r.console.line(b.String())
}

// writePublishers is for a run without players.
func (l *live) writePublishers(b *strings.Builder) {
	fmt.Fprintf(b, "  %d publishers", len(l.run.publishers))
	if l.measuring {
		sum := int64(0)
		for _, p := range l.run.publishers {
			sum += p.bytes.Load()
		}
		fmt.Fprintf(b, "  %.1f MB", float64(sum)/1e6)
	}
}

func (l *live) writePlayers(b *strings.Builder, megabytes float64) {
	r := l.run
	fmt.Fprintf(b, "  %d/%d players%s  %.1f MB/s", r.roster.playing(), r.options.Players, r.roster.troubles(), megabytes)
	var watching, all histogram
	r.watching.takeRecent(&watching)
	all.merge(&watching)
	r.ticking.takeRecent(&all)
	r.others.takeRecent(&all)
	if l.measuring {
		sum := r.total()
		if expected := r.expected(); expected > 0 {
			fmt.Fprintf(b, "  delivered %.2f %%", 100*float64(sum.bytes)/float64(expected))
		}
		fmt.Fprintf(b, "  gaps %d", sum.gaps)
	}
	if s := watching.summary(); s != nil {
		fmt.Fprintf(b, "  latency p50 %.1f p99 %.1f ms", s.P50, s.P99)
	}
	if s := all.summary(); s != nil {
		fmt.Fprintf(b, "  lag %.1f ms", s.P50)
	}
}
