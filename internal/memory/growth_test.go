package memory

import (
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedLaterWhereThereIsRoom(t *testing.T) {
	const gib = 1024 * mib
	for _, test := range []struct {
		growth      int
		live, limit int64
		want        int
	}{
		{usualGrowth, 10 * mib, 24 * gib, usualGrowth},
		{usualGrowth, growFrom - 1, 24 * gib, usualGrowth},
		{usualGrowth, growFrom, 24 * gib, ampleGrowth},
		{usualGrowth, 200 * mib, 2 * gib, usualGrowth},
		{usualGrowth, 200 * mib, 4 * gib, ampleGrowth},
		{usualGrowth, 200 * mib, 0, usualGrowth},
		{ampleGrowth, growUntil, 24 * gib, ampleGrowth},
		{ampleGrowth, growUntil - 1, 24 * gib, usualGrowth},
		{ampleGrowth, 200 * mib, 2 * gib, ampleGrowth},
		{ampleGrowth, 200 * mib, 1 * gib, usualGrowth},
		{50, 200 * mib, 24 * gib, 50},
		{400, 10 * mib, 24 * gib, 400},
		{-1, 200 * mib, 24 * gib, -1},
	} {
		if got := suitable(test.growth, test.live, test.limit); got != test.want {
			t.Errorf("%d %% with %d MiB live of %d: %d %%, want %d", test.growth, mb(test.live), mb(test.limit), got, test.want)
		}
	}
}

// The growth follows the heap, and is told to the runtime when it changes.
func TestTheGrowthFollowsTheHeap(t *testing.T) {
	p := &process{caches: []int64{300 * mib}}
	w := p.watch(0)
	w.options.Limit.Heap = 24 << 30
	for _, step := range []struct {
		caches []int64
		want   int
	}{
		{[]int64{300 * mib}, 1},
		{[]int64{250 * mib}, 1},
		{[]int64{10 * mib}, 2},
		{nil, 2},
	} {
		p.caches = step.caches
		w.look(after(0))
		if p.grown != step.want {
			t.Errorf("with caches of %v the growth was set %d times, want %d", step.caches, p.grown, step.want)
		}
	}
}

func TestTheMeterSetsTheGrowthOfTheRuntime(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(usualGrowth))
	m := newMeter(nil)
	m.grow(ampleGrowth)
	if got := m.growth(); got != ampleGrowth {
		t.Errorf("the growth is %d %%, want %d", got, ampleGrowth)
	}
	m.grow(-1)
	if got := m.growth(); got != -1 {
		t.Errorf("without collections the growth is %d", got)
	}
}
