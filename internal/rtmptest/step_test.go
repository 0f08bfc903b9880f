package rtmptest

import (
	"testing"
	"time"
)

func TestSteppedMovesTheWallClockOnly(t *testing.T) {
	for _, d := range []time.Duration{time.Hour, -time.Hour, 0} {
		now := time.Now()
		got := Stepped(now, d)
		if wall := got.Round(0).Sub(now.Round(0)); wall != d {
			t.Errorf("the wall clock moved by %v, want %v", wall, d)
		}
		if elapsed := got.Sub(now); elapsed != 0 {
			t.Errorf("the monotonic clock moved by %v", elapsed)
		}
	}
}
