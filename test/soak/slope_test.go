package soak

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// point is a sample: what was measured, and when, in seconds.
type point struct{ at, value float64 }

// slope is the estimate of Theil and Sen: the median of the slopes between all pairs
// of points. Up to 29 in 100 of the points may be anything without spoiling it, which
// is why it is not least squares. Without two moments it is 0.
func slope(points []point) float64 {
	var slopes []float64
	for i, a := range points {
		for _, b := range points[i+1:] {
			if a.at != b.at {
				slopes = append(slopes, (b.value-a.value)/(b.at-a.at))
			}
		}
	}
	return median(slopes)
}

// median is 0 of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[half-1] + sorted[half]) / 2
	}
	return sorted[half]
}

// line is a series of n points, one a second.
func line(n int, value func(i int) float64) []point {
	points := make([]point, n)
	for i := range points {
		points[i] = point{float64(i), value(i)}
	}
	return points
}

func TestSlope(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := func() float64 { return 20 * (random.Float64() - 0.5) }
	for _, tt := range []struct {
		name       string
		points     []point
		want, near float64
	}{
		{"nothing", nil, 0, 0},
		{"one point", line(1, func(int) float64 { return 7 }), 0, 0},
		{"one moment", []point{{3, 1}, {3, 9}}, 0, 0},
		{"flat", line(100, func(int) float64 { return 7 }), 0, 0},
		{"rising", line(100, func(i int) float64 { return 5 + 2*float64(i) }), 2, 1e-9},
		{"falling", line(100, func(i int) float64 { return -0.5 * float64(i) }), -0.5, 1e-9},
		{"out of order", []point{{3, 6}, {1, 2}, {2, 4}}, 2, 1e-9},
		{"flat with noise", line(300, func(int) float64 { return noise() }), 0, 0.02},
		{"rising with noise", line(300, func(i int) float64 { return noise() + 0.1*float64(i) }), 0.1, 0.02},
		{"rising with outliers", line(100, func(i int) float64 {
			if i%5 == 0 {
				return 1e6 * float64(i%7)
			}
			return float64(i)
		}), 1, 0.2},
		{"a peak that passes", line(100, func(i int) float64 {
			if i >= 40 && i < 50 {
				return 1e6
			}
			return 3
		}), 0, 0},
		{"a staircase", line(100, func(i int) float64 { return float64(i / 10 * 10) }), 1, 0.05},
	} {
		if got := slope(tt.points); math.Abs(got-tt.want) > tt.near {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
