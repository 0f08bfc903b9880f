package troubleshooting

import (
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

// TestEachComplaintHasAnEntry wants a row for all that the server says of what went
// wrong, and no row for what it does not say any more.
func TestEachComplaintHasAnEntry(t *testing.T) {
	entries := readEntries(t)
	complaints := slices.Concat(reasons(t), refusals(t), warnings(t), logged(t))
	for _, least := range []struct {
		field string
		count int
	}{{"reason=", 45}, {"detail=", 12}, {"warning=", 10}, {"msg=", 35}} {
		count := 0
		for _, c := range complaints {
			if strings.HasPrefix(c, least.field) {
				count++
			}
		}
		if count < least.count {
			t.Errorf("only %d of %s were found in the code", count, least.field)
		}
	}
	for _, c := range complaints {
		if !slices.Contains(entries, c) {
			t.Errorf("docs/troubleshooting.md has no entry for %s", c)
		}
	}
	for _, entry := range entries {
		if !slices.Contains(complaints, entry) && !slices.Contains(informative, entry) {
			t.Errorf("docs/troubleshooting.md has an entry that nothing says: %s", entry)
		}
	}
}

// informative are lines that complain of nothing and are worth an entry.
var informative = []string{`msg="refusals left out"`, `msg="lines left out"`}

// readEntries returns the first cells of all rows, each of which has to say what
// happened and what to do.
func readEntries(t *testing.T) (entries []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 || slices.Contains(cells, "") {
			t.Errorf("no row of a line, what happened and what to do: %s", line)
		}
		entry := strings.Trim(cells[0], "`")
		if slices.Contains(entries, entry) {
			t.Errorf("two entries for %s", entry)
		}
		entries = append(entries, entry)
	}
	return entries
}

// reasons are the ends of sessions.
func reasons(t *testing.T) (found []string) {
	t.Helper()
	for _, dir := range []string{"server", "httpflv", "stream"} {
		for name, text := range parse(t, "internal/"+dir).texts {
			if strings.HasPrefix(name, "Reason") {
				found = append(found, field("reason", text))
			}
		}
	}
	return found
}

// refusals are what whoever decides on publishers has against one. They go into the
// detail of a reason, and more may follow them there.
func refusals(t *testing.T) (found []string) {
	t.Helper()
	// These keep the server from starting.
	starts := []string{"ErrOptions", "ErrLocked"}
	for _, dir := range []string{"hook", "coordinator"} {
		for name, text := range parse(t, "internal/"+dir).errors {
			if strings.HasPrefix(name, "Err") && !slices.Contains(starts, name) {
				found = append(found, `detail="`+text)
			}
		}
	}
	return found
}

// warnings are what can be wrong with a stream.
func warnings(t *testing.T) (found []string) {
	t.Helper()
	parse(t, "internal/health").each(func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == 1 && isName(spec.Type, "Code") {
			found = append(found, field("warning", literal(spec.Values[0])))
		}
	})
	return found
}

// logged are the lines of level WARN and ERROR.
func logged(t *testing.T) (found []string) {
	t.Helper()
	for _, dir := range folders(t) {
		p := parse(t, dir)
		p.each(func(n ast.Node) {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return
			}
			for _, text := range p.complaint(t, call) {
				found = append(found, field("msg", text))
			}
		})
	}
	return found
}

// field is how the log writes a pair of a name and a value.
func field(name, value string) string {
	if strings.Contains(value, " ") {
		value = `"` + value + `"`
	}
	return name + "=" + value
}
