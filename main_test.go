package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/version"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFlags(t *testing.T) {
	tests := []struct {
		arg            string
		status         int
		stdout, stderr string
	}{
		{"--help", exitOK, "RTMP_PORT (default 1935)", ""},
		{"-h", exitOK, "MAX_IP_CONCURRENT_CONNECTIONS", ""},
		{"--version", exitOK, "rtmp-server " + version.Short() + " ", ""},
		{"--port=1935", exitSettings, "", `unknown argument "--port=1935"`},
	}
	for _, test := range tests {
		var stdout, stderr bytes.Buffer
		status := run([]string{test.arg}, &stdout, &stderr)
		if status != test.status || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
			t.Errorf("%s: status %d, stdout %q, stderr %q", test.arg, status, stdout.String(), stderr.String())
		}
	}
}

func TestBenchHasItsOwnArguments(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := run([]string{"bench", "-players=many"}, &stdout, &stderr)
	if status != exitSettings || !strings.Contains(stderr.String(), "usage: rtmp-server bench") {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

func TestEveryMistakeInTheSettingsIsNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("RTMP_PORT", "70000")
	t.Setenv("RTMP_PLAY_WHITELIST", "nonsense")
	t.Setenv("CALLBACK_URL", "https://user:password@example.com/")
	var stdout, stderr bytes.Buffer
	if status := run(nil, &stdout, &stderr); status != exitSettings {
		t.Errorf("status %d, want %d", status, exitSettings)
	}
	for _, want := range []string{"RTMP_PORT", "70000", "RTMP_PLAY_WHITELIST", "nonsense", "CALLBACK_URL"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q is not named in:\n%s", want, stderr.String())
		}
	}
	if strings.Contains(stderr.String(), "password") {
		t.Error("a password is shown")
	}
	if stdout.Len() != 0 {
		t.Errorf("something was logged: %s", stdout.String())
	}
}

func TestABrokenDotEnvIsNamed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("RTMP_PORT=1\nthis is no setting\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if status := run(nil, &stdout, &stderr); status != exitSettings || !strings.Contains(stderr.String(), ".env") {
		t.Errorf("status %d, stderr %q", status, stderr.String())
	}
}

func TestAPortThatCannotBeOpenedEndsTheServer(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("BIND_ADDRESS", "203.0.113.1") // for documentation: nobody's
	t.Setenv("RTMP_PORT", "0")
	var stdout, stderr bytes.Buffer
	if status := run(nil, &stdout, &stderr); status != exitFailed {
		t.Errorf("status %d, want %d", status, exitFailed)
	}
	if got := strings.Count(stdout.String(), "level=ERROR"); got != 1 || !strings.Contains(stdout.String(), "203.0.113.1") {
		t.Errorf("%d errors in the log, want one that names the address:\n%s", got, stdout.String())
	}
}
