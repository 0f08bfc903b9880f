package main

import (
	"errors"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

func TestSearchComesNearTheLimit(t *testing.T) {
	for _, start := range []int{10, 200, 919, 920, 3000, mostPlayers} {
		for _, limit := range []int{60, 919, 7453} {
			tries := 0
			got, err := search(start, mostPlayers, func(players int) (bool, error) {
				tries++
				return players <= limit, nil
			})
			if err != nil || got > limit || float64(got) < (1-searchError)*float64(limit)-1 {
				t.Errorf("from %d with a limit of %d: %d, %v", start, limit, got, err)
			}
			if tries > 40 {
				t.Errorf("from %d with a limit of %d: %d tries", start, limit, tries)
			}
		}
	}
}

func TestSearchEnds(t *testing.T) {
	if got, err := search(100, mostPlayers, func(int) (bool, error) { return false, nil }); got != 0 || err != nil {
		t.Errorf("of a server that carries nothing: %d, %v", got, err)
	}
	got, err := search(100, mostPlayers, func(int) (bool, error) { return true, nil })
	if got != mostPlayers || err != nil {
		t.Errorf("of a server that carries everything: %d, %v", got, err)
	}
	broken := errors.New("interrupted")
	if _, err := search(100, mostPlayers, func(int) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("after an error: %v", err)
	}
}

func TestSearchNeverGoesBeyondItsLimit(t *testing.T) {
	for _, limit := range []int{fewestPlayers, 100, 3596, 9499} {
		for _, carried := range []int{limit / 2, limit, 2 * limit} {
			got, err := search(9500, limit, func(players int) (bool, error) {
				if players > limit {
					t.Errorf("%d players are tried, with a limit of %d", players, limit)
				}
				return players <= carried, nil
			})
			if err != nil || (carried >= limit && got != limit) || got > carried {
				t.Errorf("%d of %d are carried: %d, %v", carried, limit, got, err)
			}
		}
	}
}

func TestSearchWithALimitBelowTheFewestTriesNothing(t *testing.T) {
	for _, limit := range []int{-244, 0, fewestPlayers - 1} {
		got, err := search(9500, limit, func(players int) (bool, error) {
			t.Errorf("%d players are tried, with a limit of %d", players, limit)
			return true, nil
		})
		if got != 0 || err != nil {
			t.Errorf("with a limit of %d: %d, %v", limit, got, err)
		}
	}
}

func TestSearchEndsBetweenNeighbours(t *testing.T) {
	for start := fewestPlayers; start < 40; start++ {
		for carried := fewestPlayers; carried < 20; carried++ {
			tries := 0
			got, err := search(start, mostPlayers, func(players int) (bool, error) {
				if tries++; tries > 40 {
					return false, errors.New("no end")
				}
				return players <= carried, nil
			})
			// Going down may step over the fewest that are tried.
			if err != nil || (got != 0 && got != carried) {
				t.Errorf("from %d where %d are carried: %d, %v", start, carried, got, err)
			}
		}
	}
}

func TestSearchFromWhereTheLastOneEndedNeedsFewTries(t *testing.T) {
	for _, carried := range []int{60, 919, 2854, 7453, 19126} {
		last, err := search(1200, mostPlayers, func(players int) (bool, error) { return players <= carried, nil })
		if err != nil {
			t.Fatal(err)
		}
		// The server may have become a little better or worse meanwhile.
		for now, most := range map[int]int{carried: 3, carried * 21 / 20: 5, carried * 19 / 20: 5, carried * 5 / 4: 6, carried * 3 / 4: 6} {
			tries := 0
			got, err := search(last, mostPlayers, func(players int) (bool, error) { tries++; return players <= now, nil })
			if err != nil || got > now || float64(got) < (1-searchError)*float64(now)-1 {
				t.Errorf("from %d where %d are carried: %d, %v", last, now, got, err)
			}
			if tries > most {
				t.Errorf("from %d where %d are carried: %d tries, want %d at most", last, now, tries, most)
			}
		}
	}
}

func TestSearchFromItsLimitEndsAtOnceIfThatIsCarried(t *testing.T) {
	tries := 0
	got, err := search(3596, 3596, func(int) (bool, error) { tries++; return true, nil })
	if got != 3596 || tries != 1 || err != nil {
		t.Errorf("%d after %d tries, %v", got, tries, err)
	}
}

func TestCarriedMeansThatEverybodyWasServed(t *testing.T) {
	number := func(v float64) *float64 { return &v }
	good := func() *bench.Report {
		return &bench.Report{
			Delivered: number(0.985), Lag: &bench.Latency{P99: 1400},
			LagFirst: number(100), LagLast: number(300),
		}
	}
	if !carried(good()) {
		t.Error("a good run is refused")
	}
	if carried(nil) {
		t.Error("a run without a report is accepted")
	}
	for name, spoil := range map[string]func(*bench.Report){
		"a player that could not join": func(r *bench.Report) { r.Failed = 1 },
		"a player that was dropped":    func(r *bench.Report) { r.Ended = 1 },
		"little that arrives":          func(r *bench.Report) { r.Delivered = number(0.984) },
		"nothing delivered":            func(r *bench.Report) { r.Delivered = nil },
		"lag that grows":               func(r *bench.Report) { r.LagLast = number(301) },
		"a long lag":                   func(r *bench.Report) { r.Lag.P99 = 1500 },
		"no lag":                       func(r *bench.Report) { r.Lag = nil },
		"no lag at the end":            func(r *bench.Report) { r.LagLast = nil },
	} {
		r := good()
		spoil(r)
		if carried(r) {
			t.Errorf("%s is accepted", name)
		}
	}
}
