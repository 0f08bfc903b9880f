package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// dotEnvs drives the parser's test and seeds the fuzz target.
var dotEnvs = []struct {
	text string
	want map[string]string
	line int // of the mistake, 0 if there is none
}{
	{text: "", want: map[string]string{}},
	{text: "# nothing\n\n", want: map[string]string{}},
	{text: "A=1\nexport B = 2 # two\nC='a b'\nD=\"x\\ny\"\nE=\n", want: map[string]string{"A": "1", "B": "2", "C": "a b", "D": "x\ny", "E": ""}},
	{text: "A=1\r\nB=2\r\n", want: map[string]string{"A": "1", "B": "2"}},
	{text: "\ufeffA=1\n", want: map[string]string{"A": "1"}},
	{text: "A: 1\n", want: map[string]string{"A": "1"}},
	{text: "A='1\n2'\nB=3", want: map[string]string{"A": "1\n2", "B": "3"}},

	{text: "hunter2", line: 1},
	{text: "A=1\nhunter2\nB=hunter2\n", line: 2},
	{text: "A=1\nB=2\nhunter2", line: 3},
	{text: "A='1\n2'\nA-B=hunter2\n", line: 3},
	{text: "A=1\n\n# two\nB='hunter2\nC=3\n", line: 4},
	{text: "A B=hunter2\n", line: 1},
	{text: "A=1\n=hunter2\n", line: 2},
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDotEnvReadsItsVariables(t *testing.T) {
	for _, test := range dotEnvs {
		if test.line != 0 {
			continue
		}
		got, err := readDotEnv(writeFile(t, test.text))
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %v, %v, want %v", test.text, got, err, test.want)
		}
	}
}

func TestMalformedDotEnvNamesFileAndLineAndHidesItsText(t *testing.T) {
	for _, test := range dotEnvs {
		if test.line == 0 {
			continue
		}
		path := writeFile(t, test.text)
		lookup, err := DotEnv(path)
		if err == nil || lookup != nil {
			t.Errorf("%q: no error", test.text)
			continue
		}
		if want := fmt.Sprintf("%s: line %d cannot", path, test.line); !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %q does not say %q", test.text, err, want)
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: error %q shows the text", test.text, err)
		}
	}
}

func TestEnvironmentWinsOverDotEnv(t *testing.T) {
	t.Setenv("RTMP_PORT", "1936")
	t.Setenv("ID_MAX_LENGTH", "") // set to nothing is set
	lookup, err := DotEnv(writeFile(t, "RTMP_PORT=1\nID_MAX_LENGTH=2\nRTMP_CHUNK_SIZE=4096\n"))
	if err != nil {
		t.Fatal(err)
	}
	settings, err := Load(lookup)
	if err != nil || settings.RTMPPort != 1936 || settings.IDMaxLength != 128 || settings.ChunkSize != 4096 {
		t.Errorf("settings %+v, %v", settings, err)
	}
	if value, ok := lookup("NOWHERE_TO_BE_FOUND"); ok || value != "" {
		t.Errorf("a variable that is nowhere is %q, %v", value, ok)
	}
}

func TestAbsentDotEnvIsFine(t *testing.T) {
	t.Setenv("RTMP_PORT", "1936")
	lookup, err := DotEnv(filepath.Join(t.TempDir(), ".env"))
	if err != nil {
		t.Fatal(err)
	}
	if value, ok := lookup("RTMP_PORT"); !ok || value != "1936" {
		t.Errorf("RTMP_PORT is %q, %v", value, ok)
	}
}

func TestUnreadableDotEnvIsAnError(t *testing.T) {
	large := writeFile(t, strings.Repeat("#", maxDotEnv+1))
	for _, path := range []string{
		t.TempDir(),                  // a directory
		filepath.Join(large, ".env"), // in a file
		large,
	} {
		if _, err := DotEnv(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v", path, err)
		}
	}
	if _, err := DotEnv(writeFile(t, strings.Repeat("#", maxDotEnv))); err != nil {
		t.Errorf("the largest file: %v", err)
	}
}

func FuzzDotEnv(f *testing.F) {
	for _, test := range dotEnvs {
		f.Add([]byte(test.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, ok := parseDotEnv(text); ok || len(text) > 1<<10 {
			return
		}
		if line, lines := malformedLine(text), bytes.Count(text, []byte("\n"))+1; line < 1 || line > lines {
			t.Fatalf("malformed line %d of %d", line, lines)
		}
	})
}
