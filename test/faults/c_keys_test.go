package faults

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// guess has a client play a channel with a key, and returns what it is told and how
// long that took.
func (f *fault) guess(from int, channel, key string) (told string, took time.Duration, err error) {
	a, err := f.line(from, channel)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = a.Conn.Close() }()
	start := time.Now()
	err = a.Play(a.Stream, key)
	took = time.Since(start)
	var refused *rtmp.StatusError
	switch {
	case err == nil:
		return "", took, nil
	case errors.As(err, &refused):
		return fmt.Sprint(refused.Status), took, nil
	default:
		return "", took, err
	}
}

// C12: keys are compared in constant time; this tries what an attacker would
// measure, whether one wrong key looks more like the right one than another.
func TestWrongKeysAreAllTheSame(t *testing.T) {
	t.Parallel()
	f := begin(t, "C12", "KEY_GUESSES_PER_MINUTE=0")
	owner, err := f.attack(1, asNewcomer)
	if err != nil {
		f.Fatal(err)
	}
	const right = "0123456789abcdef0123456789abcdef"
	if err := owner.Start("guarded", right, (*rtmp.Client).Publish); err != nil {
		f.Fatal(err)
	}
	wrong := map[string]string{
		"another":        strings.Repeat("x", len(right)),
		"all but one":    right[:len(right)-1] + "x",
		"a prefix":       right[:16],
		"one more":       right + "0",
		"one letter":     "0",
		"of other cases": strings.ToUpper(right),
	}
	var kinds []string
	for kind := range wrong {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	times := make(map[string][]float64)
	answers := make(map[string]string)
	n := f.scale(60, 1000)
	for range n {
		rand.Shuffle(len(kinds), func(i, k int) { kinds[i], kinds[k] = kinds[k], kinds[i] })
		for _, kind := range kinds {
			told, took, err := f.guess(2, "guarded", wrong[kind])
			if err != nil || told == "" {
				f.Fatalf("%s: %v", kind, err)
			}
			answers[told] = kind
			times[kind] = append(times[kind], took.Seconds())
		}
	}
	f.figure("tries of each", n)
	if len(answers) != 1 {
		f.Errorf("wrong keys are told apart: %v", answers)
	}
	worst := 0.0
	for _, kind := range kinds[1:] {
		worst = max(worst, math.Abs(welch(times[kinds[0]], times[kind])))
	}
	f.figure("largest t", fmt.Sprintf("%.1f", worst))
	if worst > 4.5 {
		f.Errorf("wrong keys take different times: t = %.1f", worst)
	}
	if told, _, err := f.guess(3, "guarded", right); err != nil || told != "" {
		f.Errorf("the right key: %q, %v", told, err)
	}
	for _, key := range []string{"", "\x00", right + "\x00", right + " "} {
		if told, _, err := f.guess(3, "guarded", key); err != nil || told == "" {
			f.Errorf("%q: %v", key, err)
		} else if absent, _, err := f.guess(3, "absent", key); err != nil || absent != told {
			f.Errorf("%q is answered with %q, and with %q where no channel is", key, told, absent)
		}
	}
}

// welch compares the means of two samples, without the tenth of each that took
// longest: the machine was busy then.
func welch(a, b []float64) float64 {
	mean := func(list []float64) (mean, variance float64) {
		list = slices.Sorted(slices.Values(list))
		list = list[:len(list)-len(list)/10]
		for _, x := range list {
			mean += x / float64(len(list))
		}
		for _, x := range list {
			variance += (x - mean) * (x - mean) / float64(len(list)-1)
		}
		return mean, variance / float64(len(list))
	}
	ma, va := mean(a)
	mb, vb := mean(b)
	return (ma - mb) / math.Sqrt(va+vb)
}

// C13: internal/server has publishers, and internal/access the exact rate.
func TestGuessingKeys(t *testing.T) {
	t.Parallel()
	f := begin(t, "C13")
	const granted = 10
	n := f.scale(150, 10_000)
	const guesser = 5
	start := time.Now()
	answers := make(map[string]int)
	for i := range n {
		told, _, err := f.guess(guesser, stage.CanaryChannel, fmt.Sprint("guess", i))
		if err != nil || told == "" {
			f.Fatalf("guess %d: %q, %v", i, told, err)
		}
		answers[told]++
	}
	took := time.Since(start)
	f.figure("guesses", n)
	f.figure("guesses a second", int(float64(n)/took.Seconds()))
	looked := f.ended("wrong key")
	f.figure("looked at", looked)
	if most := granted + 1 + int(took.Minutes()*granted); looked < granted || looked > most {
		f.Errorf("%d guesses were looked at, want %d", looked, most)
	}
	f.wantEnded("too many wrong keys from this address", n-looked)
	if len(answers) != 1 {
		f.Errorf("guesses that are not looked at are told apart: %v", answers)
	}
	if told, _, err := f.guess(guesser, stage.CanaryChannel, "key"); err == nil && told == "" && time.Since(start) < 4*time.Second {
		f.Error("the right key is found at last")
	}
	if told, _, err := f.guess(guesser+1, stage.CanaryChannel, "key"); err != nil || told != "" {
		f.Errorf("another address may not play: %q, %v", told, err)
	}
	f.joinsAtOnce()
}
