package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const mpegts = "../internal/dashboard/site/mpegts/"

// checkEmbedded looks for the packages in the list of a program.
func checkEmbedded(t *testing.T, list []byte) {
	t.Helper()
	var bom struct {
		Components []struct {
			Ref      string `json:"bom-ref"`
			Purl     string
			Type     string
			Licenses []struct{ License struct{ ID string } }
			Hashes   []struct{ Alg, Content string }
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	if err := json.Unmarshal(list, &bom); err != nil {
		t.Fatal(err)
	}
	packages, err := embeddedPackages("..")
	if err != nil {
		t.Fatal(err)
	}
	licenses, needs := make(map[string]string), make(map[string][]string)
	for _, c := range bom.Components {
		if c.Ref == c.Purl && c.Type == "library" && len(c.Licenses) == 1 && len(c.Hashes) == 1 && len(c.Hashes[0].Content) == 128 {
			licenses[c.Purl] = c.Licenses[0].License.ID
		}
	}
	for _, d := range bom.Dependencies {
		needs[d.Ref] = d.DependsOn
	}
	refs := make([]string, len(packages))
	for i, p := range packages {
		refs[i] = p.purl()
		if licenses[p.purl()] != p.License {
			t.Errorf("%s is listed with the licence %q", p.purl(), licenses[p.purl()])
		}
	}
	page := "pkg:npm/mpegts.js@" + versionOf(t, packages)
	if !slices.Contains(bom.Dependencies[0].DependsOn, page) {
		t.Errorf("the program depends on %v", bom.Dependencies[0].DependsOn)
	}
	if got := needs[page]; len(got) == 0 || !contains(refs, got) {
		t.Errorf("mpegts.js depends on %v, of %v", got, refs)
	}
}

func contains(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}

// versionOf is that of mpegts.js.
func versionOf(t *testing.T, packages []npmPackage) string {
	t.Helper()
	for _, p := range packages {
		if p.name == embedded {
			return p.Version
		}
	}
	t.Fatalf("there is no %s", embedded)
	return ""
}

// TestWhatThePageHasWithinIsListed holds the lock against the files.
func TestWhatThePageHasWithinIsListed(t *testing.T) {
	t.Parallel()
	packages, err := embeddedPackages("..")
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, p := range packages {
		if p.name == embedded {
			texts = append(texts, "LICENSE.txt")
		} else {
			texts = append(texts, p.name+".LICENSE.txt")
		}
	}
	slices.Sort(texts)
	files, err := filepath.Glob(mpegts + "*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if !reflect.DeepEqual(files, texts) {
		t.Errorf("the licences of the packages would be %v; there are %v", texts, files)
	}
	if v := versionOf(t, packages); !strings.Contains(string(read(t, mpegts, "mpegts.js")), `"`+v+`"`) {
		t.Errorf("mpegts.js is not of the version %s", v)
	}
	others, err := filepath.Glob("../internal/dashboard/site/*/*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range others {
		if dir := filepath.Base(filepath.Dir(file)); dir != "js" && filepath.Base(file) != "mpegts.js" {
			t.Errorf("%s is listed nowhere", file)
		}
	}
}

func TestALockThatDoesNotNameAllIsNoList(t *testing.T) {
	t.Parallel()
	const sum = "sha512-AAAA"
	tests := []struct{ name, lock, list string }{
		{"no lock", "", "{}"},
		{"no JSON", "{", "{}"},
		{"no such package", `{}`, "{}"},
		{"no licence", `{"packages": {"node_modules/mpegts.js": {"version": "1"}}}`, "{}"},
		{"no dependency", `{"packages": {"node_modules/mpegts.js": {"version": "1", "license": "MIT", "dependencies": {"events": "1"}}}}`, "{}"},
		{"no sum", `{"packages": {"node_modules/mpegts.js": {"version": "1", "license": "MIT"}}}`, `{"dependencies": [{"ref": "program"}]}`},
		{"no list", `{"packages": {"node_modules/mpegts.js": {"version": "1", "license": "MIT", "integrity": "` + sum + `"}}}`, ""},
		{"list without program", `{"packages": {"node_modules/mpegts.js": {"version": "1", "license": "MIT", "integrity": "` + sum + `"}}}`, "{}"},
	}
	for _, test := range tests {
		dir := t.TempDir()
		lock, list := filepath.Join(dir, npmLock), filepath.Join(dir, "list")
		if err := os.MkdirAll(filepath.Dir(lock), 0o700); err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{lock: test.lock, list: test.list} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		packages, err := embeddedPackages(dir)
		if err == nil {
			err = listEmbedded(list, packages)
		}
		if err == nil {
			t.Errorf("%s: there is a list", test.name)
		}
	}
}
