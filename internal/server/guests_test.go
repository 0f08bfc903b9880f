package server

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestGuestsTakePlacesAndGiveThemBack(t *testing.T) {
	s := New(Options{Log: slog.New(slog.DiscardHandler), MaxConnections: 2})
	admit := func(want stream.Reason) (leave func()) {
		t.Helper()
		leave, refused := s.Admit()
		if refused != want || (leave == nil) != (want != "") {
			t.Errorf("refused for %q, want %q", refused, want)
		}
		return leave
	}
	first := admit("")
	admit("")
	admit(stream.ReasonFull)
	if err := s.enter(&conn{server: s}); err == nil {
		t.Error("a place for RTMP where guests have them all")
	}
	if n := s.Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	first()
	s.SetShort(true)
	admit(stream.ReasonMemory)
	if n := s.SetShort(false); n != 1 {
		t.Errorf("%d were refused for want of memory, want 1", n)
	}
	first = admit("")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first()
	admit(stream.ReasonShutdown)
}

func TestGuestsNeedNoBoundToCome(t *testing.T) {
	s := New(Options{Log: slog.New(slog.DiscardHandler)})
	for range 10 {
		if _, refused := s.Admit(); refused != "" {
			t.Fatalf("%q without a bound", refused)
		}
	}
}

func TestStepsOfGuestsAreSampledWithTheOthers(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, nil))
	s := New(Options{Log: log})
	for range stepBurst + 50 {
		s.LogStep(log, "play", "player", "channel", "live")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "msg=play channel=live"); n != stepBurst {
		t.Errorf("%d lines, want %d", n, stepBurst)
	}
	if !strings.Contains(text.String(), `msg="lines left out" step=play role=player count=50`) {
		t.Error("the lines that were left out are not counted")
	}
}
