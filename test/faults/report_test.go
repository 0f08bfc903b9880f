package faults

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// result is what became of a test.
type result struct {
	rows    []string
	test    string
	failed  bool
	figures map[string]string
	order   []string
}

type resultList struct {
	mu   sync.Mutex
	list []result
}

// results are those of all tests that ran.
var results resultList

func (r *resultList) add(one result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, one)
}

// report writes what was tried into a page, unless there is none to write to.
func (r *resultList) report(file string) error {
	if file == "" {
		return nil
	}
	page, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	table, failed := r.table()
	if err := os.WriteFile(file, []byte(placed(string(page), table)), 0o600); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New("some faults hurt")
	}
	return nil
}

// The marks in a page between which the table stands.
const tableBegins, tableEnds = "<!-- faults -->", "<!-- /faults -->"

// placed returns a page with the table between its marks, or the table alone if the
// page has none.
func placed(page, table string) string {
	before, rest, begun := strings.Cut(page, tableBegins)
	_, after, ended := strings.Cut(rest, tableEnds)
	if !begun || !ended {
		return table
	}
	return before + tableBegins + "\n" + table + tableEnds + after
}

// table returns one row for each test, in the order of the matrix, and how many
// have failed.
func (r *resultList) table() (table string, failed int) {
	slices.SortFunc(r.list, func(a, b result) int {
		return cmp.Or(cmp.Compare(place(a.rows[0]), place(b.rows[0])), cmp.Compare(a.test, b.test))
	})
	profile := "short"
	if *long {
		profile = "long"
	}
	var text strings.Builder
	fmt.Fprintf(&text, "The %s profile, on %s %s with %d processors.\n\n", profile, runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	text.WriteString("| rows | test | result | figures |\n| --- | --- | --- | --- |\n")
	for _, one := range r.list {
		verdict := "survived"
		if one.failed {
			verdict = "**failed**"
			failed++
		}
		var figures []string
		for _, name := range one.order {
			figures = append(figures, name+" "+one.figures[name])
		}
		fmt.Fprintf(&text, "| %s | `%s` | %s | %s |\n", strings.Join(one.rows, " "), one.test, verdict, strings.Join(figures, "; "))
	}
	return text.String(), failed
}

// place orders rows: A2 comes before A10.
func place(row string) string {
	return fmt.Sprintf("%s%03s", row[:1], row[1:])
}

func TestTheTableTakesItsPlaceInAPage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	const around = "before\n%s\nold\n%s\nafter <!-- soak -->\n"
	if err := os.WriteFile(file, fmt.Appendf(nil, around, tableBegins, tableEnds), 0o600); err != nil {
		t.Fatal(err)
	}
	r := resultList{list: []result{{rows: []string{"A10"}, test: "TestB"}, {rows: []string{"A2", "B1"}, test: "TestA"}}}
	for range 2 { // a page is written again and again
		if err := r.report(file); err != nil {
			t.Fatal(err)
		}
	}
	table, _ := r.table()
	if strings.Index(table, "TestA") > strings.Index(table, "TestB") || !strings.Contains(table, "| A2 B1 | `TestA` | survived |") {
		t.Errorf("the table is\n%s", table)
	}
	page, err := os.ReadFile(file)
	if want := "before\n" + tableBegins + "\n" + table + tableEnds + "\nafter <!-- soak -->\n"; err != nil || string(page) != want {
		t.Errorf("the page is\n%s%v", page, err)
	}
	r.add(result{rows: []string{"A1"}, test: "TestC", failed: true})
	if err := r.report(file); err == nil {
		t.Error("a failure is no error")
	}
	if page, _ := os.ReadFile(file); !strings.Contains(string(page), "| A1 | `TestC` | **failed** |") {
		t.Errorf("a failure is not in the page:\n%s", page)
	}
}

func TestThePageHasAPlaceForTheTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	if placed(string(page), "table") == "table" {
		t.Errorf("docs/reliability.md has no %s and %s", tableBegins, tableEnds)
	}
}
