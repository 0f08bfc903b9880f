package server

import (
	"log/slog"
	"testing"
)

func TestGuestsTakePlacesAndGiveThemBack(t *testing.T) {
	s := New(Options{Log: slog.New(slog.DiscardHandler), MaxConnections: 2})
	first, ok := s.Admit()
	if !ok {
		t.Fatal("no place for the first")
	}
	if _, ok = s.Admit(); !ok {
		t.Fatal("no place for the second")
	}
	if _, ok = s.Admit(); ok {
		t.Error("a place for the third of two")
	}
	if err := s.enter(&conn{server: s}); err == nil {
		t.Error("a place for RTMP where guests have them all")
	}
	if n := s.Connections(); n != 2 {
		t.Errorf("%d connections, want 2", n)
	}
	first()
	if _, ok = s.Admit(); !ok {
		t.Error("no place although one left")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	first()
	if _, ok = s.Admit(); ok {
		t.Error("a place in a server that stops")
	}
}

func TestGuestsNeedNoBoundToCome(t *testing.T) {
	s := New(Options{Log: slog.New(slog.DiscardHandler)})
	for range 10 {
		if _, ok := s.Admit(); !ok {
			t.Fatal("no place without a bound")
		}
	}
}
