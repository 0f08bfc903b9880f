package conformance

import (
	"strings"
	"testing"
)

func TestRowsAreNumberedWithoutGaps(t *testing.T) {
	t.Parallel()
	rows, err := Rows()
	if err != nil || len(rows) != 214 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, r := range rows {
		if r.Level != "MUST" && r.Level != "SHOULD" || r.Behaviour == "" || r.Section == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestPageTellsGreenRowsFromOthers(t *testing.T) {
	t.Parallel()
	const log = `{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"    x_test.go:1: conformance: rows 1 2\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestBad/sub","Output":"    x_test.go:1: conformance: rows 2 3\n"}
{"Action":"fail","Package":"m/a","Test":"TestBad/sub"}
not JSON
`
	proofs, err := ReadRun(strings.NewReader(log), "m")
	if err != nil {
		t.Fatal(err)
	}
	rows := []Row{
		{Number: 1, Behaviour: "a|b", Section: "S"}, {Number: 2, Section: "S"}, {Number: 3, Section: "S"},
		{Number: 4, Section: "S"}, {Number: 5, Section: "S", Declined: "no need"},
	}
	page, missing := Page(rows, proofs)
	if missing != 3 {
		t.Errorf("%d rows are missing", missing)
	}
	for _, want := range []string{
		"5 rows: 1 pass, 1 declined with a reason, 2 fail, 1 without a test.",
		"| 1 |  | a\\|b | `a` `TestGood` | pass |",
		"| 2 |  |  | `a` `TestBad/sub`<br>`a` `TestGood` | **fail** |",
		"| 4 |  |  |  | **no test** |",
		"| 5 |  |  | no need | declined |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing in\n%s", want, page)
		}
	}
}
