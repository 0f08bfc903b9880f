package promises

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// proof is one entry of the second column.
var proof = regexp.MustCompile("^`([a-z0-9/]+)` `((?:Test|Fuzz)[A-Za-z0-9_]+)(?:/([a-z0-9_]+))?`$")

func TestEachPromiseNamesTestsThatExist(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]map[string]bool)
	promises := 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| ") || line == "| promise | proof |" || strings.HasPrefix(line, "| ---") {
			continue
		}
		promises++
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 2 {
			t.Errorf("no row of a promise and its proof: %s", line)
			continue
		}
		for entry := range strings.SplitSeq(cells[1], "<br>") {
			check(t, known, cells[0], entry)
		}
	}
	if promises < 20 {
		t.Errorf("%d promises were found", promises)
	}
}

// check reports a test that is not there; known has the functions of each package.
func check(t *testing.T, known map[string]map[string]bool, promise, entry string) {
	t.Helper()
	match := proof.FindStringSubmatch(entry)
	if match == nil {
		t.Errorf("%q names no package and test: %s", promise, entry)
		return
	}
	dir, name, scenario := match[1], match[2], match[3]
	if known[dir] == nil {
		known[dir] = functions(t, filepath.Join(root, dir))
	}
	if !known[dir][name] {
		t.Errorf("%q: there is no %s in %s", promise, name, dir)
	}
	if scenario != "" {
		if _, err := os.Stat(filepath.Join(root, dir, "testdata", scenario)); err != nil {
			t.Errorf("%q: %v", promise, err)
		}
	}
}

func functions(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
