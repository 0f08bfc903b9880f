package bench

import (
	"strings"
	"testing"
)

func TestLocalPortsAreThoseOfTheRange(t *testing.T) {
	for text, want := range map[string]int{
		"32768\t60999\n": 28_232,
		"1024\t65535\n":  64_512,
		"1 65535":        65_535,
		"5000\t5000\n":   1,
		"":               usualPorts,
		"1024\n":         usualPorts,
		"60999\t32768\n": usualPorts,
		"1024\t65536\n":  usualPorts,
		"a b":            usualPorts,
	} {
		if got := countPorts(text); got != want {
			t.Errorf("%q: %d ports, want %d", text, got, want)
		}
	}
	if n := localPorts(); n < 1 || n > 65_535 {
		t.Errorf("there are %d local ports", n)
	}
}

func TestAWiderRangeOfPortsAllowsMoreConnections(t *testing.T) {
	o := Defaults()
	o.Publishers, o.Players, o.Stalled = 2, 40_000, 3
	if err := o.checkPorts(40_005); err != nil {
		t.Error(err)
	}
	err := o.checkPorts(usualPorts)
	if err == nil || !strings.Contains(err.Error(), "40005 connections") || !strings.Contains(err.Error(), "28232 local ports") {
		t.Errorf("40,005 connections from %d ports: %v", usualPorts, err)
	}
}
