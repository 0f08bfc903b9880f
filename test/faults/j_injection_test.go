package faults

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// injections are texts that a log must not take as they are.
var injections = []string{
	"line\nlevel=WARN msg=forged", "line\r\nlevel=WARN msg=forged", "\x1b[2J\x1b[31mred", "nul\x00nul", "line\u2028line\u2029line",
	`quote" level=WARN msg="forged`, `{"level":"WARN","msg":"forged"}`, "\u202Ebackwards", "not \xff\xfe UTF-8", "key=value other=value",
	`\`, "\x7f\u0085\u009b31m", "${jndi:ldap://127.0.0.1/x}", "%n%n%s%d", strings.Repeat("A", 60_000),
}

// maxLine is more than any line takes that quotes what a peer sent, and less than any
// of the long texts.
const maxLine = 8 << 10

// Whatever a peer says, each line of the log is one record, of a bounded length.
func TestEachLineOfTheLogIsOneRecord(t *testing.T) {
	for format, check := range map[string]func(string) error{"text": checkText, "json": checkJSON} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = r.Close() })
			lines := stage.NewJournal[string]()
			f := beginAs(t, "J2", stage.Process{Stdout: w, Output: translate(r, lines)},
				"LOG_FORMAT="+format, "LOG_DEBUG=YES", "KEY_GUESSES_PER_MINUTE=0")
			for i, text := range injections {
				f.injectEverywhere(host(i), text)
			}
			f.canary.await(10)
			f.figure("texts", len(injections))
			f.figure("lines", len(lines.All()))
			if len(lines.All()) < len(injections) {
				f.Errorf("only %d lines were logged", len(lines.All()))
			}
			for _, line := range lines.All() {
				err := check(line)
				if odd := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); odd >= 0 {
					err = fmt.Errorf("%q in it", line[odd:])
				}
				if len(line) > maxLine {
					err = fmt.Errorf("%d bytes long", len(line))
				}
				if err != nil {
					f.Errorf("%v: %.300q", err, line)
				}
			}
		})
	}
}

// injectEverywhere says a text wherever the server may quote it.
func (f *fault) injectEverywhere(from, text string) {
	f.Helper()
	for _, where := range []struct{ app, url, flash, key, kind, command string }{
		{app: text, key: "key"},
		{app: "channel", key: text, url: text, flash: text},
		{app: "channel", key: "key", kind: text, flash: text, command: text},
		{app: "channel/" + text, key: "key?token=" + text},
	} {
		c, err := dial(f, from, f.server.Addr, nil)
		if err != nil {
			f.Error(err)
			return
		}
		object := amf.Object{
			{Name: "app", Value: where.app}, {Name: "flashVer", Value: where.flash}, {Name: "tcUrl", Value: where.url},
			{Name: "swfUrl", Value: text}, {Name: "pageUrl", Value: text}, {Name: "type", Value: text}, {Name: text, Value: text},
		}
		say := func(stream uint32, name string, object amf.Object, args ...any) {
			_ = c.WriteMessage(rtmp.Command{Name: name, Transaction: 1, Object: object, Args: args}.Message(stream))
		}
		say(0, "connect", object)
		say(0, "releaseStream", nil, where.key)
		say(0, "FCPublish", nil, where.key)
		say(0, "createStream", nil)
		say(0, text, nil, text)
		say(1, "publish", nil, where.key, where.kind)
		data := amf.Append(amf.Append(nil, "@setDataFrame"), "onMetaData")
		data = amf.Append(data, amf.Object{{Name: "encoder", Value: text}, {Name: text, Value: text}})
		_ = c.WriteMessage(rtmp.Message{Type: rtmp.TypeData, Stream: 1, Payload: data})
		say(1, "play", nil, where.key)
		_ = c.Conn.CloseWrite()
		c.Record().AwaitEnd(stage.Soon)
	}
}

// record is a line of slog's TextHandler: names and values, the ones with anything
// odd in them quoted as in Go.
var record = regexp.MustCompile(`^time=\S+ level=(?:DEBUG|INFO|WARN) msg=(?:[^ "=]+|"(?:[^"\\]|\\.)*")(?: (?:[^ "=]+|"(?:[^"\\]|\\.)*")=(?:[^ "=]*|"(?:[^"\\]|\\.)*"))*$`)

func checkText(line string) error {
	if !record.MatchString(line) {
		return errors.New("no record")
	}
	if strings.Contains(line, " msg=forged") && !strings.Contains(line, `\`) {
		return errors.New("forged")
	}
	return nil
}

func checkJSON(line string) error {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		return err
	}
	if fields["msg"] == "forged" {
		return errors.New("forged")
	}
	return nil
}

// translate notes the lines of a log, and returns one of the other format for the
// stage, which reads no JSON.
func translate(log io.Reader, lines *stage.Journal[string]) io.Reader {
	r, w := io.Pipe()
	go func() {
		defer func() { _ = w.Close() }()
		text := bufio.NewScanner(log)
		text.Buffer(nil, 4<<20)
		for text.Scan() {
			line := text.Text()
			lines.Add(line)
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil {
				line = ""
				for name, value := range fields {
					if shown := fmt.Sprint(value); strings.ContainsAny(shown, " =\"\n") {
						line += name + "=" + strconv.Quote(shown) + " "
					} else {
						line += name + "=" + shown + " "
					}
				}
			}
			_, _ = io.WriteString(w, strings.TrimSpace(line)+"\n")
		}
	}()
	return r
}
