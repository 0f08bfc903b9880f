package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// table is a table in Markdown.
type table struct {
	title   string
	note    string // what the figures are
	columns []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "### %s\n\n", t.title)
	if t.note != "" {
		_, _ = fmt.Fprintf(&b, "%s\n\n", t.note)
	}
	line := func(cells []string) { _, _ = fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(t.columns)
	rule := make([]string, len(t.columns))
	for i := range rule {
		rule[i] = "---"
	}
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	return b.String()
}

// writeTables writes everything there are results for.
func writeTables(w io.Writer, header string, results []result) error {
	parts := []string{header}
	for _, t := range []*table{
		fanoutTable(stepFanout, "Fan-out: one stream, CPU seconds per GB sent", results),
		fanoutTable(stepNoDelay, "Each message at once", results),
		capacityTable(results),
		memoryTable(results),
		stalledTable(results),
		ingestTable(results),
		tlsTable(results),
		httpTable(results),
		promiseTable(promises, results),
	} {
		if len(t.rows) > 0 {
			parts = append(parts, t.String())
		}
	}
	_, err := fmt.Fprintln(w, strings.Join(parts, "\n"))
	return err
}

// kinds are the distinct loads and contenders of a step, in the order in which
// they came first; players ascend.
func kinds(results []result, step string) []selection {
	var all []selection
	for _, r := range results {
		s := selection{step, r.Case, r.Contender, r.Players}
		if r.Step == step && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b selection) int { return a.players - b.players })
	return all
}

func fanoutTable(step, title string, results []result) *table {
	t := &table{
		title: title,
		note: "Three figures are minimum / median / maximum of the rounds; ratios are to the same round. Latency, batches, " +
			"delivery and CPU per player are medians. A batch is the mean time between arrivals at a player.",
		columns: []string{
			"players", "server", "CPU s/GB", "x floor", "x nginx-rtmp", "latency p50 ms", "p99 ms",
			"batch ms", "delivered %", "CPU µs per player and s", "generator CPU %", "",
		},
	}
	for _, s := range kinds(results, step) {
		to := func(name string) string {
			other := s
			other.contender = name
			return spreadOf(ratios(results, s, other, perGB)).String()
		}
		t.add(append([]string{
			fmt.Sprint(s.players), s.contender, spreadOf(values(results, s, perGB)).String(), to(floor), to(nginx),
		}, append(medians(results, s, latencyP50, latencyP99, batchMS, percentDelivered, perPlayer, generatorCPU),
			trouble(results, s))...)...)
	}
	return t
}

func medians(results []result, s selection, of ...figure) []string {
	cells := make([]string, len(of))
	for i, f := range of {
		cells[i] = significant(spreadOf(values(results, s, f)).median)
	}
	return cells
}

var percentDelivered = scaled(delivered, 0.01)

// trouble tells whether a load was too much in any round.
func trouble(results []result, s selection) string {
	for _, r := range results {
		switch {
		case !s.matches(r):
		case r.Failure != "":
			return "failed"
		case r.overloaded():
			return "overloaded"
		}
	}
	return ""
}

func capacityTable(results []result) *table {
	t := &table{
		title: "Capacity of one core",
		note: fmt.Sprintf("The most players of one stream of %s of whom nobody failed to join or was dropped, that got %.1f %% "+
			"of it, with a lag that did not grow and a p99 below %d ms. More than %d were not tried: "+
			"where a search ended there, the figure is a lower bound and has \"(limit)\" behind it. "+
			"Minimum / median / maximum of the searches; ratios are to the same search. "+
			"The rest are medians of the searches, at the most players of each; lag is at all players.",
			streamLabel, 100*leastDelivered, longestLag, searchLimit()),
		columns: []string{"server", "players", "x nginx-rtmp", "server CPU %", "CPU s/GB", "lag p50 ms", "p99 ms", "generator CPU %"},
	}
	for _, name := range []string{ours, nginx, node} {
		s := selection{stepCapacity, caseMost, name, 0}
		all := values(results, s, value)
		if len(all) == 0 {
			continue
		}
		t.add(append([]string{
			name, spreadOf(all).String() + limitMark(results, s),
			spreadOf(ratios(results, s, selection{stepCapacity, caseMost, nginx, 0}, value)).String(),
		}, medians(bestProbes(results, name), selection{stepCapacity, "", name, 0}, serverCPU, perGB, lagP50, lagP99, generatorCPU)...)...)
	}
	return t
}

// bestProbes are the runs of each search with the most players that it found.
func bestProbes(results []result, server string) []result {
	var best []result
	for _, probe := range results {
		if (selection{stepCapacity, "", server, 0}).matches(probe) && slices.ContainsFunc(results, func(found result) bool {
			return found.Round == probe.Round && (selection{stepCapacity, caseMost, server, probe.Players}).matches(found)
		}) {
			best = append(best, probe)
		}
	}
	return best
}

// limitMark tells that the most of what was found is no more than a lower bound.
func limitMark(results []result, s selection) string {
	if slices.ContainsFunc(results, func(r result) bool { return s.matches(r) && r.AtLimit }) {
		return " (limit)"
	}
	return ""
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// kibPerPlayer is the memory that one more player takes.
func kibPerPlayer(r result) (float64, bool) {
	if r.Case == caseWaiting {
		return scaled(value, kib)(r)
	}
	return scaled(perResident, kib)(r)
}

func memoryTable(results []result) *table {
	t := &table{
		title: "Memory",
		note: fmt.Sprintf("Resident memory that a player takes, in KiB, minimum / median / maximum of the rounds. The stream has %s, "+
			"by RTMPS %sbit/s.", streamLabel, tlsMemoryBitrate),
		columns: []string{"server", "players", "", "KiB a player", "delivered %"},
	}
	for _, s := range kinds(results, stepMemory) {
		if s.kase == caseStalled || s.kase == caseNobodyStalls {
			continue
		}
		t.add(append([]string{s.contender, fmt.Sprint(s.players), s.kase, spreadOf(values(results, s, kibPerPlayer)).String()},
			medians(results, s, percentDelivered)...)...)
	}
	return t
}

func stalledTable(results []result) *table {
	t := &table{
		title:   fmt.Sprintf("Players that do not read: %d beside as many that do", stalledPlayers),
		note:    "Median of the rounds; lost messages and ended connections are the most of any round, and only of those that read.",
		columns: []string{"server", "", "memory MiB", "highest MiB", "lost messages", "ended", "latency p99 ms", "delivered %"},
	}
	for _, s := range kinds(results, stepMemory) {
		if s.kase != caseStalled && s.kase != caseNobodyStalls {
			continue
		}
		cells := medians(results, s, scaled(resident, mib), scaled(residentPeak, mib))
		cells = append([]string{s.contender, s.kase}, cells...)
		cells = append(cells, significant(spreadOf(values(results, s, lostMessages)).high), significant(spreadOf(values(results, s, ended)).high))
		t.add(append(cells, medians(results, s, latencyP99, percentDelivered)...)...)
	}
	return t
}

func ingestTable(results []result) *table {
	t := &table{
		title: fmt.Sprintf("Ingest: %d publishers of %s, no players", ingestPublishers, streamLabel),
		note: fmt.Sprintf("CPU seconds per GB received, minimum / median / maximum of %d times as many rounds; ratios are to the same round.",
			ingestTurns),
		columns: []string{"server", "CPU s/GB", "x nginx-rtmp", "GB received", "generator CPU %", ""},
	}
	for _, s := range kinds(results, stepIngest) {
		cells := []string{
			s.contender, spreadOf(values(results, s, perGB)).String(),
			spreadOf(ratios(results, s, selection{stepIngest, "", nginx, 0}, perGB)).String(),
		}
		cells = append(cells, medians(results, s, scaled(published, 1e9), generatorCPU)...)
		failed := ""
		if len(values(results, s, perGB)) == 0 {
			failed = "failed"
		}
		t.add(append(cells, failed)...)
	}
	return t
}

func tlsTable(results []result) *table {
	t := &table{
		title: fmt.Sprintf("RTMPS: %d players of one stream", tlsPlayers),
		note: "CPU seconds per GB sent, minimum / median / maximum of the rounds. Encryption is AES-128-GCM of whole records and nothing " +
			"else; the ratio is RTMPS to RTMP and encryption of the same round.",
		columns: []string{"RTMPS", "RTMP", "encryption", "RTMPS / (RTMP + encryption)", "latency p99 ms, RTMPS", "RTMP"},
	}
	if len(kinds(results, stepTLS)) == 0 {
		return t
	}
	secure, plain, seal := tlsSelections()
	t.add(append([]string{
		spreadOf(values(results, secure, perGB)).String(), spreadOf(values(results, plain, perGB)).String(),
		spreadOf(values(results, seal, value)).String(), spreadOf(tlsRatios(results)).String(),
	}, append(medians(results, secure, latencyP99), medians(results, plain, latencyP99)...)...)...)
	return t
}

func tlsSelections() (secure, plain, seal selection) {
	return selection{stepTLS, "", oursTLS, 0}, selection{stepTLS, "", ours, 0}, selection{stepTLS, caseSeal, floor, 0}
}

// tlsRatios are what RTMPS costs beyond the sum of its parts.
func tlsRatios(results []result) []float64 {
	secure, plain, seal := tlsSelections()
	cost := func(r result) (float64, bool) {
		if r.Case == caseSeal {
			return value(r)
		}
		return perGB(r)
	}
	return combine(results, cost, []selection{secure, plain, seal}, func(v []float64) float64 { return v[0] / (v[1] + v[2]) })
}
