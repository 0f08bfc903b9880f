package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/health"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// healthEach is how often the streams are looked at.
	healthEach = 5 * time.Second
	// maxHealthLines bounds the lines of one look. It stops the owner of thousands
	// of channels from filling the disk with what is wrong with them.
	maxHealthLines = 100
)

// healthWatch tells the log what is wrong with the streams.
type healthWatch struct {
	health.Watch
	registry *stream.Registry
	log      *slog.Logger
}

// run looks until ctx ends.
func (w *healthWatch) run(ctx context.Context) error {
	ticker := time.NewTicker(healthEach)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			w.look(time.Now())
		}
	}
}

func (w *healthWatch) look(now time.Time) {
	changes := w.Look(now, w.registry.Channels(now))
	for _, c := range changes[:min(len(changes), maxHealthLines)] {
		if c.Over {
			w.log.Warn("stream warning over", "channel", c.Channel, "warning", string(c.Code), "after", c.After.Round(time.Second))
		} else {
			w.log.Warn("stream warning", "channel", c.Channel, "warning", string(c.Code), "text", c.Text)
		}
	}
	if left := len(changes) - maxHealthLines; left > 0 {
		w.log.Warn("stream warnings left out", "count", left)
	}
}

// counts returns how many channels have each warning, for the metrics.
func (w *healthWatch) counts() map[string]int {
	counts := make(map[string]int)
	for code, n := range w.Counts() {
		counts[string(code)] = n
	}
	return counts
}

// texts returns what is wrong with a channel, for people.
func (w *healthWatch) texts(channel string) []string {
	warnings := w.Warnings(channel)
	texts := make([]string, len(warnings))
	for i, warning := range warnings {
		texts[i] = warning.Text
	}
	return texts
}
