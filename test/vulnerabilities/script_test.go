package vulnerabilities

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// limited calls rate.NewLimiter but no rate.Limiter.WaitN.
	limited = "./internal/coordinator"
	// small is for scans that do not get far.
	small = "./internal/amf"
)

func TestOnlyAVulnerabilityThatTheCodeReachesFailsTheGate(t *testing.T) {
	tests := []struct {
		name, symbol string
		status       int
		says         string
	}{
		{"reached", "NewLimiter", 1, "GO-0000-0001"},
		{"not reached", "Limiter.WaitN", 0, "none that the code can reach"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, out := script(t, limited, "VULNDB="+database(t, test.symbol))
			if status != test.status || !strings.Contains(out, test.says) {
				t.Errorf("status %d, want %d and %q in:\n%s", status, test.status, test.says, out)
			}
		})
	}
}

func TestADatabaseThatCannotBeReachedIsToldAndFailsWhereItIsRequired(t *testing.T) {
	tests := []struct {
		name, required string
		status         int
	}{
		{"at hand", "", 0},
		{"required", "1", 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			// Port 1 of this machine is nobody's proxy, so that nothing leaves it.
			status, out := script(t, small, "VULNDB=", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=", "no_proxy=", "VULNDB_REQUIRED="+test.required)
			if status != test.status || !strings.Contains(out, "NOT CHECKED: database not reachable") {
				t.Errorf("status %d, want %d and that nothing was checked in:\n%s", status, test.status, out)
			}
		})
	}
}

func TestADatabaseThatCannotBeReadFailsTheGate(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "index", "modules.json"), "no list")
	if status, out := script(t, small, "VULNDB="+fileURL(dir)); status != 1 || strings.Contains(out, "NOT CHECKED") {
		t.Errorf("status %d, want 1:\n%s", status, out)
	}
}

// script returns the exit status and the output of a scan.
func script(t *testing.T, scanned string, env ...string) (status int, out string) {
	t.Helper()
	cmd := exec.Command("../vulnerabilities.sh", scanned)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// database makes a database, as https://go.dev/security/vuln/database describes it,
// with one vulnerability in a symbol of golang.org/x/time/rate.
func database(t *testing.T, symbol string) string {
	t.Helper()
	const id, modified, module = "GO-0000-0001", "2026-01-01T00:00:00Z", "golang.org/x/time"
	type object = map[string]any
	dir := t.TempDir()
	for name, content := range map[string]any{
		"index/db.json":      object{"modified": modified},
		"index/modules.json": []object{{"path": module, "vulns": []object{{"id": id, "modified": modified}}}},
		"index/vulns.json":   []object{{"id": id, "modified": modified}},
		"ID/" + id + ".json": object{
			"schema_version": "1.3.1", "id": id, "modified": modified, "published": modified, "details": "made up",
			"affected": []object{{
				"package":            object{"name": module, "ecosystem": "Go"},
				"ranges":             []object{{"type": "SEMVER", "events": []object{{"introduced": "0"}}}},
				"ecosystem_specific": object{"imports": []object{{"path": module + "/rate", "symbols": []string{symbol}}}},
			}},
			"database_specific": object{"url": "https://example.com/" + id},
		},
	} {
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, filepath.FromSlash(name)), string(text))
	}
	return fileURL(dir)
}

func fileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
