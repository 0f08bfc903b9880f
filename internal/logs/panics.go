package logs

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// panicPeriod is how often the log tells of panics at the same place. A peer
	// that has found out how to cause one would fill the disk.
	panicPeriod = time.Minute
	// maxPlaces bounds the places that are remembered; there are not that many
	// in the program.
	maxPlaces = 256
	// maxStack and maxValue bound what the log takes of a stack and of the value
	// of the panic, which may quote a peer.
	maxStack = 8 << 10
	maxValue = 256
)

// Panics counts the panics that were caught, and has the log tell of them: of the
// first at each place with its stack, of those that follow once a minute, with
// their number. It may be used from any goroutine.
type Panics struct {
	count atomic.Uint64

	mu     sync.Mutex // guards what follows
	places map[string]*panicPlace
}

// panicPlace is a line of the program where it panicked.
type panicPlace struct {
	logged  time.Time
	leftOut uint64
}

// NewPanics returns one that has not seen any.
func NewPanics() *Panics { return &Panics{places: make(map[string]*panicPlace)} }

// Count returns how many there were.
func (p *Panics) Count() uint64 { return p.count.Load() }

// Caught is to be called by the deferred function that recovered the value.
func (p *Panics) Caught(log *slog.Logger, value any, attrs ...any) {
	p.count.Add(1)
	place := panickedAt()
	first, leftOut, ok := p.sample(place, time.Now())
	if !ok {
		return
	}
	attrs = append(attrs, "value", cut(fmt.Sprint(value), maxValue), "place", place)
	if first {
		attrs = append(attrs, "stack", cut(string(debug.Stack()), maxStack))
	}
	if leftOut > 0 {
		attrs = append(attrs, "left_out", leftOut)
	}
	log.Error("panic", attrs...)
}

// sample reports whether the log should take a panic at a place, whether it is the
// first there, and how many were left out since the last that the log took.
func (p *Panics) sample(place string, now time.Time) (first bool, leftOut uint64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.places[place]
	switch {
	case known == nil && len(p.places) == maxPlaces:
		return false, 0, false
	case known == nil:
		p.places[place] = &panicPlace{logged: now}
		return true, 0, true
	case now.Sub(known.logged) < panicPeriod:
		known.leftOut++
		return false, 0, false
	}
	leftOut, known.leftOut, known.logged = known.leftOut, 0, now
	return false, leftOut, true
}

// panickedAt is the function and line of the program below the panic that is being
// recovered.
func panickedAt() string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	panicked := false
	for {
		frame, more := frames.Next()
		inRuntime := strings.HasPrefix(frame.Function, "runtime.")
		switch {
		case inRuntime:
			panicked = panicked || frame.Function == "runtime.gopanic"
		case panicked:
			return fmt.Sprintf("%s:%d", frame.Function[strings.LastIndexByte(frame.Function, '/')+1:], frame.Line)
		}
		if !more {
			return "unknown"
		}
	}
}

// cut bounds a text of unknown length.
func cut(s string, most int) string {
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
