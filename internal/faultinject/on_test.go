//go:build faultinject

package faultinject

import (
	"reflect"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func panics(point Point, channel string) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	At(point, channel)
	return false
}

func TestFaultsComeWhenTheyAreDue(t *testing.T) {
	faults.wanted = parse("read@live:2, gather")
	var got []bool
	for _, pass := range []struct {
		point   Point
		channel string
	}{{Read, "other"}, {Read, "live"}, {Append, "live"}, {Read, "live"}, {Read, "live"}, {Gather, ""}, {Gather, ""}} {
		got = append(got, panics(pass.point, pass.channel))
	}
	if want := []bool{false, false, false, true, false, true, false}; !reflect.DeepEqual(got, want) {
		t.Errorf("panics were %v, want %v", got, want)
	}
}

func TestParse(t *testing.T) {
	got := parse("block-registry@live:3")
	if want := []*fault{{Registry, "live", true, 3}}; !reflect.DeepEqual(got, want) {
		t.Errorf("parsed %+v", got[0])
	}
}
