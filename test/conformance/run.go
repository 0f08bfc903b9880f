package conformance

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Proof is a test that covers a row, and how it went.
type Proof struct {
	Package string // relative to the module
	Test    string
	Passed  bool
}

// event is a line of "go test -json".
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type testName struct{ pkg, test string }

// run collects what the lines of a test run say.
type run struct {
	module string
	covers map[testName][]int
	result map[testName]string
}

// ReadRun reads the output of "go test -json" and returns the proofs of each row.
// A test that failed or was skipped proves nothing.
func ReadRun(r io.Reader, module string) (map[int][]Proof, error) {
	c := run{module: module, covers: make(map[testName][]int), result: make(map[testName]string)}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue // the go command's own words
		}
		if err := c.note(e); err != nil {
			return nil, err
		}
	}
	return c.proofs(), lines.Err()
}

func (c *run) note(e event) error {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "output":
		_, list, ok := strings.Cut(e.Output, marker)
		if !ok {
			return nil
		}
		for _, field := range strings.Fields(list) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return fmt.Errorf("test %s: row %q", e.Test, field)
			}
			if !slices.Contains(c.covers[name], n) {
				c.covers[name] = append(c.covers[name], n)
			}
		}
	case "pass", "fail", "skip":
		c.result[name] = e.Action
	}
	return nil
}

func (c *run) proofs() map[int][]Proof {
	proofs := make(map[int][]Proof)
	for name, rows := range c.covers {
		for _, n := range rows {
			proofs[n] = append(proofs[n], Proof{
				Package: strings.TrimPrefix(strings.TrimPrefix(name.pkg, c.module), "/"),
				Test:    name.test,
				Passed:  c.result[name] == "pass",
			})
		}
	}
	for _, list := range proofs {
		slices.SortFunc(list, func(a, b Proof) int {
			return strings.Compare(a.Package+" "+a.Test, b.Package+" "+b.Test)
		})
	}
	return proofs
}
