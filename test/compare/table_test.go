package main

import (
	"maps"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

func TestTableIsMarkdown(t *testing.T) {
	tb := &table{title: "Title", note: "A note.", columns: []string{"a", "b"}}
	tb.add("1", "2")
	want := "### Title\n\nA note.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
	if got := tb.String(); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestFanoutTableHasARowForEachLoadAndServer(t *testing.T) {
	results := []result{
		cost(1, ours, 300, 1), cost(1, floor, 300, 0.8), cost(1, nginx, 300, 4),
		cost(1, ours, 100, 2), cost(1, floor, 100, 1), cost(1, nginx, 100, 4),
		cost(2, ours, 300, 1.2), cost(2, floor, 300, 0.8), cost(2, nginx, 300, 4),
	}
	few := 0.5
	results[2].Report.Delivered = &few
	tb := fanoutTable(stepFanout, "x", results)
	if len(tb.rows) != 6 {
		t.Fatalf("%d rows", len(tb.rows))
	}
	for i, row := range tb.rows {
		if len(row) != len(tb.columns) {
			t.Errorf("row %d has %d cells for %d columns", i, len(row), len(tb.columns))
		}
	}
	for i, want := range map[int]string{
		0: "100 | rtmp-server | 2.00 | 2.00 | 0.500 | 10.0 | 20.0 | - | 100 | - | - | ",
		3: "300 | rtmp-server | 1.00 / 1.10 / 1.20 | 1.25 / 1.38 / 1.50 | 0.250 / 0.275 / 0.300 | 10.0 | 20.0 | - | 100 | - | - | ",
		5: "300 | nginx-rtmp | 4.00 | 5.00 | 1.00 | 10.0 | 20.0 | - | 75.0 | - | - | overloaded",
	} {
		if got := strings.Join(tb.rows[i], " | "); got != want {
			t.Errorf("row %d is\n%s, want\n%s", i, got, want)
		}
	}
}

func TestCapacityAtTheLimitOfTheSearchIsMarked(t *testing.T) {
	results := []result{
		{Step: stepCapacity, Case: caseMost, Round: 1, Contender: ours, Players: 19500, Value: 19500, AtLimit: true},
		{Step: stepCapacity, Case: caseMost, Round: 1, Contender: nginx, Players: 2500, Value: 2500},
	}
	tb := capacityTable(results)
	if !strings.Contains(tb.note, `"(limit)"`) {
		t.Errorf("the note does not say what the mark means: %s", tb.note)
	}
	for i, want := range []string{"19500 (limit)", "2500"} {
		if got := tb.rows[i][1]; got != want {
			t.Errorf("row %d has %q, want %q", i, got, want)
		}
	}
}

func TestCapacityIsTheMedianOfTheSearches(t *testing.T) {
	var results []result
	for i, found := range []struct{ ours, nginx int }{{8000, 1000}, {9000, 1000}, {9900, 900}} {
		for name, players := range map[string]int{ours: found.ours, nginx: found.nginx} {
			results = append(results, result{
				Step: stepCapacity, Case: caseMost, Round: i + 1, Contender: name, Players: players, Value: float64(players),
			})
		}
	}
	row := capacityTable(results).rows[0]
	if got := strings.Join(row[:3], " | "); got != "rtmp-server | 8000 / 9000 / 9900 | 8.00 / 9.00 / 11.0" {
		t.Errorf("got %s", got)
	}
	for _, row := range promiseTable(promises, results).rows {
		if row[2] != "8.00 / 9.00 / 11.0" || row[3] != "yes" {
			t.Errorf("the promise reads %v", row)
		}
	}
}

func TestCapacityIsShownWithWhatItTookThere(t *testing.T) {
	probe := func(round, players int, v float64) result {
		r := complete(stepCapacity, "", ours, players)
		r.Round = round
		r.Report.Server = &bench.ServerCost{CPUPercent: v, CPUSecondsPerGB: &v}
		r.Report.Lag = &bench.Latency{P50: 2 * v, P99: 3 * v}
		r.Report.Generator.CPUPercent = 4 * v
		return r
	}
	most := func(round, players int) result {
		return result{Step: stepCapacity, Case: caseMost, Round: round, Contender: ours, Players: players, Value: float64(players)}
	}
	row := capacityTable([]result{
		probe(1, 900, 10), probe(1, 1000, 99), most(1, 900),
		probe(2, 900, 1), probe(2, 1000, 20), most(2, 1000),
		probe(3, 1000, 98), probe(3, 900, 12), most(3, 900),
		{Step: stepCapacity, Round: 3, Contender: nginx, Players: 900, Failure: "did not start"},
	}).rows[0]
	if got := strings.Join(row, " | "); got != "rtmp-server | 900 / 900 / 1000 | - | 12.0 | 12.0 | 24.0 | 36.0 | 48.0" {
		t.Errorf("got %s", got)
	}
}

func TestEveryTableHasACellForEachColumn(t *testing.T) {
	results := everything()
	for _, tb := range []*table{
		fanoutTable(stepNoDelay, "x", results), capacityTable(results), memoryTable(results), stalledTable(results),
		ingestTable(results), tlsTable(results), httpTable(results), promiseTable(promises, results),
	} {
		if len(tb.rows) == 0 {
			t.Errorf("%s is empty", tb.title)
		}
		for _, row := range tb.rows {
			if len(row) != len(tb.columns) {
				t.Errorf("%s has %d cells for %d columns", tb.title, len(row), len(tb.columns))
			}
		}
	}
}

func TestEveryPromiseIsDecidedByAFullComparison(t *testing.T) {
	if got := len(promiseTable(promises, everything()).rows); got != len(promises) {
		t.Errorf("%d of %d promises are decided", got, len(promises))
	}
}

func TestTablesWithoutResultsAreLeftOut(t *testing.T) {
	var out strings.Builder
	if err := writeTables(&out, "## Head\n", []result{cost(1, ours, 100, 1)}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(out.String(), "###"); got != 1 {
		t.Errorf("%d tables:\n%s", got, out.String())
	}
}

func TestPromises(t *testing.T) {
	of := func(values ...float64) func([]result) []float64 {
		return func([]result) []float64 { return values }
	}
	tb := promiseTable([]promise{
		{what: "low enough", most: 2, of: of(1, 2, 9)},
		{what: "too high", most: 2, of: of(1, 3, 9)},
		{what: "high enough", most: 8, least: true, of: of(8)},
		{what: "too low", most: 8, least: true, of: of(7)},
		{what: "unknown", most: 8, of: of()},
	}, nil)
	want := []string{
		"low enough | at most 2.00 | 1.00 / 2.00 / 9.00 | yes",
		"too high | at most 2.00 | 1.00 / 3.00 / 9.00 | **no**",
		"high enough | at least 8.00 | 8.00 | yes",
		"too low | at least 8.00 | 7.00 | **no**",
	}
	if len(tb.rows) != len(want) {
		t.Fatalf("%d rows", len(tb.rows))
	}
	for i, row := range tb.rows {
		if got := strings.Join(row, " | "); got != want[i] {
			t.Errorf("got  %s\nwant %s", got, want[i])
		}
	}
}

func TestStalledViewersTakeWhatIsDocumented(t *testing.T) {
	for more, want := range map[int64]string{7 * mib: "yes", 8 * mib: "**no**"} {
		calm, stalled := complete(stepMemory, caseNobodyStalls, ours, stalledPlayers), complete(stepMemory, caseStalled, ours, stalledPlayers)
		calm.Report.Server.RSSPeak, stalled.Report.Server.RSSPeak = 20*mib, 20*mib+more
		rows := promiseTable(promises, []result{calm, stalled}).rows
		if len(rows) != 1 || rows[0][1] != "at most 7.52" || rows[0][3] != want {
			t.Errorf("with %d bytes more: %v, want %s", more, rows, want)
		}
	}
}

func TestAHumpBetweenTheEndsBreaksAPromise(t *testing.T) {
	var results []result
	for players, micros := range map[int]float64{100: 100, 300: 109, 1000: 120, 3000: 50} {
		r := cost(1, ours, players, 1)
		r.Report.Server.CPUPerPlayerSeconds, r.Report.Latency = &micros, nil
		results = append(results, r)
	}
	kept := map[string]string{}
	for _, row := range promiseTable(promises, results).rows {
		kept[row[0]] = row[3]
	}
	want := map[string]string{
		"CPU per player with 3000, x with 100":  "yes",
		"CPU per player with 300, x with 100":   "yes",
		"CPU per player with 1000, x with 300":  "**no**",
		"CPU per player with 3000, x with 1000": "yes",
	}
	if !maps.Equal(kept, want) {
		t.Errorf("got %v", kept)
	}
}

// everything is the result of one round of all steps.
func everything() []result {
	all := []result{}
	for _, players := range []int{100, 300, 1000, 3000} {
		for _, name := range []string{ours, floor, nginx} {
			all = append(all, complete(stepFanout, "", name, players))
		}
	}
	for _, name := range []string{oursNoDelay, floor, nginx} {
		all = append(all, complete(stepNoDelay, "", name, noDelayPlayers))
	}
	for _, name := range []string{ours, nginx} {
		most := result{Step: stepCapacity, Case: caseMost, Round: 1, Contender: name, Players: 900, Value: 900}
		all = append(all, complete(stepCapacity, "", name, 900), most, complete(stepIngest, "", name, 0))
	}
	for _, kase := range []string{casePlaying, casePlayingTLS, caseNobodyStalls, caseStalled} {
		all = append(all, complete(stepMemory, kase, ours, memoryPlayers))
	}
	for _, name := range []string{ours, oursBy("http"), oursBy("ws"), oursBy("https"), oursBy("wss")} {
		all = append(all, complete(stepHTTP, "", name, httpPlayers))
	}
	return append(all,
		result{Step: stepMemory, Case: caseWaiting, Round: 1, Contender: ours, Players: memoryPlayers, Value: 9000},
		complete(stepTLS, "", ours, tlsPlayers), complete(stepTLS, "", oursTLS, tlsPlayers),
		result{Step: stepTLS, Case: caseSeal, Round: 1, Contender: floor, Value: 0.2},
	)
}

func complete(step, kase, contender string, players int) result {
	v := 1.0
	return result{
		Step: step, Case: kase, Round: 1, Contender: contender, Players: players,
		Report: &bench.Report{
			Publishers: 1, Players: players, Joined: players, Seconds: 20, Delivered: &v, PublishedBytes: 1e9,
			Latency: &bench.Latency{P50: 1, P99: 2}, Lag: &bench.Latency{P50: 1, P99: 2}, BatchMS: &v, LagFirst: &v, LagLast: &v,
			Server:    &bench.ServerCost{CPUSecondsPerGB: &v, CPUPerPlayerSeconds: &v, RSSPerPlayer: &v, RSS: 1 << 20, RSSPeak: 1 << 20},
			Generator: &bench.GeneratorCost{CPUPercent: 10},
		},
	}
}
