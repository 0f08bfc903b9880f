package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What docs/operations.md names is there: settings, metrics, files beside it, and lines
// of the examples that it quotes.
func TestOperationsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	page, settings := read(t, "../../docs/operations.md"), read(t, "../../docs/configuration.md")
	for _, match := range regexp.MustCompile("`([A-Z]+(?:_[A-Z]+)+)[`=]").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(settings, "| `"+match[1]+"` |") {
			t.Errorf("there is no setting %s", match[1])
		}
	}
	checkMetrics(t, page)
	for _, match := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(page, -1) {
		if _, err := os.Stat(filepath.Join("../../docs", match[1])); err != nil {
			t.Error(err)
		}
	}
	unit, compose := read(t, "../../examples/rtmp-server.service"), read(t, "../../examples/compose.yaml")
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+=\\w+)` \\|").FindAllStringSubmatch(page, -1) {
		if !strings.Contains(unit, "\n"+match[1]+"\n") {
			t.Errorf("the unit has no line %s", match[1])
		}
	}
	for _, line := range []string{"ulimits: {nofile: 65536}", "stop_grace_period: 20s"} {
		if !strings.Contains(compose, line) || !strings.Contains(page, line) {
			t.Errorf("not in both the page and compose.yaml: %s", line)
		}
	}
}
