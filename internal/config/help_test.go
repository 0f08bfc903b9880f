package config

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestTableIsWellFormed(t *testing.T) {
	seen := make(map[string]bool)
	groups := make(map[string]bool)
	for i, r := range table {
		if !regexp.MustCompile(`^[A-Z][A-Z0-9_]+$`).MatchString(r.name) || seen[r.name] {
			t.Errorf("row %d: name %q is malformed or there twice", i, r.name)
		}
		seen[r.name] = true
		if r.help == "" || r.expected == "" || r.group == "" || strings.ContainsAny(r.help+r.expected, "\n`") {
			t.Errorf("%s: help %q, expected %q, group %q", r.name, r.help, r.expected, r.group)
		}
		if i == 0 || table[i-1].group != r.group {
			if groups[r.group] {
				t.Errorf("%s: the rows of %q do not stand together", r.name, r.group)
			}
			groups[r.group] = true
		}
	}
}

func TestMarkdownHasOneRowOfThreeCellsForEachSetting(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(Markdown(), "\n"), "\n")
	if len(lines) != 2+len(table) {
		t.Fatalf("%d lines for %d settings", len(lines), len(table))
	}
	if lines[0] != "| variable | default | meaning |" || lines[1] != "| --- | --- | --- |" {
		t.Errorf("head %q", lines[:2])
	}
	for i, line := range lines[2:] {
		if !strings.HasPrefix(line, "| `"+table[i].name+"` | ") || !strings.HasSuffix(line, " |") {
			t.Errorf("row %q, want that of %s", line, table[i].name)
		}
		if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 4 {
			t.Errorf("row %q has %d bars", line, n)
		}
		if n := strings.Count(Markdown(), "`"+table[i].name+"`"); n != 1 {
			t.Errorf("%s is there %d times", table[i].name, n)
		}
	}
	for _, want := range []string{
		"| `RTMP_PORT` | `1935` | RTMP port, 0 for any free one; takes a whole number from 0 to 65535 |",
		"| `BIND_ADDRESS` | empty | address to listen on, all if empty; takes an IP address or a host name, without a port |",
		"| `RTMP_PLAY_WHITELIST` | `*` | who may play, everyone if empty; takes addresses and subnets split by commas, or \\* for everyone |",
	} {
		if !strings.Contains(Markdown(), want+"\n") {
			t.Errorf("there is no row %q in\n%s", want, Markdown())
		}
	}
}

func TestHelpShowsEachSettingOnceUnderItsGroup(t *testing.T) {
	var b strings.Builder
	if err := WriteHelp(&b); err != nil {
		t.Fatal(err)
	}
	help := b.String()
	if !strings.HasPrefix(help, "rtmp-server ") || !strings.Contains(help, ".env") {
		t.Errorf("help %q", help)
	}
	for _, r := range table {
		if n := strings.Count(help, "\n  "+r.name); n != 1 {
			t.Errorf("%s is there %d times", r.name, n)
		}
		if n := strings.Count(help, "\n"+r.group+"\n"); n != 1 {
			t.Errorf("%s is there %d times", r.group, n)
		}
	}
	if want := "  RTMP_CHUNK_SIZE (default 60000)\n        outgoing chunk size in bytes\n        takes a whole number from 128 to 65536\n"; !strings.Contains(help, want) {
		t.Errorf("there is no %q in\n%s", want, help)
	}
	for line := range strings.Lines(help) {
		if len(line) > 120 {
			t.Errorf("line too long for a terminal: %q", line)
		}
	}
}

// brokenWriter is a closed pipe.
type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestHelpReportsFailedWrite(t *testing.T) {
	if err := WriteHelp(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
}
