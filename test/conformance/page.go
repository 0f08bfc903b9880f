package conformance

import (
	"fmt"
	"strings"
)

const pageHead = `# Conformance

What an RTMP server has to do, row by row, and the tests that show that this one
does it. This page is made by ` + "`make conformance`" + `, from the tests that ran; the
rows are in ` + "`test/conformance/rows.txt`" + `.

`

// The results of a row.
const (
	green    = "pass"
	red      = "**fail**"
	open     = "**no test**"
	declined = "declined"
)

// Page returns docs/conformance.md, and how many rows are neither green nor
// declined.
func Page(rows []Row, proofs map[int][]Proof) (page string, missing int) {
	counts := make(map[string]int)
	var table strings.Builder
	section := ""
	for _, r := range rows {
		if r.Section != section {
			section = r.Section
			fmt.Fprintf(&table, "\n## %s\n\n| # | level | behaviour | tests | result |\n| --- | --- | --- | --- | --- |\n", section)
		}
		result := r.result(proofs[r.Number])
		counts[result]++
		fmt.Fprintf(&table, "| %d | %s | %s | %s | %s |\n", r.Number, r.Level, cell(r.Behaviour), r.evidence(proofs[r.Number]), result)
	}
	summary := fmt.Sprintf("%d rows: %d pass, %d declined with a reason, %d fail, %d without a test.\n",
		len(rows), counts[green], counts[declined], counts[red], counts[open])
	return pageHead + summary + table.String(), counts[red] + counts[open]
}

func (r Row) result(proofs []Proof) string {
	if r.Declined != "" {
		return declined
	}
	result := open
	for _, p := range proofs {
		if !p.Passed {
			return red
		}
		result = green
	}
	return result
}

func (r Row) evidence(proofs []Proof) string {
	var parts []string
	if r.Declined != "" {
		parts = append(parts, cell(r.Declined))
	}
	for _, p := range proofs {
		parts = append(parts, fmt.Sprintf("`%s` `%s`", p.Package, p.Test))
	}
	return strings.Join(parts, "<br>")
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }
