package server

import (
	"context"
	"log/slog"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// How many lines the log takes in samplePeriod for one reason for which
// connections are refused, or end before they have published or played. A flood
// of them would fill the disk.
const (
	refusalLines = 10
	// conditionLines is for reasons that say something of the server, and the same
	// each time.
	conditionLines = 1
)

// refusalLog is what the log takes of connections that come to nothing.
type refusalLog struct {
	log     *slog.Logger
	sampler sampler
}

func newRefusalLog(log *slog.Logger) *refusalLog {
	r := &refusalLog{log: log}
	r.sampler = newSampler(r.leftOut)
	return r
}

// write has log, which may know more than the server's, write a line for a
// connection that was refused for the given reason, unless there have been enough.
func (r *refusalLog) write(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any) {
	ctx := context.Background()
	lines := refusalLines
	if reason == stream.ReasonFull || reason == stream.ReasonNoFiles || reason == stream.ReasonMemory {
		lines = conditionLines
	}
	kind := sampleKind{level: level, text: string(reason)}
	if log.Enabled(ctx, level) && r.sampler.allow(kind, sampleBounds{lines, lines}) {
		log.Log(ctx, level, message, attrs...)
	}
}

func (r *refusalLog) leftOut(kind sampleKind, count int) {
	r.log.Log(context.Background(), kind.level, "refusals left out", "reason", kind.text, "count", count)
}

// end tells of what was left out last, with the server.
func (r *refusalLog) end() { r.sampler.end() }
