package server

import (
	"errors"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// paths are the ways in which clients cut one URL, and what is none.
var paths = []struct {
	app, name string
	want      path
	ok        bool
}{
	{"live", "key", path{"live", "key", wishes{}}, true},
	{"live/", "/key", path{"live", "key", wishes{}}, true},
	{"/live//", "//key/", path{"live", "key", wishes{}}, true},
	{"live/key", "", path{"live", "key", wishes{}}, true},
	{"", "live/key", path{"live", "key", wishes{}}, true},
	{"live", "key?token=a/b", path{"live", "key", wishes{}}, true},
	{"live?token=a/b", "key", path{"live", "key", wishes{}}, true},
	{"live/key?a=b", "?c=d", path{"live", "key", wishes{}}, true},
	{"live", "key?cache=no", path{"live", "key", wishes{live: true}}, true},
	{"live?x=1&cache=no", "key", path{"live", "key", wishes{live: true}}, true},
	{"live", "key?cache=now&nocache=no", path{"live", "key", wishes{}}, true},
	{"live", "key?tracks=all&enhanced=no", path{"live", "key", wishes{allTracks: true, plain: true}}, true},
	{"live?enhanced=no", "key?enhanced=yes&hevc=legacy", path{"live", "key", wishes{enhanced: true, hevc: media.HEVCByCodecID}}, true},
	{"live", "key?enhanced=yes&enhanced=no&hevc=fourcc", path{"live", "key", wishes{plain: true, hevc: media.HEVCByFourCC}}, true},
	{"live", "key?tracks=1&enhanced=&hevc=auto&hevc=published&tracks", path{"live", "key", wishes{}}, true},
	{"A-z_09", "0123456789abcdef", path{"A-z_09", "0123456789abcdef", wishes{}}, true},
	{"live/key?", "user=a&pass=b/c", path{"live", "key", wishes{}}, true},
	{"live/key?", "cache=no", path{"live", "key", wishes{live: true}}, true},
	{"live?", "key", path{"live", "key", wishes{}}, true},
	{"live?", "key?a=b", path{"live", "key", wishes{}}, true},
	{"live?k=v/key", "", path{"live", "key", wishes{}}, true},
	{"/live?a=b&cache=no/key/", "/?tracks=all", path{"live", "key", wishes{live: true, allTracks: true}}, true},
	{"", "live?cache=no/key", path{"live", "key", wishes{live: true}}, true},
	{"live?k=v/w", "key", path{"live", "key", wishes{}}, true},
	{"live/key?k=v/w", "", path{"live", "key", wishes{}}, true},
	{"live/_definst_", "key", path{"live", "key", wishes{}}, true},
	{"live", "_definst_/key", path{"live", "key", wishes{}}, true},
	{"live/_definst_/", "key?k=v", path{"live", "key", wishes{}}, true},
	{"live/_definst_/key", "", path{"live", "key", wishes{}}, true},
	{"live", "_definst_", path{"live", "_definst_", wishes{}}, true},
	{"live/_definst_/a", "key", path{}, false},
	{"live/other", "key", path{}, false},
	{"live?k=v", "", path{}, false},
	{"live?k=v/", "", path{}, false},
	{"live?k=v/k=w", "", path{}, false},
	{"?k=v/key", "", path{}, false},
	{"live/key", "a=b", path{}, false},
	{"live/key?x", "a=b", path{}, false},
	{"live?", "a=b", path{}, false},
	{"live", "0123456789abcdefg", path{}, false},
	{"0123456789abcdefg", "key", path{}, false},
	{"", "", path{}, false},
	{"live", "", path{}, false},
	{"", "key", path{}, false},
	{"a", "b/c", path{}, false},
	{"a/b", "c", path{}, false},
	{"live", "..", path{}, false},
	{"live", "k\x00y", path{}, false},
	{"live", "kéy", path{}, false},
	{"live", "k%20y", path{}, false},
	{"live", "k y", path{}, false},
	{"live\n", "key", path{}, false},
	{"live", "\xff\xfe", path{}, false},
	{"live", "?user=x&pass=y", path{}, false},
}

func TestParsePath(t *testing.T) {
	conformance.Covers(t, 103, 105)
	for _, test := range paths {
		got, err := parsePath(test.app, test.name, 16)
		if (err == nil) != test.ok || got != test.want || (err != nil && !errors.Is(err, errPath)) {
			t.Errorf("parsePath(%q, %q) = %+v, %v; want %+v, ok %v", test.app, test.name, got, err, test.want, test.ok)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	for _, test := range paths {
		f.Add(test.app, test.name)
	}
	f.Fuzz(func(t *testing.T, app, name string) {
		p, err := parsePath(app, name, 16)
		if err != nil {
			return
		}
		for _, id := range []string{p.channel, p.key} {
			if len(id) == 0 || len(id) > 16 || strings.IndexFunc(id, func(r rune) bool {
				return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r)
			}) >= 0 {
				t.Errorf("parsePath(%q, %q) lets %q through", app, name, id)
			}
		}
		again, err := parsePath(p.channel, p.key, 16)
		if err != nil || again.channel != p.channel || again.key != p.key {
			t.Errorf("%+v does not parse to itself", p)
		}
	})
}

func TestMaskKey(t *testing.T) {
	for key, want := range map[string]string{"": "***", "short": "***", "1234567": "***", "12345678": "12***"} {
		if got := maskKey(key); got != want {
			t.Errorf("maskKey(%q) = %q, want %q", key, got, want)
		}
	}
}
