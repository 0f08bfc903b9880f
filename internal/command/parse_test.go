package command

import (
	"errors"
	"strings"
	"testing"
)

var parseCases = []struct {
	payload string
	want    Command
	err     error
}{
	{payload: "kill-session>live", want: Command{Verb: KillSession, Channel: "live"}},
	{payload: "kill-session>A-z_09", want: Command{Verb: KillSession, Channel: "A-z_09"}},
	{payload: "close-stream>live|id-1_X", want: Command{Verb: CloseStream, Channel: "live", StreamID: "id-1_X"}},
	{payload: "close-stream>live|" + strings.Repeat("s", 256), want: Command{Verb: CloseStream, Channel: "live", StreamID: strings.Repeat("s", 256)}},
	{payload: "kill-session>live\n", want: Command{Verb: KillSession, Channel: "live"}},
	{payload: "kill-session>live\r\n", want: Command{Verb: KillSession, Channel: "live"}},
	{payload: "  kill-session>live ", want: Command{Verb: KillSession, Channel: "live"}},
	{payload: " close-stream>live|id \n", want: Command{Verb: CloseStream, Channel: "live", StreamID: "id"}},
	{payload: "kill-session>live" + strings.Repeat(" ", 4096-17), want: Command{Verb: KillSession, Channel: "live"}},
	{payload: "request-reconnect>live", want: Command{Verb: RequestReconnect, Channel: "live"}},
	{payload: "request-reconnect>live|rtmp://b.example/app\n", want: Command{Verb: RequestReconnect, Channel: "live", URL: "rtmp://b.example/app"}},
	{payload: "request-reconnect>live|rtmps://[2001:db8::1]:443/app?x=%7c", want: Command{Verb: RequestReconnect, Channel: "live", URL: "rtmps://[2001:db8::1]:443/app?x=%7c"}},
	{payload: "request-reconnect>live|rtmp://b", want: Command{Verb: RequestReconnect, Channel: "live", URL: "rtmp://b"}},
	{payload: "request-reconnect>live|rtmp://" + strings.Repeat("b", 1017), want: Command{Verb: RequestReconnect, Channel: "live", URL: "rtmp://" + strings.Repeat("b", 1017)}},

	{payload: "kill-session>live" + strings.Repeat(" ", 4096-16), err: ErrTooLong},
	{payload: strings.Repeat("a", 1<<20), err: ErrTooLong},
	{payload: "", err: ErrSyntax},
	{payload: "\n", err: ErrSyntax},
	{payload: "kill-session", err: ErrSyntax},
	{payload: "kill-session live", err: ErrSyntax},
	{payload: "kill-session|live", err: ErrSyntax},
	{payload: "kill-session>live|more", err: ErrSyntax},
	{payload: "kill-session>live|", err: ErrSyntax},
	{payload: "close-stream>live", err: ErrSyntax},
	{payload: "close-stream>live|id|more", err: ErrSyntax},
	{payload: "close-stream>" + strings.Repeat("|", 4000), err: ErrSyntax},
	{payload: ">", err: ErrUnknown},
	{payload: ">live", err: ErrUnknown},
	{payload: "KILL-SESSION>live", err: ErrUnknown},
	{payload: "kill-session >live", err: ErrUnknown},
	{payload: "kill-sessions>live", err: ErrUnknown},
	{payload: "\x00kill-session>live", err: ErrUnknown},
	{payload: "\tkill-session>live", err: ErrUnknown},
	{payload: "flush-all>live", err: ErrUnknown},
	{payload: "kill-session>", err: ErrID},
	{payload: "kill-session>>live", err: ErrID},
	{payload: "kill-session> live", err: ErrID},
	{payload: "kill-session>live\n\n", err: ErrID},
	{payload: "kill-session>li\nve", err: ErrID},
	{payload: "kill-session>live\x00", err: ErrID},
	{payload: "kill-session>liv\u00e9", err: ErrID},
	{payload: "kill-session>\xff\xfe", err: ErrID},
	{payload: "kill-session>../etc", err: ErrID},
	{payload: "kill-session>*", err: ErrID},
	{payload: "close-stream>|id", err: ErrID},
	{payload: "close-stream>live|", err: ErrID},
	{payload: "close-stream>live|i d", err: ErrID},
	{payload: "close-stream>live|" + strings.Repeat("s", 257), err: ErrID},
	{payload: "request-reconnect", err: ErrSyntax},
	{payload: "request-reconnect>live|rtmp://b|more", err: ErrSyntax},
	{payload: "request-reconnect>", err: ErrID},
	{payload: "request-reconnect>|rtmp://b", err: ErrID},
	{payload: "request-reconnect>li ve|rtmp://b", err: ErrID},
	{payload: "request-reconnect>live|", err: ErrURL},
	{payload: "request-reconnect>live|b.example", err: ErrURL},
	{payload: "request-reconnect>live|/app", err: ErrURL},
	{payload: "request-reconnect>live|//b.example/app", err: ErrURL},
	{payload: "request-reconnect>live|http://b.example/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmpt://b.example/app", err: ErrURL},
	{payload: "request-reconnect>live|RTMP://b.example/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp:b.example", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://", err: ErrURL},
	{payload: "request-reconnect>live|rtmp:///app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://:1935/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b:x/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b:0/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b:65536/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://user:password@b/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b/a b", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b/a\nb", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b/a\x00b", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b/a\x7fb", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b\u00e9/app", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://b/%zz", err: ErrURL},
	{payload: "request-reconnect>live|rtmp://" + strings.Repeat("b", 1018), err: ErrURL},
}

func TestMessagesAreParsedExactly(t *testing.T) {
	for _, c := range parseCases {
		got, err := Parse(c.payload)
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("Parse(%.60q) = %+v, %v; want %+v, %v", c.payload, got, err, c.want, c.err)
		}
	}
}

func FuzzRedisCommand(f *testing.F) {
	for _, c := range parseCases {
		f.Add(c.payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, err := Parse(payload)
		if err != nil {
			if c != (Command{}) {
				t.Fatalf("a command %+v beside error %v", c, err)
			}
			for _, known := range []error{ErrTooLong, ErrSyntax, ErrUnknown, ErrID, ErrURL} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("error %v without a known reason", err)
		}
		if !strings.Contains(payload, c.String()) || len(payload) > maxPayload {
			t.Fatalf("%q became %q", payload, c)
		}
		if again, err := Parse(c.String()); again != c || err != nil {
			t.Fatalf("%q became %+v, %v", c, again, err)
		}
		if c.StreamID != "" != (c.Verb == CloseStream) || len(c.StreamID) > maxStreamID {
			t.Fatalf("stream id %q of %s", c.StreamID, c.Verb)
		}
		if c.URL != "" && (c.Verb != RequestReconnect || len(c.URL) > maxURL || strings.ContainsAny(c.URL, "\x00\r\n |")) {
			t.Fatalf("URL %q of %s", c.URL, c.Verb)
		}
	})
}

func BenchmarkParseJunk(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Parse("nonsense that anyone may publish")
	}
}
