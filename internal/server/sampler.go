package server

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// samplePeriod is how often more lines are granted, and how often the log tells how
// many were left out.
const samplePeriod = time.Second

// sampler decides which lines of a kind the log takes, if there are too many of
// them. The others are counted, and the count is reported once a period.
type sampler struct {
	report func(kind sampleKind, leftOut int)

	mu    sync.Mutex // guards what follows, but no writing
	kinds map[sampleKind]*sample
}

// sampleKind is what lines have in common. There are few kinds: none of it is from
// a peer.
type sampleKind struct {
	level slog.Level
	// text says what it is about, and role whose it is, if that matters.
	text, role string
}

// sampleBounds are how many lines of a kind may come at once, and how many in each
// period after that.
type sampleBounds struct{ burst, each int }

// sample is of one kind, since the first of its lines and until it has all of its
// burst again.
type sample struct {
	bounds        sampleBounds
	tick          *time.Timer
	used, leftOut int
}

func newSampler(report func(kind sampleKind, leftOut int)) sampler {
	return sampler{report: report, kinds: make(map[sampleKind]*sample)}
}

// allow reports whether the log takes one more line.
func (s *sampler) allow(kind sampleKind, bounds sampleBounds) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.kinds[kind]
	if lines == nil {
		lines = &sample{bounds: bounds}
		lines.tick = time.AfterFunc(samplePeriod, func() { s.tick(kind, lines) })
		s.kinds[kind] = lines
	}
	if lines.used == bounds.burst {
		lines.leftOut++
		return false
	}
	lines.used++
	return true
}

// tick ends a period.
func (s *sampler) tick(kind sampleKind, lines *sample) {
	s.mu.Lock()
	if s.kinds[kind] != lines {
		s.mu.Unlock()
		return
	}
	leftOut := lines.leftOut
	lines.leftOut = 0
	if lines.used -= lines.bounds.each; lines.used > 0 {
		lines.tick.Reset(samplePeriod)
	} else {
		delete(s.kinds, kind)
	}
	s.mu.Unlock()
	if leftOut > 0 {
		s.report(kind, leftOut)
	}
}

// end reports what was not reported yet, with the end of the server.
func (s *sampler) end() {
	s.mu.Lock()
	kinds := maps.Clone(s.kinds)
	clear(s.kinds)
	s.mu.Unlock()
	order := func(a, b sampleKind) int {
		return strings.Compare(a.text+a.role, b.text+b.role)
	}
	for _, kind := range slices.SortedFunc(maps.Keys(kinds), order) {
		lines := kinds[kind]
		lines.tick.Stop()
		if lines.leftOut > 0 {
			s.report(kind, lines.leftOut)
		}
	}
}
