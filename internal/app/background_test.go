package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/logs"
)

func TestAPartThatPanicsIsStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &App{log: slog.New(slog.DiscardHandler), panics: logs.NewPanics()}
		start, runs := time.Now(), 0
		a.keepRunning(t.Context(), func(context.Context) error {
			if runs++; runs < 3 {
				panic("bug")
			}
			return context.Canceled
		})
		if took := time.Since(start); runs != 3 || took != 2*restartPause || a.panics.Count() != 2 {
			t.Errorf("%d runs in %v with %d panics", runs, took, a.panics.Count())
		}
	})
}

func TestAPartThatPanicsIsNotStartedAgainAtTheEnd(t *testing.T) {
	a := &App{log: slog.New(slog.DiscardHandler), panics: logs.NewPanics()}
	ctx, cancel := context.WithCancel(t.Context())
	a.keepRunning(ctx, func(context.Context) error {
		cancel()
		panic("bug")
	})
	if a.panics.Count() != 1 {
		t.Errorf("%d panics, want one", a.panics.Count())
	}
}
