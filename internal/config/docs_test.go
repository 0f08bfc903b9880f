package config

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentsShowTheTable keeps the documents equal to the table in the code.
func TestDocumentsShowTheTable(t *testing.T) {
	const begin, end = "a test -->\n", "\n<!-- /settings -->"
	for _, name := range []string{"../../README.md", "../../docs/configuration.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), begin)
		shown, _, ok := strings.Cut(rest, end)
		if !ok {
			t.Fatalf("%s: the marks around the settings are missing", name)
		}
		if want := strings.TrimSpace(Markdown()); strings.TrimSpace(shown) != want {
			t.Errorf("%s does not show the settings as they are, which is:\n%s", name, want)
		}
	}
}
