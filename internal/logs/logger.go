package logs

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"time"
)

// Format is the form of the lines.
type Format string

// The formats, both of visible characters alone.
const (
	Text Format = "text" // name=value pairs, as slog.TextHandler writes them
	JSON Format = "json" // one object a line, as slog.JSONHandler writes it
)

// handler returns what makes lines of a format. Text is the default.
func (f Format) handler(w io.Writer, level slog.Leveler) slog.Handler {
	options := &slog.HandlerOptions{Level: level}
	if f == JSON {
		return slog.NewJSONHandler(visible{w}, options)
	}
	return slog.NewTextHandler(visible{w}, options)
}

// New returns a logger whose lines of at least the given level go to out through
// the queue, which the caller closes at the end.
func New(out io.Writer, format Format, level slog.Leveler) (*slog.Logger, *Queue) {
	queue := NewQueue(out, format.lossLine)
	return slog.New(format.handler(queue, level)), queue
}

// lossLine is what the log says of lines that are missing from it.
func (f Format) lossLine(lost uint64) []byte {
	var line bytes.Buffer
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines lost, the output did not take them", 0)
	r.AddAttrs(slog.Uint64("lines", lost))
	_ = f.handler(&line, slog.LevelWarn).Handle(context.Background(), r) // a buffer takes everything
	return line.Bytes()
}
