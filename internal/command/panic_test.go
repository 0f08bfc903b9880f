package command

import (
	"log/slog"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/logs"
)

// fragile breaks at one channel.
type fragile struct{ *recorder }

func (f fragile) KillSession(channel string) int {
	if channel == "bad" {
		panic("bug")
	}
	return f.recorder.KillSession(channel)
}

func TestACommandThatPanicsIsTheOnlyOneToFail(t *testing.T) {
	target, panics := fragile{newRecorder()}, logs.NewPanics()
	l := New(Options{Target: target, Log: slog.New(slog.DiscardHandler), Panics: panics})
	l.carryOut(Command{Verb: KillSession, Channel: "bad"})
	l.carryOut(Command{Verb: KillSession, Channel: "good"})
	target.want(t, patience, "kill-session>good")
	if panics.Count() != 1 || l.counters.executed.Load() != 1 {
		t.Errorf("%d panics and %d commands executed, want one of each", panics.Count(), l.counters.executed.Load())
	}
}
