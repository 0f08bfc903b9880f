package main

import (
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestKeyFiles(t *testing.T) {
	tests := []struct {
		name string
		text string
		want keys
		fail string // in the error
	}{
		{"empty", "", keys{}, ""},
		{"two channels", "a 1\nb 2\n", keys{"a": "1", "b": "2"}, ""},
		{"no line end, tabs, CR LF", "a\t1\r\n  b   2", keys{"a": "1", "b": "2"}, ""},
		{"comments and blank lines", "# a 1\n\n \n#\nb 2\n", keys{"b": "2"}, ""},
		{"channel without a key", "a 1\nb-secret\n", nil, "line 2 has 1 words"},
		{"too many words", "a 1 secret", nil, "line 1 has 3 words"},
		{"channel twice", "a 1\n\na secret\n", nil, "line 3 has a channel that an earlier line has"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := keysOf(t, test.text).read()
			if !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, expected %v", got, test.want)
			}
			switch {
			case test.fail == "" && err != nil:
				t.Error(err)
			case test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail) || strings.Contains(err.Error(), "secret")):
				t.Errorf("error %v, expected one with %q that quotes no key", err, test.fail)
			}
		})
	}
}

func TestAnEmptyKeyMatchesNothing(t *testing.T) {
	if (keys{"live": testKey}).match("other", "") {
		t.Error("the empty key is that of an unknown channel")
	}
}

func TestChangesOfTheKeyFileCountAtOnce(t *testing.T) {
	file := keysOf(t, "")
	h := newHandler([]byte(testSecret), file, discard())
	// The texts are equally long and written in one moment, so that neither size
	// nor time of the file tells them apart.
	for _, step := range []struct {
		text   string
		status int
	}{
		{"live " + testKey, http.StatusOK},
		{"evil " + testKey, http.StatusForbidden},
		{"live " + testKey, http.StatusOK},
		{"live-" + testKey, http.StatusInternalServerError},
		{"live " + testKey, http.StatusOK},
	} {
		if err := os.WriteFile(string(file), []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		reply := post(h, http.MethodPost, sign(t, testSecret, nil))
		_ = reply.Body.Close()
		if reply.StatusCode != step.status {
			t.Errorf("with %q: status %d, expected %d", step.text, reply.StatusCode, step.status)
		}
	}
}
