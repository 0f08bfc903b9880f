package server

import (
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// TestNeitherKeysNorTokensAreLogged looks for them in everything that the log
// tells, at debug level, of sessions that are accepted, refused, and replaced.
func TestNeitherKeysNorTokensAreLogged(t *testing.T) {
	conformance.Covers(t, 211)
	const secret = "s3cretS3cretS3cret"
	for _, place := range []struct{ name, app, key string }{
		{"key", "live", secret},
		{"key in the app", "live/" + secret, ""},
		{"token behind the app", "live?token=" + secret, "key"},
		{"token behind the key", "live", "key?token=" + secret},
		{"token in both", "live/key?a=" + secret, "?b=" + secret},
		{"key that is none", "live", secret + "/" + secret},
		{"key of other letters", "live", secret + "\n\x1b["},
		{"key that is too long", "live", strings.Repeat(secret, 20)},
	} {
		t.Run(place.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFixture(t, func(o *Options) {
					o.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				tries := [][]rtmp.Message{
					{publishCommand(place.key)},
					{publishCommand(place.key)}, // the channel is busy
					{playCommand(place.key)},
					{playCommand("wrong" + place.key)},
					{rtmp.Command{Name: "FCPublish", Transaction: 3, Args: []any{place.key}}.Message(0), publishCommand("other" + place.key)},
				}
				for _, commands := range tries {
					conn := f.dial()
					defer func() { _ = conn.Close() }()
					connect := rtmp.Command{Name: "connect", Transaction: 1, Object: amf.Object{
						{Name: "app", Value: place.app},
						{Name: "tcUrl", Value: "rtmp://example.com/" + place.app},
						{Name: "swfUrl", Value: "rtmp://example.com/" + place.app},
					}}.Message(0)
					greet(t, conn, append([]rtmp.Message{connect, createStream}, commands...)...)
					go func() { _ = drain(conn) }()
					synctest.Wait()
				}
				f.registry.KillSession("live")
				f.stop()
				if n := j.count("msg=connect"); n != len(tries) || j.count("msg=end") != n {
					t.Errorf("the log tells of %d connections:\n%s", n, strings.Join(j.lines, ""))
				}
				for _, line := range j.lines {
					if strings.Contains(line, "cretS3") {
						t.Errorf("in the log: %s", line)
					}
				}
			})
		})
	}
}

func publishCommand(key string) rtmp.Message {
	return rtmp.Command{Name: "publish", Transaction: 4, Args: []any{key, "live"}}.Message(1)
}
