package command

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestJournalLimitsTheLinesOfEachText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newLines()
		j := newJournal(log.logger())
		for range 1000 {
			j.write(slog.LevelWarn, "flood")
			j.write(slog.LevelInfo, "other")
		}
		if n := log.count("flood"); n != maxLines {
			t.Errorf("%d lines in the first second, want %d", n, maxLines)
		}
		pass(time.Second)
		for range 12 {
			j.write(slog.LevelWarn, "flood", "n", 1)
		}
		if n := log.count("flood"); n != 2*maxLines {
			t.Errorf("%d lines in two seconds, want %d", n, 2*maxLines)
		}
		if n := log.count("msg=flood n=1 omitted_lines=990\n"); n != 1 {
			t.Errorf("the first line of a second tells %d times what the last one left out", n)
		}
		for range 2 {
			j.flush()
		}
		if log.count("level=WARN msg=flood omitted_lines=2\n") != 1 || log.count("level=INFO msg=other omitted_lines=990\n") != 1 {
			t.Errorf("flush does not tell once for each text what is left:\n%s", log.all())
		}
	})
}

func TestExcerptsAreCutAndQuoted(t *testing.T) {
	log := newLines()
	log.logger().Info("x", "message", excerpt("a\n\x1b[2J\xff msg=forged "+strings.Repeat("y", 5000)))
	line := log.all()
	if len(line) > 300 || strings.Count(line, "\n") != 1 || strings.ContainsRune(line, 0x1b) || !utf8.ValidString(line) || !strings.Contains(line, `"a\n`) {
		t.Errorf("the line is %q", line)
	}
}

func TestPausesDoubleWithinTheirBounds(t *testing.T) {
	b := backoff{least: 100 * time.Millisecond, most: 10 * time.Second}
	for range 3 {
		longest := b.least
		for range 12 {
			if p := b.pause(); p < longest/2 || p > longest {
				t.Fatalf("a pause of %v, want %v to %v", p, longest/2, longest)
			}
			longest = min(2*longest, b.most)
		}
		b.reset()
	}
	b = backoff{least: 0, most: 0}
	if p := b.pause(); p != 0 {
		t.Errorf("a pause of %v", p)
	}
}
