package server

import (
	"cmp"
	"slices"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// incomplete is the memory that all connections share for incomplete messages.
type incomplete struct {
	budget *rtmp.Budget // nil if it is not bounded
	// closing is held by whoever closes connections to free some.
	closing sync.Mutex
}

// holding is what one connection holds of it.
type holding struct {
	c     *conn
	bytes int64
	since uint64
}

// Incomplete returns how much memory, in bytes, incomplete messages take of
// [Options.MaxIncomplete].
func (s *Server) Incomplete() int64 {
	if s.incomplete.budget == nil {
		return 0
	}
	return s.incomplete.budget.Taken()
}

// closeOldest ends connections when the memory for incomplete messages is spent, those
// first whose messages were begun the longest time ago: encoders end theirs within
// moments, and who holds memory to do harm never does. It neither blocks nor waits.
func (s *Server) closeOldest() {
	if !s.incomplete.closing.TryLock() {
		return // who holds it sees to it
	}
	defer s.incomplete.closing.Unlock()
	var holdings []holding
	due := s.incomplete.budget.Overdrawn()
	for _, c := range s.open() {
		reader := c.holding.Load()
		if reader == nil {
			continue
		}
		bytes, since := reader.Budgeted()
		switch {
		case bytes == 0:
		case c.ended():
			due -= bytes // is about to be given back
		default:
			holdings = append(holdings, holding{c, bytes, since})
		}
	}
	// One without a turn is about to get it: it is the youngest.
	slices.SortFunc(holdings, func(a, b holding) int { return cmp.Compare(a.since-1, b.since-1) })
	for _, h := range holdings {
		if due <= 0 {
			return
		}
		h.c.end(ReasonBudget, nil)
		due -= h.bytes
	}
}
