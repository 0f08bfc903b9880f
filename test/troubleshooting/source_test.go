package troubleshooting

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
)

// source is the code of a package, without its tests.
type source struct {
	files []*ast.File
	// texts are the constants, and errors the texts of the error variables.
	texts, errors map[string]string
	// assigned are the texts that variables are given.
	assigned map[string][]string
}

// folders returns those of the packages that the server is made of.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	if err != nil {
		t.Fatal(err)
	}
	dirs := []string{"."}
	for _, entry := range entries {
		if !slices.Contains([]string{"bench", "faultinject", "rtmptest"}, entry.Name()) {
			dirs = append(dirs, "internal/"+entry.Name())
		}
	}
	return dirs
}

func parse(t *testing.T, dir string) *source {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	s := &source{texts: make(map[string]string), errors: make(map[string]string), assigned: make(map[string][]string)}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		s.files = append(s.files, file)
	}
	s.each(s.note)
	return s
}

func (s *source) each(visit func(ast.Node)) {
	for _, file := range s.files {
		ast.Inspect(file, func(n ast.Node) bool { visit(n); return true })
	}
}

func (s *source) note(n ast.Node) {
	switch n := n.(type) {
	case *ast.ValueSpec:
		if len(n.Values) != len(n.Names) {
			return
		}
		for i, name := range n.Names {
			if text := literal(n.Values[i]); text != "" {
				s.texts[name.Name] = text
			} else if text := errorText(n.Values[i]); text != "" {
				s.errors[name.Name] = text
			}
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			name, ok := left.(*ast.Ident)
			if ok && len(n.Rhs) == len(n.Lhs) && literal(n.Rhs[i]) != "" {
				s.assigned[name.Name] = append(s.assigned[name.Name], literal(n.Rhs[i]))
			}
		}
	}
}

// complaint returns what a call writes to the log, if it is a warning or an error:
// more than one text if it is in a variable.
func (s *source) complaint(t *testing.T, call *ast.CallExpr) []string {
	t.Helper()
	if isName(call.Fun, "warn") { // collects those of the settings
		return s.first(call.Args)
	}
	for i, arg := range call.Args {
		if isMember(arg, "slog", "LevelWarn") || isMember(arg, "slog", "LevelError") {
			return s.first(call.Args[i+1:])
		}
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 || isName(method.X, "http") || method.Sel.Name != "Warn" && method.Sel.Name != "Error" {
		return nil
	}
	texts := s.first(call.Args[:1])
	if name, ok := call.Args[0].(*ast.Ident); texts == nil && ok {
		texts = s.assigned[name.Name]
	}
	if texts == nil && !isName(call.Args[0], "warning") { // of the settings, found above
		t.Errorf("the text of a line of the log was not found, in package %s", s.files[0].Name.Name)
	}
	return texts
}

// first is the first text of several arguments.
func (s *source) first(args []ast.Expr) []string {
	for _, arg := range args {
		if text := literal(arg); text != "" {
			return []string{text}
		}
		if name, ok := arg.(*ast.Ident); ok && s.texts[name.Name] != "" {
			return []string{s.texts[name.Name]}
		}
	}
	return nil
}

// literal is the text of a string, or nothing.
func literal(e ast.Expr) string {
	basic, ok := e.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(basic.Value)
	if err != nil {
		return ""
	}
	return text
}

// errorText is the text that errors.New is called with, whatever wraps it.
func errorText(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return ""
	}
	if isMember(call.Fun, "errors", "New") {
		return literal(call.Args[0])
	}
	return errorText(call.Args[0])
}

func isName(e ast.Expr, name string) bool {
	ident, ok := e.(*ast.Ident)
	return ok && ident.Name == name
}

func isMember(e ast.Expr, of, name string) bool {
	selector, ok := e.(*ast.SelectorExpr)
	return ok && isName(selector.X, of) && selector.Sel.Name == name
}
