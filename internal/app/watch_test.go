package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const watchLimit = 30 * time.Second

// part makes progress as long as nothing is in hold.
type part struct{ hold chan struct{} }

func newPart() *part { return &part{make(chan struct{}, 1)} }

func (p *part) pass() {
	p.hold <- struct{}{}
	<-p.hold
}

func TestTheWatchFindsAStuckPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well, ill := newPart(), newPart()
		w := &watch{limit: watchLimit, probes: []*probe{{part: "well", pass: well.pass}, {part: "ill", pass: ill.pass}}}
		time.AfterFunc(time.Minute, func() { ill.hold <- struct{}{} })
		start := time.Now()
		err := w.guarded(t.Context(), func() error { <-time.After(time.Hour); return nil })
		var stuck *StuckError
		if !errors.As(err, &stuck) || len(stuck.Parts) != 1 || !strings.HasPrefix(stuck.Parts[0], "ill for ") {
			t.Fatalf("the watch ended with %v", err)
		}
		if took := time.Since(start) - time.Minute; took < watchLimit || took > watchLimit+2*watchLimit/watchTicks {
			t.Errorf("it took %v", took)
		}
		if !strings.Contains(string(stuck.Stacks), "(*part).pass") || len(stuck.Stacks) > maxStacks {
			t.Error("the stacks do not show where it is stuck")
		}
		<-ill.hold
		<-time.After(time.Hour)
	})
}

func TestTheWatchIsPatientWithPartsThatGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPart()
		w := &watch{limit: watchLimit, probes: []*probe{{part: "slow", pass: p.pass}}}
		err := w.guarded(t.Context(), func() error {
			for range 10 {
				p.hold <- struct{}{}
				<-time.After(watchLimit - watchLimit/watchTicks)
				<-p.hold
				<-time.After(watchLimit / watchTicks)
			}
			return context.Canceled
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the watch ended with %v", err)
		}
	})
}

// TestTheWatchStartsOverAfterAPause has the process not run for minutes.
func TestTheWatchStartsOverAfterAPause(t *testing.T) {
	p := newPart()
	p.hold <- struct{}{}
	w := &watch{limit: watchLimit, probes: []*probe{{part: "paused", pass: p.pass}}}
	start := time.Now()
	w.look(start, false)
	after := start.Add(5 * time.Minute)
	if stuck := w.look(after, true); stuck != nil {
		t.Errorf("%q stuck right after the pause", stuck)
	}
	if stuck := w.look(after.Add(watchLimit-time.Second), false); stuck != nil {
		t.Errorf("%q stuck before the time is up again", stuck)
	}
	if stuck := w.look(after.Add(watchLimit), false); len(stuck) != 1 {
		t.Errorf("%q stuck, want the part", stuck)
	}
	<-p.hold
	<-w.probes[0].passing
}

func TestNobodyWatchesWithoutALimit(t *testing.T) {
	w := &watch{probes: []*probe{{part: "never", pass: func() { t.Error("it was looked at") }}}}
	if err := w.guarded(t.Context(), func() error { return nil }); err != nil {
		t.Error(err)
	}
}
