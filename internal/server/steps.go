package server

import "log/slog"

// How many lines the log takes of one step of a session — connect, publish, play,
// unpublish, end — and one role: a crowd that comes together has all of its lines,
// and a flood of sessions, each of which would write three, does not fill the disk.
// Publishers have lines of their own, which no crowd of players takes from them.
const (
	stepBurst = 200
	stepLines = 10 // in samplePeriod, after that
)

// stepLog is what the log takes of sessions.
type stepLog struct {
	log     *slog.Logger
	sampler sampler
}

func newStepLog(log *slog.Logger) *stepLog {
	s := &stepLog{log: log}
	s.sampler = newSampler(s.leftOut)
	return s
}

// write has log, which knows the connection, write a line for a step, unless there
// have been enough.
func (s *stepLog) write(log *slog.Logger, step, role string, attrs ...any) {
	if s.sampler.allow(sampleKind{level: slog.LevelInfo, text: step, role: role}, sampleBounds{stepBurst, stepLines}) {
		log.Info(step, attrs...)
	}
}

func (s *stepLog) leftOut(kind sampleKind, count int) {
	attrs := []any{"step", kind.text}
	if kind.role != "" {
		attrs = append(attrs, "role", kind.role)
	}
	s.log.Info("lines left out", append(attrs, "count", count)...)
}

// end tells of what was left out last, with the server.
func (s *stepLog) end() { s.sampler.end() }
