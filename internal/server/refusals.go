package server

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// How many lines the log takes in refusalPeriod for one reason for which
// connections are refused, or end before they have published or played. A flood
// of them would fill the disk.
const (
	refusalPeriod = time.Second
	refusalLines  = 10
	// conditionLines is for reasons that say something of the server, and the same
	// each time.
	conditionLines = 1
)

// refusalLog is what the log takes of connections that come to nothing. Lines
// beyond the bound are counted, and the count is written at the end of the period.
type refusalLog struct {
	log *slog.Logger

	mu      sync.Mutex // guards what follows, but no writing
	periods map[refusalKind]*refusalCount
}

type refusalKind struct {
	level  slog.Level
	reason stream.Reason
}

// refusalCount is of the period that began with the first of its lines.
type refusalCount struct {
	end            *time.Timer
	lines, leftOut int
}

func newRefusalLog(log *slog.Logger) refusalLog {
	return refusalLog{log: log, periods: make(map[refusalKind]*refusalCount)}
}

// write has log, which may know more than the server's, write a line for a
// connection that was refused for the given reason, unless there have been enough.
func (r *refusalLog) write(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any) {
	ctx := context.Background()
	if log.Enabled(ctx, level) && r.allow(refusalKind{level, reason}) {
		log.Log(ctx, level, message, attrs...)
	}
}

func (r *refusalLog) allow(kind refusalKind) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	count := r.periods[kind]
	if count == nil {
		count = &refusalCount{end: time.AfterFunc(refusalPeriod, func() { r.close(kind) })}
		r.periods[kind] = count
	}
	most := refusalLines
	if kind.reason == ReasonFull || kind.reason == ReasonNoFiles || kind.reason == ReasonMemory {
		most = conditionLines
	}
	if count.lines == most {
		count.leftOut++
		return false
	}
	count.lines++
	return true
}

// close ends a period.
func (r *refusalLog) close(kind refusalKind) {
	r.mu.Lock()
	count := r.periods[kind]
	delete(r.periods, kind)
	r.mu.Unlock()
	if count == nil {
		return
	}
	count.end.Stop()
	if count.leftOut > 0 {
		r.log.Log(context.Background(), kind.level, "refusals left out", "reason", string(kind.reason), "count", count.leftOut)
	}
}

// end closes all periods, with the server.
func (r *refusalLog) end() {
	r.mu.Lock()
	kinds := slices.Collect(maps.Keys(r.periods))
	r.mu.Unlock()
	for _, kind := range kinds {
		r.close(kind)
	}
}
