package dashboard

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func get(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	Handler().ServeHTTP(answer, r)
	return answer
}

func TestThePageAndItsFilesAreServed(t *testing.T) {
	for path, kind := range map[string]string{
		"/":                    "text/html; charset=utf-8",
		"/js/main.js":          "text/javascript; charset=utf-8",
		"/css/base.css":        "text/css; charset=utf-8",
		"/favicon.svg":         "image/svg+xml",
		"/mpegts/mpegts.js":    "text/javascript; charset=utf-8",
		"/mpegts/package.json": "",
		"/js":                  "",
		"/site/index.html":     "",
		"/../dashboard.go":     "",
	} {
		answer := get(t, path)
		if kind == "" {
			if answer.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, answer.Code)
			}
			continue
		}
		if got := answer.Header().Get("Content-Type"); answer.Code != http.StatusOK || got != kind || answer.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes of %q", path, answer.Code, answer.Body.Len(), got)
		}
	}
}

func TestBrowsersKeepWhatHasNotChanged(t *testing.T) {
	first := get(t, "/js/main.js")
	tag := first.Header().Get("ETag")
	again := get(t, "/js/main.js", "If-None-Match: "+tag)
	if first.Header().Get("Cache-Control") != "no-cache" || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("%s: %d with %d bytes", tag, again.Code, again.Body.Len())
	}
	if other := get(t, "/css/base.css").Header().Get("ETag"); other == tag || other == "" {
		t.Errorf("two files have the tag %s", tag)
	}
}

// own are the files that are no third party's.
func own(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(site, "site", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(name, "/mpegts/") {
			return err
		}
		content, err := fs.ReadFile(site, name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEveryFileHasAType(t *testing.T) {
	for name, f := range load(site) {
		if f.kind == "" {
			t.Errorf("%s has none", name)
		}
	}
}

// The namespaces of XML are names, and not asked for.
var elsewhere = regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}|@import|url\(`)

func TestThePageLoadsNothingFromElsewhere(t *testing.T) {
	for name, content := range own(t) {
		for _, found := range elsewhere.FindAllString(content, -1) {
			if !strings.HasSuffix(found, "//www.w3.org") {
				t.Errorf("%s has %s", name, found)
			}
		}
	}
}

// The policy of the administration makes browsers refuse all of these: this says so
// before a browser does.
var markup = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc|\beval\b|new Function|setTimeout\(['"` + "`" + `]|javascript:|<script>|<style|\sstyle=|\son[a-z]+="`)

func TestThePageMakesNoMarkupOfText(t *testing.T) {
	for name, content := range own(t) {
		if found := markup.FindString(content); found != "" {
			t.Errorf("%s has %s", name, found)
		}
	}
	if !markup.MatchString(`element.innerHTML = text`) || !markup.MatchString(`<p onclick="x()">`) {
		t.Error("nothing would be found")
	}
}

var reference = regexp.MustCompile(`(?:from|import) '(\.[^']+)'|(?:src|href)="(/[^"]+)"`)

func TestEveryFileThatIsAskedForIsThere(t *testing.T) {
	asked := map[string]bool{"site/index.html": true}
	for name, content := range own(t) {
		for _, found := range reference.FindAllStringSubmatch(content, -1) {
			file := path.Join(path.Dir(name), found[1])
			if found[2] != "" {
				file = path.Join("site", found[2])
			}
			if _, err := fs.Stat(site, file); err != nil {
				t.Errorf("%s asks for %s", name, file)
			}
			asked[file] = true
		}
	}
	for name := range own(t) {
		if !asked[name] {
			t.Errorf("nobody asks for %s", name)
		}
	}
}

func TestABrokenBuildDoesNotStart(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it starts")
		}
	}()
	load(fstest.MapFS{})
}
