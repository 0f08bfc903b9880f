package faults

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// nasty returns names that mean something to a log, a shell, a database, a browser,
// a file system or Redis, and are no names of channels.
func nasty() []string {
	list := []string{
		"\x7f", "..", ".", "../../etc/passwd", "..%2f..%2f", "a b", "a\tb", "a\r\nlevel=WARN msg=injected", "a\nb", "a\x00b", "\x1b[31mred\x1b[0m",
		"\u202eetac", "a\u2028b", "\ufeffa", "ключ", "日本語", "\xff\xfe", "\xc0\xaf", "a>b", "kill-session>canary", "*", "{}", "$(id)", "`id`",
		"${jndi:ldap://x}", "%s%n%x", "' OR 1=1 --", "\"; DROP TABLE keys", "<script>alert(1)</script>", "<!--", "&amp;", "a;b", "a|b", "a&b",
		"a=b", "a,b", "a:b", "a@b", "a#b", "a!b", "a'b", "a\"b", "a\\b", "a+b", "a~b", "a^b", "a[b]", "(a)", "a*b", strings.Repeat("a", 129),
		strings.Repeat("a", 20_000), "a.b", "-.-", "NaN\x00", "injected\"} 1\nrtmp_sessions{kind=\"evil",
	}
	for c := range rune(256) {
		if c != '/' && c != '?' && (c > 126 || !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '-' && c != '_') {
			list = append(list, "x"+string(c)+"y")
		}
	}
	return list
}

// C9: what is no name is refused before anybody else sees it.
func TestNamesThatInject(t *testing.T) {
	t.Parallel()
	b := stage.StartBackend(t, "", nil)
	b.Answer = b.Accept
	f := begin(t, "C9", "LOG_DEBUG=YES", "CALLBACK_URL="+b.URL, "JWT_SECRET="+stage.CallbackSecret)
	names := nasty()
	const lanes, ways = 16, 4
	crowd(lanes, func(lane int) {
		for i := lane; i < ways*len(names); i += lanes {
			if err := f.inject(i, names[i/ways], i%ways); err != nil {
				f.Error(err)
			}
		}
	})
	f.figure("names", len(names))
	f.wantEnded("invalid channel or key", 3*len(names))
	for _, e := range b.Events.All() {
		if !regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`).MatchString(e.Channel+e.Key) || e.Channel != stage.CanaryChannel && e.Channel != "good" {
			f.Errorf("the backend was asked for %q/%q", e.Channel, e.Key)
		}
	}
	for _, line := range f.server.Log.All() {
		if !strings.HasPrefix(line, "time=") || len(line) > 8192 || strings.ContainsFunc(line, isRaw) {
			f.Errorf("this is no line of the log: %.300q", line)
		}
	}
	pages := f.get("/metrics")
	f.figure("series", len(pages))
	if i := slices.IndexFunc(pages, func(line string) bool {
		return strings.Contains(line, "evil") || strings.Contains(line, "<script") || strings.Contains(line, "jndi")
	}); i >= 0 {
		f.Errorf("the metrics show %q", pages[i])
	}
}

// isRaw reports whether a character may not be in the log as it is.
func isRaw(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }

// inject has a client say a name in one of the ways.
func (f *fault) inject(n int, name string, way int) error {
	a, err := f.attack(n, asNewcomer)
	if err != nil {
		return err
	}
	defer func() { _ = a.Conn.Close() }()
	app, key, how := "good", fmt.Sprint("key", n), stage.Publishing
	switch way {
	case 0:
		app = name
	case 1:
		key = name
	case 2:
		key, how = name, stage.Watching
	}
	options := rtmp.ConnectOptions{App: app, TCURL: "rtmp://server/" + name}
	if way == 3 { // in all that may be anything
		options.FlashVersion = name[:min(len(name), 10_000)]
		options.Extra = amf.Object{{Name: "swfUrl", Value: name[:min(len(name), 10_000)]}, {Name: "pageUrl", Value: name[:min(len(name), 10_000)]}}
		options.App, options.TCURL = fmt.Sprintf("good?token=%.100s", strings.ReplaceAll(name, "/", "")), ""
		how = stage.Watching
	}
	if _, err = a.Connect(options); err == nil {
		if a.Stream, err = a.CreateStream(); err == nil {
			err = how(a.Client.Client, a.Stream, key)
		}
	}
	var refused *rtmp.StatusError
	switch {
	case way == 3 && err == nil:
		return nil
	case way == 3:
		return fmt.Errorf("a client that shows %.100q is refused: %w", name, err)
	case err == nil:
		return fmt.Errorf("%.100q is accepted as name %d", name, way)
	case !errors.As(err, &refused):
		return fmt.Errorf("%.100q as name %d gets no answer: %w", name, way, err)
	}
	return nil
}
