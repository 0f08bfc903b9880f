package soak

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

const (
	// warmUp is the part of the time after which things count: caches fill and the
	// runtime finds its size.
	warmUp = 0.2
	// growthAllowed is the part of its median that something may grow by. It is what
	// is left of chance, since nothing should grow at all.
	growthAllowed = 0.05
	// judgedFrom is the shortest soak whose slopes say anything.
	judgedFrom = 2 * time.Minute
)

// measure is something that may not grow.
type measure struct {
	name, unit string
	// floor is what it may grow by however small it is.
	floor  float64
	points []point
}

// growth is what became of a measure.
type growth struct {
	median, rise, allowed, most float64
}

func (g growth) flat() bool { return g.rise <= g.allowed }

// growth judges the points after the warm-up.
func (m *measure) growth() growth {
	if len(m.points) == 0 {
		return growth{}
	}
	first, last := m.points[0].at, m.points[len(m.points)-1].at
	begin := first + warmUp*(last-first)
	var counted []point
	var values []float64
	var g growth
	for _, p := range m.points {
		g.most = max(g.most, p.value)
		if p.at >= begin {
			counted, values = append(counted, p), append(values, p.value)
		}
	}
	g.median = median(values)
	g.rise = slope(counted) * (last - begin)
	g.allowed = growthAllowed*g.median + m.floor
	return g
}

func (g growth) row(m *measure) string {
	return fmt.Sprintf("| %s | %.1f%s | %.1f%s | %+.2f%s | %.2f%s |",
		m.name, g.median, m.unit, g.most, m.unit, g.rise, m.unit, g.allowed, m.unit)
}

// A leak that is small against the noise is found, and noise alone is not one.
func TestLeaksAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	noise := func() float64 { return 40 * (random.Float64() - 0.5) }
	for _, tt := range []struct {
		name   string
		points []point
		flat   bool
	}{
		{"noise", line(900, func(int) float64 { return 250 + noise() }), true},
		{"a warm-up", line(900, func(i int) float64 { return 250 + noise() - float64(max(0, 180-i)) }), true},
		{"a peak", line(900, func(i int) float64 {
			if i > 600 && i < 660 {
				return 900
			}
			return 250 + noise()
		}), true},
		{"a wave", line(900, func(i int) float64 { return 250 + 30*float64(i/30%2) + noise() }), true},
		{"shrinking", line(900, func(i int) float64 { return 250 - float64(i)/20 + noise() }), true},
		{"one descriptor in 20 s", line(900, func(i int) float64 { return 250 + float64(i/20) + noise() }), false},
		{"a step each minute", line(900, func(i int) float64 { return 250 + float64(i/60*4) + noise() }), false},
	} {
		m := measure{name: tt.name, floor: 5, points: tt.points}
		if g := m.growth(); g.flat() != tt.flat {
			t.Errorf("%s: a rise of %.1f where %.1f is allowed", tt.name, g.rise, g.allowed)
		}
	}
}
