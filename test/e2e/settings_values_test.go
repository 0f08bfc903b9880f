package e2e

import (
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// marker is a secret that must not appear anywhere.
const marker = "hunter2Marker"

// value is what a setting is set to, and what the first line of the log then
// says that it is.
type value struct{ set, shown string }

func same(text string) value { return value{text, text} }

// settingValues are, for each setting, its default, its least and its greatest
// usable value, or two of different kinds where there is no order, and values
// that cannot be used.
var settingValues = map[string]struct {
	fallback    string
	least, most value
	junk        []string
}{
	"BIND_ADDRESS":                  {"", same("127.0.0.1"), value{"[::1]", "::1"}, []string{"300.1.1.1", "127.0.0.1:1935", "a b"}},
	"RTMP_PORT":                     {"1935", same("0"), same("65535"), []string{"x", "-1", "65536", "1935.5", "0x10"}},
	"RTMP_HOST":                     {"", same("h"), same(strings.Repeat("h", 255)), []string{"a b", strings.Repeat("h", 256)}},
	"RTMP_CHUNK_SIZE":               {"60000", same("128"), same("65536"), []string{"x", "127", "65537", "-128"}},
	"ID_MAX_LENGTH":                 {"128", same("1"), same("1024"), []string{"x", "0", "1025"}},
	"RTMP_PLAY_WHITELIST":           {"*", same("127.0.0.1"), value{"::/0,0.0.0.0/0", "0.0.0.0/0,::/0"}, []string{"x", ",", "10.0.0.0/33", "localhost"}},
	"MAX_WRITE_DELAY_MS":            {"100", same("0"), same("2000"), []string{"x", "-1", "2001", "10ms"}},
	"PUBLISH_GRACE_SECONDS":         {"10", same("0"), same("300"), []string{"x", "-1", "301", "10s"}},
	"DRAIN_SECONDS":                 {"5", same("0"), same("60"), []string{"x", "-1", "61", "5s"}},
	"PLAY_WAIT_SECONDS":             {"0", same("0"), same("86400"), []string{"x", "-1", "86401", "30s"}},
	"PUBLISH_TAKEOVER":              {"idle", same("never"), value{"ALWAYS", "always"}, []string{"x", "YES"}},
	"PLAY_ENHANCED":                 {"permissive", same("strict"), value{"Permissive", "permissive"}, []string{"x", "YES"}},
	"PLAY_HEVC":                     {"auto", same("fourcc"), value{"LEGACY", "legacy"}, []string{"x", "12"}},
	"GOP_CACHE_SIZE_MB":             {"256", same("0"), same("1048576"), []string{"x", "-1", "1048577", "256MB"}},
	"GOP_CACHE_TOTAL_MB":            {"0", same("1"), same("16777216"), []string{"x", "-1", "16777217", "64MB"}},
	"MEMORY_LIMIT_MB":               {"0", same("64"), same("16777216"), []string{"x", "-1", "16777217", "1GiB"}},
	"MAX_CONNECTIONS":               {"0", same("0"), same("1000000"), []string{"x", "-1", "1000001"}},
	"MAX_IP_CONCURRENT_CONNECTIONS": {"4", same("0"), same("1000000"), []string{"x", "-1", "1000001"}},
	"CONCURRENT_LIMIT_WHITELIST":    {"", same("127.0.0.1"), same("*"), []string{"x", ",", "::/129"}},
	"IP_LIMIT_IPV6_PREFIX":          {"64", same("1"), same("128"), []string{"x", "0", "129", "/64"}},
	"KEY_GUESSES_PER_MINUTE":        {"10", same("0"), same("1000000"), []string{"x", "-1", "1000001"}},
	"MAX_PUBLISH_MBPS":              {"0", same("0"), same("100000"), []string{"x", "-1", "100001"}},
	"PROXY_PROTOCOL_FROM":           {"", same("192.0.2.1"), same("192.0.2.0/24"), []string{"x", ",", "balancer"}},
	"CALLBACK_URL": {"", value{"http://u:" + marker + "@h", "http://u:xxxxx@h"}, value{"https://h/p?t=" + marker, "https://h/p?***"},
		[]string{marker, "ftp://u:" + marker + "@h", "https://h/#" + marker, "http://h:" + marker}},
	"JWT_SECRET":               {"", value{marker, "***"}, value{strings.Repeat(marker, 315), "***"}, []string{marker + "\x01", strings.Repeat(marker, 316)}},
	"CUSTOM_JWT_SUBJECT":       {"rtmp_event", same("s"), same(strings.Repeat("s", 255)), []string{"a b", strings.Repeat("s", 256)}},
	"STATE_DIR":                {"", same("s"), same("a directory"), []string{"a\x01"}},
	"REDIS_USE":                {"NO", same("NO"), value{"true", "YES"}, []string{"x", "2"}},
	"REDIS_HOST":               {"127.0.0.1", same("127.0.0.1"), value{"[::1]", "::1"}, []string{"redis:6379", "a b"}},
	"REDIS_PORT":               {"6379", same("1"), same("65535"), []string{"x", "0", "65536"}},
	"REDIS_PASSWORD":           {"", value{marker, "***"}, value{strings.Repeat(marker, 315), "***"}, []string{marker + "\x01", strings.Repeat(marker, 316)}},
	"REDIS_CHANNEL":            {"rtmp_commands", same("c"), same(strings.Repeat("c", 255)), []string{"a b", strings.Repeat("c", 256)}},
	"REDIS_TLS":                {"NO", value{"off", "NO"}, value{"1", "YES"}, []string{"x"}},
	"SSL_PORT":                 {"443", same("0"), same("65535"), []string{"x", "-1", "65536"}},
	"SSL_CERT":                 {"", same("c.pem"), same("/nowhere/a cert.pem"), []string{"c\x01"}},
	"SSL_KEY":                  {"", same("k.pem"), same("/nowhere/a key.pem"), []string{"k\x01"}},
	"SSL_CHECK_RELOAD_SECONDS": {"60", same("0"), same("86400"), []string{"x", "-1", "86401"}},
	"HTTP_PORT":                {"NO", same("1"), same("65535"), []string{"x", "-1", "65536", "YES"}},
	"HTTPS_PORT":               {"NO", same("1"), same("65535"), []string{"x", "-1", "65536", "YES"}},
	"HTTP_CORS_ORIGIN":         {"*", value{"off", "NO"}, same("https://example.com"), []string{"x", "https://example.com/"}},
	"CONTROL_USE":              {"NO", value{"0", "NO"}, value{"on", "YES"}, []string{"x"}},
	"CONTROL_BASE_URL": {"", value{"ws://h", "ws://h"}, value{"https://h:65535/base", "https://h:65535/base"},
		[]string{marker, "rtmp://" + marker, "ws://h/#" + marker}},
	"CONTROL_SECRET": {"", value{marker, "***"}, value{strings.Repeat(marker, 315), "***"}, []string{marker + "\x01", strings.Repeat(marker, 316)}},
	"EXTERNAL_IP":    {"", same("0.0.0.0"), same("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), []string{"x", "1.2.3", "1.2.3.4:5", "fe80::1%eth0"}},
	"EXTERNAL_PORT":  {"0", same("0"), same("65535"), []string{"x", "-1", "65536"}},
	"EXTERNAL_SSL":   {"NO", value{"FALSE", "NO"}, value{"yes", "YES"}, []string{"x"}},
	"ADMIN_ADDRESS":  {"127.0.0.1:8080", same("NO"), same("127.0.0.1:0"), []string{"x", "127.0.0.1", "8080", "127.0.0.1:65536", "http://127.0.0.1:80"}},
	"ADMIN_TOKEN": {"", value{marker + strings.Repeat("x", 19), "***"}, value{strings.Repeat(marker, 315), "***"},
		[]string{marker, marker + " " + strings.Repeat("x", 32), strings.Repeat(marker, 316)}},
	"LOG_REQUESTS":     {"YES", value{"no", "NO"}, same("YES"), []string{"x", "2", "-1"}},
	"LOG_DEBUG":        {"NO", same("NO"), value{"YeS", "YES"}, []string{"x", "maybe"}},
	"LOG_FORMAT":       {"text", same("text"), value{"Text", "text"}, []string{"x", "xml"}},
	"WATCHDOG_SECONDS": {"30", same("0"), same("3600"), []string{"x", "-1", "3601"}},
}

// companions are other settings without which one cannot stand.
var companions = map[string][]string{
	"CALLBACK_URL": {"JWT_SECRET=companion"},
	"SSL_CERT":     {"SSL_KEY=companion.pem"},
	"SSL_KEY":      {"SSL_CERT=companion.pem"},
	"HTTPS_PORT":   {"SSL_CERT=companion.pem", "SSL_KEY=companion.pem"},
	"CONTROL_USE":  {"CONTROL_BASE_URL=ws://127.0.0.1:1", "CONTROL_SECRET=companion"},
}

func checkNoMarker(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if at := strings.Index(text, marker); at >= 0 {
			t.Errorf("a secret is shown: %s", text[max(0, at-200):min(len(text), at+50)])
		}
	}
}

func TestTheTableKnowsEverySetting(t *testing.T) {
	t.Parallel()
	_, help, _ := stage.Run(t, nil, "--help")
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^  ([A-Z][A-Z0-9_]+)`).FindAllStringSubmatch(help, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	if known := slices.Sorted(maps.Keys(settingValues)); !slices.Equal(names, known) {
		t.Errorf("the help lists  %q\nthe table knows %q", names, known)
	}
}

// firstLine runs the server with settings and a port that it cannot open, so
// that it says what is in effect and ends.
func firstLine(t *testing.T, settings []string) string {
	t.Helper()
	status, stdout, stderr := stage.Run(t, settings)
	line, _, _ := strings.Cut(stdout, "\n")
	if status != 1 || stderr != "" || !strings.Contains(line, `msg="rtmp-server `) {
		t.Fatalf("status %d, stderr %q, first line %q", status, stderr, line)
	}
	checkNoMarker(t, stdout, stderr)
	return line
}

// takenPort is one that no server can open on any address.
func takenPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// checkEffective runs the server with one setting alone, with what it needs.
func checkEffective(t *testing.T, name string, v value, taken string) {
	t.Helper()
	settings := []string{"RTMP_PORT=" + taken}
	shown := v.shown
	if name == "RTMP_PORT" {
		settings = []string{"BIND_ADDRESS=203.0.113.1"} // no address of this machine
	}
	settings = append(settings, companions[name]...)
	if v.set != "" {
		settings = append(settings, name+"="+v.set)
	}
	if got := stage.Attr(firstLine(t, settings), name); got != shown {
		t.Errorf("%s=%s is %q in effect, want %q", name, v.set, got, shown)
	}
}

func TestEachSettingIsInEffectAsSet(t *testing.T) {
	t.Parallel()
	taken := takenPort(t)
	for name, values := range settingValues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkEffective(t, name, values.least, taken)
			checkEffective(t, name, values.most, taken)
		})
	}
}

func TestEachUnsetOrBlankSettingHasItsDefault(t *testing.T) {
	t.Parallel()
	for _, blank := range []string{"unset", "=", "= \t "} {
		settings := []string{"BIND_ADDRESS=203.0.113.1"}
		for name := range settingValues {
			if blank != "unset" && name != "BIND_ADDRESS" {
				settings = append(settings, name+blank)
			}
		}
		line := firstLine(t, settings)
		for name, values := range settingValues {
			if got := stage.Attr(line, name); got != values.fallback && name != "BIND_ADDRESS" {
				t.Errorf("%s: %s is %q in effect, want %q", blank, name, got, values.fallback)
			}
		}
	}
	if got := stage.Attr(firstLine(t, []string{"RTMP_PORT=" + takenPort(t)}), "BIND_ADDRESS"); got != "" {
		t.Errorf("BIND_ADDRESS is %q in effect by default", got)
	}
}

func TestEachSettingRefusesJunk(t *testing.T) {
	t.Parallel()
	for name, values := range settingValues {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, junk := range values.junk {
				status, stdout, stderr := stage.Run(t, append(slices.Clone(companions[name]), name+"="+junk))
				if status != 2 || stdout != "" || !strings.Contains(stderr, name+"=") || !strings.Contains(stderr, "expected") {
					t.Errorf("%s=%.40q: status %d, stdout %q, stderr %.300q", name, junk, status, stdout, stderr)
				}
				checkNoMarker(t, stdout, stderr)
			}
		})
	}
}

// A .env file sets what the environment does not, and its text is not shown
// when it cannot be read.
func TestDotEnvFileIsReadAndNeverOverrides(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stage.WriteFile(t, dir+"/.env", []byte("BIND_ADDRESS=203.0.113.1\nRTMP_CHUNK_SIZE=4096\nID_MAX_LENGTH=7\nJWT_SECRET='"+marker+"'\n"))
	run := func() (int, string) {
		cmd := stage.ServerCommand(t, []string{"ID_MAX_LENGTH=9"})
		cmd.Dir = dir
		out, _ := cmd.CombinedOutput()
		checkNoMarker(t, string(out))
		return cmd.ProcessState.ExitCode(), string(out)
	}
	status, out := run()
	line, _, _ := strings.Cut(out, "\n")
	if status != 1 || stage.Attr(line, "RTMP_CHUNK_SIZE") != "4096" || stage.Attr(line, "ID_MAX_LENGTH") != "9" || stage.Attr(line, "JWT_SECRET") != "***" {
		t.Errorf("status %d, first line %s", status, line)
	}
	stage.WriteFile(t, dir+"/.env", []byte("RTMP_CHUNK_SIZE=4096\n"+marker+"\n"))
	if status, out = run(); status != 2 || !strings.Contains(out, "line 2") {
		t.Errorf("status %d: %s", status, out)
	}
	if err := os.Remove(dir + "/.env"); err != nil {
		t.Error(err)
	}
}

// column is all settings at one of their values, but for those that need
// something to be there, and ports.
func column(of func(name string) value) []string {
	var settings []string
	for name := range settingValues {
		switch name {
		case "BIND_ADDRESS", "RTMP_PORT", "SSL_PORT", "HTTP_PORT", "HTTPS_PORT", "ADMIN_ADDRESS", "SSL_CERT", "SSL_KEY", "CALLBACK_URL", "CONTROL_USE":
		default:
			settings = append(settings, name+"="+of(name).set)
		}
	}
	return settings
}

// With all settings at either end at once, a stream still goes through.
func TestStreamWithExtremeSettings(t *testing.T) {
	t.Parallel()
	ends := map[string]struct {
		settings []string
		path     string
	}{
		"least": {column(func(name string) value { return settingValues[name].least }), "c/k"},
		"most":  {column(func(name string) value { return settingValues[name].most }), strings.Repeat("c", 1024) + "/" + strings.Repeat("k", 1024)},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, end.settings...)
			player := stage.Play(t, s, end.path).Record()
			publisher := stage.Publish(t, s, end.path)
			want := framesOf(t, mediaPath(fileVideo))
			for _, m := range want {
				m.Stream = publisher.Stream
				if err := publisher.WriteMessage(m); err != nil {
					t.Fatal(err)
				}
			}
			publisher.Record()
			if err := publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(publisher.Stream)}}.Message(0)); err != nil {
				t.Fatal(err)
			}
			if err := stage.SameFrames(stage.Frames(stage.AwaitEvent(t, player, 1, rtmp.CodePlayUnpublishNotify)), want); err != nil {
				t.Error(err)
			}
			s.Stop()
			checkNoMarker(t, strings.Join(s.Log.All(), "\n"))
		})
	}
}
