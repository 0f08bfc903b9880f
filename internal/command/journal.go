package command

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxLines is how many log lines of one text are written in a second. It
	// stops a flood of messages from becoming a flood of lines.
	maxLines = 10
	// maxExcerpt is how much of a text from Redis goes into the log, in bytes.
	maxExcerpt = 128
)

// journal writes the log, within limits for each text. A line that follows
// others that were left out says how many they were.
type journal struct {
	log *slog.Logger

	mu    sync.Mutex
	texts map[string]*second // keyed by constants of this package
}

// second is the present second of a text.
type second struct {
	level   slog.Level
	start   time.Time
	written int
	omitted int
}

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, texts: make(map[string]*second)}
}

// write logs a line if the limit of its text allows it.
func (j *journal) write(level slog.Level, text string, args ...any) {
	omitted, ok := j.admit(level, text)
	if !ok {
		return
	}
	if omitted > 0 {
		args = append(args, "omitted_lines", omitted)
	}
	j.log.Log(context.Background(), level, text, args...)
}

// admit counts a line, and returns whether it may be written and how many
// before it were not.
func (j *journal) admit(level slog.Level, text string) (omitted int, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.texts[text]
	if s == nil {
		s = &second{level: level}
		j.texts[text] = s
	}
	if now := time.Now(); now.Sub(s.start) >= time.Second {
		omitted = s.omitted
		s.start, s.written, s.omitted = now, 0, 0
	}
	if s.written == maxLines {
		s.omitted++
		return 0, false
	}
	s.written++
	return omitted, true
}

// flush tells what was left out of texts that have had no line since.
func (j *journal) flush() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for text, s := range j.texts {
		if s.omitted > 0 {
			j.log.Log(context.Background(), s.level, text, "omitted_lines", s.omitted)
			s.omitted = 0
		}
	}
}

// excerpt is a text from Redis that is cut when it is logged. The handler of
// the log quotes it.
type excerpt string

// LogValue implements [slog.LogValuer].
func (e excerpt) LogValue() slog.Value {
	if len(e) > maxExcerpt {
		return slog.StringValue(string(e[:maxExcerpt]) + "…")
	}
	return slog.StringValue(string(e))
}
