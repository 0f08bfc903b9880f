package simulation

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

var (
	histories = flag.Int("histories", 200, "how many histories to play")
	seed      = flag.Uint64("seed", 0, "the only history to play, or the first if there are several")
	verbose   = flag.Bool("journal", false, "print what happens even if nothing goes wrong")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// isSet reports whether a flag was given.
func isSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

func TestSimulation(t *testing.T) {
	n := *histories
	if isSet("seed") && !isSet("histories") {
		n = 1
	}
	for i := range n {
		s := *seed + uint64(i)
		h := newHistory(s)
		journal, err := simulate(t, h)
		if *verbose {
			t.Log(strings.Join(journal, "\n"))
		}
		if err == nil {
			continue
		}
		t.Errorf("seed %d: %v\n%s\nreplay: go test ./test/simulation -run Simulation -seed=%d",
			s, err, strings.Join(journal, "\n"), s)
		if h, ok := shorten(t, h, err); ok {
			t.Logf("the same without the steps that do not matter:\n%v", h)
		}
		return
	}
}

// simulate plays a history, and returns what happened and what was wrong with it.
func simulate(t *testing.T, h history) (journal []string, err error) {
	var w *world
	defer func() {
		if p := recover(); p != nil { // a goroutine that never ends, among others
			err = fmt.Errorf("%v", p)
		}
		if w != nil {
			journal = w.journal
		}
	}()
	dir, err := os.MkdirTemp("", "simulation")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	synctest.Test(t, func(*testing.T) {
		w = newWorld(h.settings, dir)
		defer w.stop(h.ending)
		for _, s := range h.steps {
			w.take(s)
			if s.together {
				continue
			}
			w.check()
			if w.violated() != nil {
				return
			}
		}
	})
	if w == nil || w.violated() != nil {
		return w.journal, w.violated()
	}
	left := w.memory
	journal, w = w.journal, nil
	return journal, left.left()
}

var digits = regexp.MustCompile("[0-9]+")

// alike reports whether two violations are of one kind.
func alike(a, b error) bool {
	return a != nil && b != nil && digits.ReplaceAllString(a.Error(), "") == digits.ReplaceAllString(b.Error(), "")
}

// shorten leaves out one step after the other for as long as the history fails in
// the same way.
func shorten(t *testing.T, h history, failure error) (history, bool) {
	if _, err := simulate(t, h); !alike(err, failure) {
		return h, false // it was the scheduler's doing as well
	}
	for i := len(h.steps) - 1; i >= 0; i-- {
		less := h
		less.steps = append(append([]step(nil), h.steps[:i]...), h.steps[i+1:]...)
		if _, err := simulate(t, less); alike(err, failure) {
			h = less
		}
	}
	return h, true
}
