package faults

import (
	_ "embed"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

//go:embed rows.txt
var rowsText string

// rowNames returns the rows of the matrix in their order.
func rowNames() []string {
	var names []string
	for line := range strings.Lines(rowsText) {
		if name, _, ok := strings.Cut(line, "|"); ok && !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	return names
}

// Each row of the matrix has a test here or in test/soak, and each test names rows that there are.
func TestEveryRowHasATest(t *testing.T) {
	begun := regexp.MustCompile(`(?:begin|beginIn|beginAs|alone|start)\(t, "([A-Z0-9 ]+)"`)
	var files []string
	for _, tests := range []string{"*_test.go", "../soak/*_test.go"} {
		found, err := filepath.Glob(tests)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	tested := []string{"A0"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range begun.FindAllStringSubmatch(string(text), -1) {
			tested = append(tested, strings.Fields(match[1])...)
		}
	}
	rows := append(rowNames(), "A0")
	for _, row := range rows {
		if !slices.Contains(tested, row) {
			t.Errorf("no test begins with row %s", row)
		}
	}
	for _, row := range tested {
		if !slices.Contains(rows, row) {
			t.Errorf("there is no row %s", row)
		}
	}
}
