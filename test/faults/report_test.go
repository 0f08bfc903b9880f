package faults

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
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

// report writes the table of what was tried, unless there is no file to write to.
func (r *resultList) report(file string) error {
	if file == "" {
		return nil
	}
	slices.SortFunc(r.list, func(a, b result) int {
		return cmp.Or(cmp.Compare(place(a.rows[0]), place(b.rows[0])), cmp.Compare(a.test, b.test))
	})
	var text strings.Builder
	text.WriteString("| rows | test | result | figures |\n| --- | --- | --- | --- |\n")
	failed := 0
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
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New("some faults hurt")
	}
	return nil
}

// place orders rows: A2 comes before A10.
func place(row string) string {
	return fmt.Sprintf("%s%03s", row[:1], row[1:])
}
