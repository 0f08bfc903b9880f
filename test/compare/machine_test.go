package main

import "testing"

func TestHeadTellsHowOftenTheCapacityIsSearched(t *testing.T) {
	for n, want := range map[int]string{
		1: "once", 3: "3 times, each search from where the one before ended",
	} {
		if got := times(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
