package conformance

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

// TestThePageIsUpToDate compares the page with what the sources of the tests
// claim: a row whose tests came or went calls for a new run.
func TestThePageIsUpToDate(t *testing.T) {
	t.Parallel()
	rows, err := Rows()
	if err != nil {
		t.Fatal(err)
	}
	claims, err := Claims(root)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(root + "/docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[Claim]bool)
	for _, c := range claims {
		want[c] = true
	}
	shown := pageClaims(string(text))
	for c := range want {
		if !shown[c] {
			t.Errorf("row %d: %s in %s is not on the page; run make conformance", c.Row, c.Test, c.Package)
		}
	}
	for c := range shown {
		if !want[c] {
			t.Errorf("row %d: the page names %s in %s, which does not claim it; run make conformance", c.Row, c.Test, c.Package)
		}
	}
	for _, r := range rows {
		for _, part := range []string{cell(r.Behaviour), cell(r.Declined)} {
			if !strings.Contains(string(text), part) {
				t.Errorf("row %d: %q is not on the page; run make conformance", r.Number, part)
			}
		}
	}
	if strings.Contains(string(text), "| "+red) || strings.Contains(string(text), "| "+open) {
		t.Error("the page has rows that are neither green nor declined")
	}
}

// pageClaims reads the tests of each row back, by their functions.
func pageClaims(page string) map[Claim]bool {
	shown := make(map[Claim]bool)
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) < 6 {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue
		}
		for proof := range strings.SplitSeq(strings.TrimSpace(cells[4]), "<br>") {
			pkg, test, ok := strings.Cut(proof, "` `")
			if !ok || !strings.HasPrefix(pkg, "`") {
				continue
			}
			shown[Claim{n, pkg[1:], function(strings.TrimSuffix(test, "`"))}] = true
		}
	}
	return shown
}

// function is the part of a test's name that its source has.
func function(test string) string {
	name, sub, _ := strings.Cut(test, "/")
	if name == "TestScenarios" {
		sub, _, _ = strings.Cut(sub, "/")
		return name + "/" + sub
	}
	return name
}
