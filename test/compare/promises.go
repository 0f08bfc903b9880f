package main

import (
	"fmt"
	"slices"
)

// promise is a figure that the server is to keep.
type promise struct {
	what string
	// most is the highest figure that keeps it, or the lowest if least is set.
	most  float64
	least bool
	// of gives the figures of all rounds; their median decides.
	of func([]result) []float64
}

// kept reports whether a figure keeps the promise.
func (p promise) kept(v float64) bool {
	if p.least {
		return v >= p.most
	}
	return v <= p.most
}

func fanoutOf(name string, players int) selection { return selection{stepFanout, "", name, players} }

func noDelayOf(name string) selection { return selection{stepNoDelay, "", name, noDelayPlayers} }

func ratioOf(of, by selection, f figure) func([]result) []float64 {
	return func(results []result) []float64 { return ratios(results, of, by, f) }
}

func figureOf(of selection, f figure) func([]result) []float64 {
	return func(results []result) []float64 { return values(results, of, f) }
}

// stalledLimit is what viewers who do not read may take of the process, in MiB:
// about 16 KiB each, and the last ten seconds of the stream once for all of them, with
// as much garbage. It is documented in docs/configuration.md, Memory; what the kernel
// keeps for them is no part of it.
const stalledLimit = (stalledPlayers*16*kib + 2*10*streamBitrate/8.0) / mib

// stalledMiB is by how much the memory rises at most with such viewers.
func stalledMiB(results []result) []float64 {
	of := func(kase string) selection { return selection{stepMemory, kase, ours, 0} }
	return combine(results, scaled(residentPeak, mib), []selection{of(caseStalled), of(caseNobodyStalls)},
		func(v []float64) float64 { return v[0] - v[1] })
}

// levelTolerance is how much more a player may cost with the next higher number
// of players: what one run of a load differs from another.
const levelTolerance = 1.10

// levelPromises say that a player costs no more the more there are, between
// each two neighbouring numbers, which ascend.
func levelPromises(players []int) []promise {
	var all []promise
	for i := range len(players) - 1 {
		few, many := players[i], players[i+1]
		all = append(all, promise{
			what: fmt.Sprintf("CPU per player with %d, x with %d", many, few), most: levelTolerance,
			of: ratioOf(fanoutOf(ours, many), fanoutOf(ours, few), perPlayer),
		})
	}
	return all
}

var promises = slices.Concat(fixedPromises, levelPromises(fanoutPlayers))

var fixedPromises = []promise{
	{what: "300 players: CPU s/GB, x nginx-rtmp", most: 0.5, of: ratioOf(fanoutOf(ours, 300), fanoutOf(nginx, 300), perGB)},
	{what: "300 players: latency p99, ms", most: 50, of: figureOf(fanoutOf(ours, 300), latencyP99)},
	{what: "300 players: CPU s/GB, x floor with the same batches", most: 1.25, of: ratioOf(fanoutOf(ours, 300), fanoutOf(floor, 300), perGB)},
	{what: "1000 players: CPU s/GB, x nginx-rtmp", most: 1.0 / 6, of: ratioOf(fanoutOf(ours, 1000), fanoutOf(nginx, 1000), perGB)},
	{what: "1000 players: latency p99, ms", most: 120, of: figureOf(fanoutOf(ours, 1000), latencyP99)},
	{what: "1000 players: CPU s/GB, x floor with the same batches", most: 1.25, of: ratioOf(fanoutOf(ours, 1000), fanoutOf(floor, 1000), perGB)},
	{what: "no delay, 300 players: CPU s/GB, x floor without batches", most: 1.3, of: ratioOf(noDelayOf(oursNoDelay), noDelayOf(floor), perGB)},
	{what: "no delay, 300 players: latency p99, x nginx-rtmp", most: 1, of: ratioOf(noDelayOf(oursNoDelay), noDelayOf(nginx), latencyP99)},
	{what: "capacity of one core, x nginx-rtmp", most: 8, least: true, of: ratioOf(
		selection{stepCapacity, caseMost, ours, 0}, selection{stepCapacity, caseMost, nginx, 0}, value)},
	{what: "CPU per player with 3000, x with 100", most: 1, of: ratioOf(fanoutOf(ours, 3000), fanoutOf(ours, 100), perPlayer)},
	{what: "memory of a player that plays, KiB", most: 24, of: figureOf(selection{stepMemory, casePlaying, ours, 0}, kibPerPlayer)},
	{what: "memory of a player that waits, KiB", most: 16, of: figureOf(selection{stepMemory, caseWaiting, ours, 0}, kibPerPlayer)},
	{what: "memory that 100 stalled viewers take at most, MiB", most: stalledLimit, of: stalledMiB},
	{what: "ingest: CPU s/GB, x nginx-rtmp", most: 1, of: ratioOf(
		selection{stepIngest, "", ours, 0}, selection{stepIngest, "", nginx, 0}, perGB)},
	{what: "RTMPS: CPU s/GB, x RTMP and encryption", most: 1.5, of: tlsRatios},
	{what: "300 viewers over HTTP: CPU s/GB, x RTMP", most: 1.3, of: ratioOf(httpOf(oursBy("http")), httpOf(ours), perGB)},
	{what: "300 viewers over WebSocket: CPU s/GB, x RTMP", most: 1.3, of: ratioOf(httpOf(oursBy("ws")), httpOf(ours), perGB)},
}

// promiseTable shows the promises that there are figures for.
func promiseTable(of []promise, results []result) *table {
	t := &table{
		title:   "Promises",
		note:    "The median of the rounds decides.",
		columns: []string{"promise", "limit", "minimum / median / maximum", "kept"},
	}
	for _, p := range of {
		got := spreadOf(p.of(results))
		if !got.known() {
			continue
		}
		limit := "at most "
		if p.least {
			limit = "at least "
		}
		answer := "**no**"
		if p.kept(got.median) {
			answer = "yes"
		}
		t.add(p.what, limit+significant(p.most), fmt.Sprint(got), answer)
	}
	return t
}
