package main

import (
	"math"
	"slices"
	"strconv"
)

// spread is what several rounds gave. Without any value all are NaN.
type spread struct{ low, median, high float64 }

func spreadOf(values []float64) spread {
	if len(values) == 0 {
		return spread{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + median) / 2
	}
	return spread{sorted[0], median, sorted[len(sorted)-1]}
}

// known reports whether there was any value.
func (s spread) known() bool { return !math.IsNaN(s.median) }

// String is "min / median / max", or one figure if they look the same.
func (s spread) String() string {
	low, median, high := significant(s.low), significant(s.median), significant(s.high)
	if low == high {
		return median
	}
	return low + " / " + median + " / " + high
}

// significant writes a figure with the three digits that a measurement is good
// for, and a dash for none.
func significant(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "-"
	}
	digits := 0
	if v != 0 {
		digits = max(0, 2-int(math.Floor(math.Log10(math.Abs(v)))))
	}
	return strconv.FormatFloat(v, 'f', min(digits, 4), 64)
}

// selection says which results are meant.
type selection struct {
	step, kase, contender string
	players               int // 0: any
}

func (s selection) matches(r result) bool {
	return r.Step == s.step && r.Case == s.kase && r.Contender == s.contender &&
		(s.players == 0 || r.Players == s.players)
}

// values are the figures of all rounds.
func values(results []result, of selection, f figure) []float64 {
	var all []float64
	for _, r := range results {
		if v, ok := f(r); ok && of.matches(r) {
			all = append(all, v)
		}
	}
	return all
}

// ratios divide figures by those of the same round.
func ratios(results []result, of, by selection, f figure) []float64 {
	return combine(results, f, []selection{of, by}, func(v []float64) float64 { return v[0] / v[1] })
}

// combine makes one figure of several of the same round, for each round that
// has all of them.
func combine(results []result, f figure, of []selection, formula func([]float64) float64) []float64 {
	rounds := map[int][]float64{}
	for _, r := range results {
		for i, s := range of {
			v, ok := f(r)
			if !ok || !s.matches(r) {
				continue
			}
			if rounds[r.Round] == nil {
				rounds[r.Round] = make([]float64, len(of))
			}
			rounds[r.Round][i] = v
		}
	}
	var all []float64
	for _, v := range rounds {
		if !slices.Contains(v, 0) {
			all = append(all, formula(v))
		}
	}
	return all
}
