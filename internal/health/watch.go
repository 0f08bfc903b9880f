package health

import (
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// beginAfter is how many looks in a row have to find something wrong before it
	// counts: what is over by the next look is not worth a line.
	beginAfter = 2
	// overAfter is how many looks in a row have to find it right again: what comes
	// and goes is one warning.
	overAfter = 6
)

// Change is a warning that has begun, or is over.
type Change struct {
	Channel string
	Warning
	// Over says that it is over, and After how long it has lasted.
	Over  bool
	After time.Duration
}

// Watch remembers what is wrong with which channel. The zero value is ready. It is
// safe for concurrent use.
type Watch struct {
	mu       sync.Mutex // guards what follows
	channels map[string]*history
}

// history is what was found of one publication.
type history struct {
	started time.Time
	found   [len(checks)]finding
}

// finding is what came of one check.
type finding struct {
	text string // the latest
	// begun is when the warning began, zero as long as it has not.
	begun time.Time
	// against is how many looks in a row have found the contrary of that.
	against int
}

// Look judges all channels, and returns what has changed since the last time. It
// should be called every few seconds. The warnings of a publication end with it: its
// end is news enough.
func (w *Watch) Look(now time.Time, channels []stream.ChannelInfo) []Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := w.channels
	w.channels = make(map[string]*history, len(channels))
	var changes []Change
	for i := range channels {
		c := &channels[i]
		if !c.Live {
			continue
		}
		h := known[c.Name]
		if h == nil || !h.started.Equal(c.Started) {
			h = &history{started: c.Started}
		}
		w.channels[c.Name] = h
		changes = h.note(changes, now, c.Name, newLook(now, c))
	}
	return changes
}

// note appends what has changed for one channel.
func (h *history) note(changes []Change, now time.Time, channel string, l *look) []Change {
	for i, c := range checks {
		f := &h.found[i]
		text := c.check(l)
		if text != "" {
			f.text = text
		}
		begun := !f.begun.IsZero()
		if (text != "") == begun {
			f.against = 0
			continue
		}
		f.against++
		change := Change{Channel: channel, Warning: Warning{c.code, f.text}, Over: begun, After: now.Sub(f.begun)}
		switch {
		case !begun && f.against == beginAfter:
			f.begun, f.against, change.After = now, 0, 0
		case begun && f.against == overAfter:
			f.begun, f.against = time.Time{}, 0
		default:
			continue
		}
		changes = append(changes, change)
	}
	return changes
}

// Counts returns how many channels have each warning at present, also those that none
// has.
func (w *Watch) Counts() map[Code]int {
	counts := make(map[Code]int, len(checks))
	for _, c := range checks {
		counts[c.code] = 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, h := range w.channels {
		for i, c := range checks {
			if !h.found[i].begun.IsZero() {
				counts[c.code]++
			}
		}
	}
	return counts
}

// Warnings returns those of a channel that have begun and are not over, the worst
// first.
func (w *Watch) Warnings(channel string) []Warning {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.channels[channel]
	if h == nil {
		return nil
	}
	var warnings []Warning
	for i, c := range checks {
		if f := &h.found[i]; !f.begun.IsZero() {
			warnings = append(warnings, Warning{c.code, f.text})
		}
	}
	return warnings
}
