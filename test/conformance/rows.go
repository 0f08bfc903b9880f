package conformance

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed rows.txt
var rowsText string

//go:embed declined.txt
var declinedText string

// Row is one behaviour.
type Row struct {
	Number int
	// Level is MUST where clients fail or safety breaks otherwise, and SHOULD
	// where it is the better choice.
	Level     string
	Behaviour string
	// Section is the title that the row stands under.
	Section string
	// Declined says why the server does not follow the row; empty if it does.
	Declined string
}

// Rows returns all rows in order.
func Rows() ([]Row, error) {
	declined, err := parseDeclined()
	if err != nil {
		return nil, err
	}
	var rows []Row
	section := ""
	for line := range strings.Lines(rowsText) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "# "); ok {
			section = title
			continue
		}
		if line == "" {
			continue
		}
		fields := strings.SplitN(line, "\t", 3)
		if len(fields) != 3 || fields[0] != strconv.Itoa(len(rows)+1) {
			return nil, fmt.Errorf("row %d: bad line %q", len(rows)+1, line)
		}
		number := len(rows) + 1
		rows = append(rows, Row{number, fields[1], fields[2], section, declined[number]})
	}
	return rows, nil
}

func parseDeclined() (map[int]string, error) {
	declined := make(map[int]string)
	for line := range strings.Lines(declinedText) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		number, reason, _ := strings.Cut(line, "\t")
		n, err := strconv.Atoi(number)
		if err != nil || reason == "" {
			return nil, fmt.Errorf("declined row: bad line %q", line)
		}
		declined[n] = reason
	}
	return declined, nil
}

// marker begins the line of a test's log that names the rows.
const marker = "conformance: rows "

// Covers says that the test proves the given rows: if it fails, they are broken.
// The numbers stand as literals in the call, in a field called covers of a table
// in the same function, or in a covers step of a scenario.
func Covers(t testing.TB, rows ...int) {
	t.Helper()
	if len(rows) == 0 {
		return
	}
	text := make([]string, len(rows))
	for i, n := range slices.Sorted(slices.Values(rows)) {
		if n < 1 || n > rowCount() {
			t.Fatalf("there is no row %d", n)
		}
		text[i] = strconv.Itoa(n)
	}
	t.Log(marker + strings.Join(text, " "))
}

func rowCount() int {
	rows, err := Rows()
	if err != nil {
		panic(err)
	}
	return len(rows)
}
