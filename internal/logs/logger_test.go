package logs

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
)

func TestFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, format := range []Format{Text, JSON} {
			var out output
			out.setBroken(true, 0)
			log, q := New(&out, format, slog.LevelInfo)
			log.Info("lost")
			synctest.Wait()
			out.setBroken(false, 0)
			log.Debug("not shown")
			log.Info("shown", "name", "a value")
			q.Close()
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			if len(lines) != 2 {
				t.Fatalf("%s: %d lines: %q", format, len(lines), lines)
			}
			if format == Text {
				for i, want := range []string{`level=WARN msg="log lines lost, the output did not take them" lines=1`, `level=INFO msg=shown name="a value"`} {
					if !strings.HasPrefix(lines[i], "time=") || !strings.HasSuffix(lines[i], want) {
						t.Errorf("line %d is %q", i, lines[i])
					}
				}
				continue
			}
			var loss, shown map[string]any
			if json.Unmarshal([]byte(lines[0]), &loss) != nil || loss["lines"] != 1.0 || loss["level"] != "WARN" || loss["time"] == nil {
				t.Errorf("the loss is %q", lines[0])
			}
			if json.Unmarshal([]byte(lines[1]), &shown) != nil || shown["name"] != "a value" {
				t.Errorf("the line is %q", lines[1])
			}
		}
	})
}
