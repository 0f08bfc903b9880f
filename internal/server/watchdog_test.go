package server

import (
	"testing"
	"time"
)

// TestTimersFireTogetherAndDeadlinesInTime has a timer look on the grid first, and then
// at the very deadline.
func TestTimersFireTogetherAndDeadlinesInTime(t *testing.T) {
	const grid = timerGrid
	for _, c := range []struct{ now, deadline, want time.Duration }{
		{0, 10*grid + 3, 10 * grid},
		{10 * grid, 10*grid + 3, 10*grid + 3},
		{10*grid + 1, 10*grid + 3, 10*grid + 3},
		{10*grid - 1, 10*grid + 3, 10 * grid},
		{1, 10 * grid, 10 * grid},
		{1, 2, 2},
	} {
		if got := onGrid(c.now, c.deadline); got != c.want {
			t.Errorf("at %v, for %v: %v, want %v", c.now, c.deadline, got, c.want)
		}
	}
}
