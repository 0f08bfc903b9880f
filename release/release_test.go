package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var linux = []target{{"linux", "amd64"}}

func TestAReleaseIsTheSameFromEveryDirectory(t *testing.T) {
	t.Parallel()
	src := source{version: "v1.2.3", revision: "0123abcd", time: time.Unix(1_700_000_000, 0).UTC()}
	var outs [2]string
	for i, place := range []string{"one", "another/place"} {
		src.dir, outs[i] = filepath.Join(t.TempDir(), place), t.TempDir()
		checkout(t, src.dir)
		if err := publish(src, linux, outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if one, other := read(t, outs[0], sumsName), read(t, outs[1], sumsName); !bytes.Equal(one, other) {
		t.Errorf("two builds differ:\n%s\n%s", one, other)
	}
	const name = "rtmp-server-v1.2.3-linux-amd64"
	checkSums(t, outs[0], name+".tar.gz", name+".cdx.json")
	program := unpack(t, read(t, outs[0], name+".tar.gz"), name+"/rtmp-server", name+"/LICENSE", name+"/README.md")
	checkModules(t, program, read(t, outs[0], name+".cdx.json"))
	checkEmbedded(t, read(t, outs[0], name+".cdx.json"))
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
		checkVersion(t, program)
	}
}

// checkout copies what a release is made of.
func checkout(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel("..", path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(rel, ".") && rel != ".", d.IsDir() && slices.Contains([]string{"node_modules", "testdata"}, d.Name()):
			return fs.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(dir, rel), 0o700)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, rel), text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkSums(t *testing.T, dir string, names ...string) {
	t.Helper()
	var want strings.Builder
	for _, name := range names {
		fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(read(t, dir, name)), name)
	}
	if got := string(read(t, dir, sumsName)); got != want.String() {
		t.Errorf("%s is\n%swant\n%s", sumsName, got, &want)
	}
}

// unpack returns the first file of an archive, on disk.
func unpack(t *testing.T, archive []byte, names ...string) string {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	path, r := filepath.Join(t.TempDir(), "program"), tar.NewReader(gz)
	for i, want := range names {
		header, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if header.Name != want || header.Uid != 0 || header.ModTime.Unix() != 1_700_000_000 {
			t.Errorf("entry %+v, want %s of root, at the time of the sources", header, want)
		}
		if i > 0 {
			continue
		}
		contents, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(path, contents, header.FileInfo().Mode())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("more than %d files: %v", len(names), err)
	}
	return path
}

// checkModules compares the list of modules with what the program was linked from.
func checkModules(t *testing.T, program string, list []byte) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SerialNumber string
		Metadata                struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(list, &bom); err != nil {
		t.Fatal(err)
	}
	if c := bom.Metadata.Component; bom.BOMFormat != "CycloneDX" || bom.SerialNumber+bom.Metadata.Timestamp != "" || c.Name != info.Main.Path || c.Version != "v1.2.3" {
		t.Errorf("the list begins with %+v", bom)
	}
	listed := make(map[string]string)
	for _, c := range bom.Components {
		listed[c.Name] = c.Version
	}
	if len(info.Deps) == 0 {
		t.Error("the program names no modules")
	}
	for _, m := range info.Deps {
		if listed[m.Path] != m.Version {
			t.Errorf("%s %s is listed as %q", m.Path, m.Version, listed[m.Path])
		}
	}
	if want := strings.TrimPrefix(info.GoVersion, "go"); strings.TrimPrefix(listed["std"], "go") != want {
		t.Errorf("the standard library %s is listed as %q", want, listed["std"])
	}
}

func TestAZipHasTheProgramFirst(t *testing.T) {
	t.Parallel()
	dir, at := t.TempDir(), time.Unix(1_700_000_000, 0).UTC()
	path := filepath.Join(dir, "rtmp-server.exe")
	if err := os.WriteFile(path, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	contents, err := zipball("name", at, []string{path, "../LICENSE"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(contents), int64(len(contents)))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.File) != 2 || r.File[0].Name != "name/rtmp-server.exe" || r.File[1].Name != "name/LICENSE" || !r.File[0].Modified.Equal(at) {
		t.Errorf("entries %+v", r.File)
	}
	if _, err := zipball("name", at, []string{filepath.Join(dir, "missing")}); err == nil {
		t.Error("a missing file was packed")
	}
}

func TestTheVersionIsGivenOrFromGit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, version, epoch string
		ok                   bool
	}{
		{"release", "v1.2.3-rc.1+meta", "1700000000", true},
		{"for the linker", "v1 -X main.revision=0", "1700000000", false},
		{"for another directory", "../v1", "1700000000", false},
		{"for the command line", "-v1", "1700000000", false},
		{"a date for an epoch", "v1", "2026-11-23", false},
		{"no git", "", "", false},
	}
	for _, test := range tests {
		env := map[string]string{"VERSION": test.version, "REVISION": "0", "SOURCE_DATE_EPOCH": test.epoch}
		got, err := describe(t.TempDir(), func(name string) string { return env[name] })
		if (err == nil) != test.ok {
			t.Errorf("%s: %+v, %v", test.name, got, err)
		}
		if err == nil && (got.version != test.version || got.revision != "0" || got.time.Unix() != 1_700_000_000) {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestOnlyAnEarlierReleaseIsReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "dist")
	for range 2 {
		if err := empty(dir); err != nil {
			t.Fatal(err)
		}
	}
	stranger := filepath.Join(dir, "thesis.txt")
	if err := os.WriteFile(stranger, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir); err == nil {
		t.Error("somebody's directory was emptied")
	}
	if err := os.WriteFile(filepath.Join(dir, sumsName), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := empty(dir); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%d files are left, %v", len(entries), err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
