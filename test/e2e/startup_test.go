package e2e

import (
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestEachUnusableSettingIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, value string }{
		{"RTMP_PORT", "abc"},
		{"RTMP_PORT", "65536"},
		{"BIND_ADDRESS", "300.1.1.1"},
		{"RTMP_CHUNK_SIZE", "127"},
		{"ID_MAX_LENGTH", "0"},
		{"MAX_IP_CONCURRENT_CONNECTIONS", "-1"},
		{"CONCURRENT_LIMIT_WHITELIST", "127.0.0.1, localhost"},
		{"CONCURRENT_LIMIT_WHITELIST", "10.0.0.0/33"},
		{"RTMP_PLAY_WHITELIST", "everyone"},
		{"RTMP_PLAY_WHITELIST", "1.2.3"},
		{"RTMP_PLAY_WHITELIST", ","},
		{"PUBLISH_TAKEOVER", "sometimes"},
		{"GOP_CACHE_SIZE_MB", "much"},
		{"LOG_DEBUG", "maybe"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := stage.Run(t, []string{tt.name + "=" + tt.value})
			if status != 2 {
				t.Errorf("status %d, want 2", status)
			}
			if !strings.Contains(stderr, tt.name) || !strings.Contains(stderr, tt.value) || stdout != "" {
				t.Errorf("stdout %q, stderr %q", stdout, stderr)
			}
		})
	}
}

func TestAllUnusableSettingsAreNamedAtOnce(t *testing.T) {
	t.Parallel()
	names := []string{"RTMP_PORT", "RTMP_PLAY_WHITELIST", "CONCURRENT_LIMIT_WHITELIST", "ID_MAX_LENGTH", "LOG_REQUESTS"}
	settings := make([]string, len(names))
	for i, name := range names {
		settings[i] = name + "=junk!"
	}
	status, _, stderr := stage.Run(t, settings)
	if status != 2 {
		t.Errorf("status %d, want 2", status)
	}
	for _, name := range names {
		if strings.Count(stderr, name+"=") != 1 {
			t.Errorf("%s is not named once in:\n%s", name, stderr)
		}
	}
}

func TestHelpListsEverySetting(t *testing.T) {
	t.Parallel()
	// Even with settings that could not be used.
	status, stdout, stderr := stage.Run(t, []string{"RTMP_PORT=junk"}, "--help")
	if status != 0 || stderr != "" {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
	for _, name := range []string{
		"RTMP_PORT", "BIND_ADDRESS", "RTMP_CHUNK_SIZE", "RTMP_PLAY_WHITELIST", "ID_MAX_LENGTH",
		"MAX_IP_CONCURRENT_CONNECTIONS", "CONCURRENT_LIMIT_WHITELIST", "GOP_CACHE_SIZE_MB", "LOG_REQUESTS", "LOG_DEBUG",
	} {
		if !strings.Contains(stdout, name) {
			t.Errorf("no word of %s in:\n%s", name, stdout)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := stage.Run(t, nil, "--version")
	if status != 0 || stderr != "" || !strings.HasPrefix(stdout, "rtmp-server ") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
}

func TestUnknownArgumentIsAnError(t *testing.T) {
	t.Parallel()
	status, _, stderr := stage.Run(t, nil, "--prot=1935")
	if status != 2 || !strings.Contains(stderr, "--prot=1935") {
		t.Errorf("status %d, stderr %q", status, stderr)
	}
}
