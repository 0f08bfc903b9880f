package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Claim is a row and a test function whose source says that it covers the row.
type Claim struct {
	Row     int
	Package string // relative to the root
	Test    string // the function, or TestScenarios/NAME
}

// Claims reads them from the tests below root.
func Claims(root string) ([]Claim, error) {
	var claims []Claim
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		var found []Claim
		switch rel, _ := filepath.Rel(root, path); {
		case d.IsDir():
		case strings.HasSuffix(path, "_test.go"):
			found, err = goClaims(path, filepath.ToSlash(filepath.Dir(rel)))
		case strings.HasPrefix(filepath.ToSlash(rel), "test/scenarios/testdata/"):
			found, err = scenarioClaims(path)
		}
		claims = append(claims, found...)
		return err
	})
	slices.SortFunc(claims, func(a, b Claim) int {
		if a.Row != b.Row {
			return a.Row - b.Row
		}
		return strings.Compare(a.Package+a.Test, b.Package+b.Test)
	})
	return slices.Compact(claims), err
}

func goClaims(path, pkg string) ([]Claim, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	var claims []Claim
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		for _, n := range claimedRows(f) {
			claims = append(claims, Claim{n, pkg, f.Name.Name})
		}
	}
	return claims, nil
}

// claimedRows finds the arguments of conformance.Covers, and the fields called
// covers of tables.
func claimedRows(f *ast.FuncDecl) (rows []int) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Covers" {
				rows = append(rows, numbers(n.Args)...)
			}
		case *ast.KeyValueExpr:
			key, isName := n.Key.(*ast.Ident)
			list, isList := n.Value.(*ast.CompositeLit)
			if isName && isList && key.Name == "covers" {
				rows = append(rows, numbers(list.Elts)...)
			}
		}
		return true
	})
	return rows
}

func numbers(list []ast.Expr) (rows []int) {
	for _, e := range list {
		if literal, ok := e.(*ast.BasicLit); ok && literal.Kind == token.INT {
			if n, err := strconv.Atoi(literal.Value); err == nil {
				rows = append(rows, n)
			}
		}
	}
	return rows
}

var coversStep = regexp.MustCompile(`(?m)^covers((?: \d+)+)$`)

func scenarioClaims(path string) ([]Claim, error) {
	text, err := os.ReadFile(path) // #nosec G304 -- of the checkout
	if err != nil {
		return nil, fmt.Errorf("read claims: %w", err)
	}
	var claims []Claim
	for _, match := range coversStep.FindAllSubmatch(text, -1) {
		for field := range strings.FieldsSeq(string(match[1])) {
			n, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("read claims of %s: %w", path, err)
			}
			claims = append(claims, Claim{n, "test/scenarios", "TestScenarios/" + filepath.Base(path)})
		}
	}
	return claims, nil
}
