package main

import (
	"io"
	"slices"
	"testing"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-rounds", "1", "-only", "fanout,tls", "-players", "300,100"}, io.Discard)
	if err != nil || o.rounds != 1 || o.seconds != 20 || !slices.Equal(o.players, []int{100, 300}) {
		t.Fatalf("%+v, %v", o, err)
	}
	if !o.wants(stepFanout) || !o.wants(stepTLS) || o.wants(stepMemory) {
		t.Errorf("wants %v", o.only)
	}
	if o, err = parseOptions(nil, io.Discard); err != nil || !o.wants(stepMemory) || len(o.players) != 4 || o.searches != 3 {
		t.Errorf("by default %+v, %v", o, err)
	}
}

func TestBrokenOptionsAreRefused(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-seconds", "0"}, {"-searches", "0"}, {"-only", "fan"}, {"-players", "x"}, {"-players", "0"}, {"argument"}, {"-unknown"},
	} {
		if o, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%v: %+v", args, o)
		}
	}
}
