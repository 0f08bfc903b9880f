package httpflv

import "github.com/AgustinSRG/rtmp-server/internal/stream"

// Stragglers returns the viewers who are behind, in no order. Media never waits for it.
func (s *Server) Stragglers() []stream.Straggler {
	var list []stream.Straggler
	for _, v := range s.open() {
		if one, ok := v.place.Straggler(v.subscription.Log(), v.endBehind); ok {
			list = append(list, one)
		}
	}
	return list
}

// endBehind ends a viewer that is behind, unless what it holds is about to be freed.
func (v *viewer) endBehind() bool {
	if !v.end(stream.ReasonBehind) {
		return false
	}
	// It would hold all that until it has read a goodbye.
	v.cut()
	return true
}
