package server

import (
	"log/slog"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Admit takes a place for a connection that another server of the same process
// serves, as one for HTTP, or reports that there is none. They count like
// connections of RTMP, but are never told to make room: leave, which may be called
// once, gives the place back.
func (s *Server) Admit() (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping || !s.places.admit() {
		return nil, false
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.places.guests--
	}, true
}

// LogRefusal writes a line for a connection that came to nothing, unless there were
// enough for the same reason of late: those of all protocols count together.
func (s *Server) LogRefusal(log *slog.Logger, level slog.Level, reason stream.Reason, message string, attrs ...any) {
	s.refusals.write(log, level, reason, message, attrs...)
}

// admit takes a place for a guest.
func (p *places) admit() bool {
	if p.limit > 0 && len(p.taken)+p.guests >= p.limit {
		return false
	}
	p.guests++
	return true
}
