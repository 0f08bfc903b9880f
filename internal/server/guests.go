package server

import (
	"log/slog"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Admit takes a place for a connection that another server of the same process
// serves, as one for HTTP, or says why there is none. They count like connections
// of RTMP, but are never told to make room: their server bounds its newcomers itself,
// to as many as [Newcomers] says. leave, which is called once, gives the place back.
// It is nil if the connection is refused.
func (s *Server) Admit() (leave func(), refused stream.Reason) {
	if s.shortage.turnsAway() {
		return nil, stream.ReasonMemory
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return nil, stream.ReasonShutdown
	case !s.places.admit():
		return nil, stream.ReasonFull
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.places.guests--
	}, ""
}

// LogRefusal writes a line for a connection that came to nothing, unless there were
// enough for the same reason of late: those of all protocols count together.
func (s *Server) LogRefusal(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any) {
	s.refusals.write(log, level, reason, message, attrs...)
}

// LogStep writes a line for a step of a session, unless there were enough of it of
// late for the same role: those of all protocols count together.
func (s *Server) LogStep(log *slog.Logger, step, role string, attrs ...any) {
	s.steps.write(log, step, role, attrs...)
}

// admit takes a place for a guest.
func (p *places) admit() bool {
	if p.limit > 0 && len(p.taken)+p.guests >= p.limit {
		return false
	}
	p.guests++
	return true
}
