package server

import "sync/atomic"

// shortage says whether memory is so short that there is none for new
// connections. Those that there are go on.
type shortage struct {
	present atomic.Bool
	refused atomic.Uint64
}

// turnsAway reports whether a new connection has to go, and counts it then.
func (s *shortage) turnsAway() bool {
	present := s.present.Load()
	if present {
		s.refused.Add(1)
	}
	return present
}

// SetShort has new connections refused at once, or let in again. It returns how
// many were refused since it was last called.
func (s *Server) SetShort(short bool) (refused uint64) {
	s.shortage.present.Store(short)
	return s.shortage.refused.Swap(0)
}
