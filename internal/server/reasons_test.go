package server

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// TestEveryReasonIsListed reads the constants of both packages.
func TestEveryReasonIsListed(t *testing.T) {
	listed := Reasons()
	found := 0
	for _, pattern := range []string{"*.go", "../stream/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for name, reason := range reasonsIn(t, file) {
				found++
				if !slices.Contains(listed, reason) {
					t.Errorf("Reasons lacks %s", name)
				}
			}
		}
	}
	if found != len(listed) {
		t.Errorf("%d constants, and %d reasons listed", found, len(listed))
	}
}

// reasonsIn returns the constants of a file whose names say that they are reasons.
func reasonsIn(t *testing.T, file string) map[string]stream.Reason {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	reasons := make(map[string]stream.Reason)
	ast.Inspect(parsed, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Reason") || len(spec.Values) != 1 {
			return true
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok {
			text, err := strconv.Unquote(value.Value)
			if err != nil {
				t.Fatal(err)
			}
			reasons[spec.Names[0].Name] = stream.Reason(text)
		}
		return true
	})
	return reasons
}

func TestAllReasonsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range Reasons() {
		if !strings.Contains(string(text), string(reason)) {
			t.Errorf("docs/configuration.md does not explain %q", reason)
		}
	}
}
