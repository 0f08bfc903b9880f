package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"
)

// TestLinesShowWhatTerminalsObey has peers say what a terminal would carry out.
func TestLinesShowWhatTerminalsObey(t *testing.T) {
	for _, format := range []Format{Text, JSON} {
		for _, said := range []string{
			"plain", "größer 漢字 😀", "\x1b[2J", "\x7f", "\u009b2J", "\u0085next", "\u202ebackwards", "\u2028", "\U000e0001tag", "a\nb\x00",
		} {
			var out bytes.Buffer
			slog.New(format.handler(&out, slog.LevelInfo)).Info("hello", "said", said)
			line, ended := strings.CutSuffix(out.String(), "\n")
			if !ended || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", format, out.String())
			}
			if format != JSON {
				continue
			}
			var record struct{ Said string }
			if err := json.Unmarshal([]byte(line), &record); err != nil || record.Said != said {
				t.Errorf("%q became %q: %v", said, record.Said, err)
			}
		}
	}
}

// broken takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken") }

func TestVisibleTellsOfABrokenOutput(t *testing.T) {
	for _, line := range []string{"plain", "\u009b"} {
		if n, err := (visible{broken{}}).Write([]byte(line)); n != 0 || err == nil {
			t.Errorf("%q: wrote %d bytes, %v", line, n, err)
		}
	}
}
