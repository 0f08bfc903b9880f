package memory

import "testing"

func TestPressureDecides(t *testing.T) {
	type step struct {
		all, live float64
		collected bool
		want      verdict
	}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"room", []step{{0.1, 0.1, false, goOn}, {0.9, 0.85, false, goOn}, {0.85, 0.85, true, goOn}}},
		{"garbage is no shortage", []step{{0.95, 0.5, false, collect}, {0.5, 0.5, true, goOn}}},
		{"what a collection leaves is", []step{{0.95, 0.5, false, collect}, {0.94, 0.94, true, refuse}, {0.94, 0.9, false, collect}}},
		{"what the last one left is at once", []step{{0.95, 0.91, false, refuse}}},
		{"refusing helps", []step{{0.95, 0.91, false, refuse}, {0.85, 0.85, true, goOn}, {0.79, 0.5, false, calm}, {0.79, 0.5, false, goOn}}},
		{
			"it does not", []step{
				{0.95, 0.91, false, refuse}, {0.95, 0.94, true, shed}, {0.95, 0.94, false, collect},
				{0.95, 0.94, true, shed}, {0.75, 0.75, true, calm}, {0.85, 0.85, false, goOn},
			},
		},
		{"between the marks it stays", []step{{0.95, 0.91, false, refuse}, {0.89, 0.5, false, collect}, {0.8, 0.8, true, goOn}}},
	} {
		var p pressure
		for i, s := range test.steps {
			if got := p.decide(s.all, s.live, s.collected); got != s.want {
				t.Errorf("%s: step %d is %d, want %d", test.name, i, got, s.want)
			}
		}
	}
}

func TestTheFullestOfBothCounts(t *testing.T) {
	alone := Limit{Heap: 1000}
	both := Limit{Heap: 1000, cgroup: &cgroup{limit: 2000}}
	for _, test := range []struct {
		limit     Limit
		r         reading
		all, live float64
		excess    int64
	}{
		{Limit{}, reading{heap: 5000, group: 5000}, 0, 0, 5000},
		{alone, reading{heap: 900, garbage: 400, group: 9999}, 0.9, 0.5, 100},
		{both, reading{heap: 900, garbage: 400, group: 1000}, 0.9, 0.5, 100},
		{both, reading{heap: 900, garbage: 400, group: 1900}, 0.95, 0.75, 300},
		{both, reading{heap: 100, group: 100}, 0.1, 0.1, 0},
	} {
		if all, live := test.limit.full(test.r); all != test.all || live != test.live {
			t.Errorf("%+v: %v and %v full, want %v and %v", test.r, all, live, test.all, test.live)
		}
		if got := test.limit.excess(test.r); got != test.excess {
			t.Errorf("%+v: %d too much, want %d", test.r, got, test.excess)
		}
	}
}
