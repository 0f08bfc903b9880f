package logs

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func panicHere(p *Panics, log *slog.Logger, value any) {
	defer func() { p.Caught(log, recover(), "channel", "live") }()
	panic(value)
}

func panicThere(p *Panics, log *slog.Logger) (n int) {
	defer func() { p.Caught(log, recover()) }()
	var none []int
	return none[n]
}

func TestAPanicIsToldOnceForEachPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		log := slog.New(Text.handler(&out, slog.LevelInfo))
		p := NewPanics()
		for range 5 {
			panicHere(p, log, strings.Repeat("x", 2*maxValue))
		}
		panicThere(p, log)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || p.Count() != 6 {
			t.Fatalf("%d panics, %d lines: %q", p.Count(), len(lines), lines)
		}
		for i, want := range []string{"logs.panicHere:", "logs.panicThere:"} {
			if !strings.Contains(lines[i], "level=ERROR msg=panic ") || !strings.Contains(lines[i], "place="+want) ||
				!strings.Contains(lines[i], "stack=") || len(lines[i]) > 2*maxStack {
				t.Errorf("line %d does not tell of %s: %q", i, want, lines[i])
			}
		}
		if !strings.Contains(lines[0], "channel=live") || strings.Contains(lines[0], strings.Repeat("x", maxValue+1)) {
			t.Errorf("the line is %q", lines[0])
		}
	})
}

func TestPanicsAtTheSamePlaceAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out output
		log := slog.New(Text.handler(&out, slog.LevelInfo))
		p := NewPanics()
		for range 3 {
			panicHere(p, log, "x")
		}
		pass(panicPeriod)
		panicHere(p, log, "x")
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 2 || !strings.Contains(lines[1], "left_out=2") || strings.Contains(lines[1], "stack=") {
			t.Errorf("the log is %q", lines)
		}
	})
}

func TestThePlacesOfPanicsAreBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPanics()
		for i := range 2 * maxPlaces {
			p.sample(fmt.Sprint(i), now())
		}
		if len(p.places) != maxPlaces {
			t.Errorf("%d places are remembered", len(p.places))
		}
	})
}
