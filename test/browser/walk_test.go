package browser

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// patience is for a browser on a machine that is busy.
const patience = 2 * time.Minute

// walk is a walk through the page under way.
type walk struct {
	*stage.Program
	t     *testing.T
	steps *lines
}

// lines takes what a walk says, line by line.
type lines struct {
	*stage.Journal[string]
	mu   sync.Mutex // guards rest
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.Add(string(line))
		l.rest = rest
	}
}

// start sets out on a walk.
func start(t *testing.T, name string, args ...string) *walk {
	t.Helper()
	steps := &lines{Journal: stage.NewJournal[string]()}
	w := &walk{stage.Launch(t, steps, "node", append([]string{"walk.mjs", name}, args...)...), t, steps}
	go func() {
		<-w.Done
		steps.End()
	}()
	t.Cleanup(func() { steps.AwaitEnd(stage.Soon) })
	return w
}

// await waits for the nth step of a name, from 1, and reads what it says.
func (w *walk) await(n int, name string, facts any) {
	w.t.Helper()
	said, ok := w.steps.Await(patience, func(line string) bool {
		if strings.HasPrefix(line, `{"step":"`+name+`"`) {
			n--
		}
		return n == 0
	})
	if !ok {
		_ = w.Cmd.Process.Kill()
		<-w.Done
		w.t.Fatalf("the step %q did not come:\n%s\n%s", name, strings.Join(said, "\n"), w.Output.String())
	}
	if err := json.Unmarshal([]byte(said[len(said)-1]), facts); err != nil {
		w.t.Fatal(err)
	}
}

// finish wants the walk to come to its end.
func (w *walk) finish() { w.Succeed(patience) }

// each reads all steps of a name, when the walk has come to its end.
func each[T any](w *walk, name string) []T {
	w.t.Helper()
	w.finish()
	var steps []T
	for _, line := range w.steps.All() {
		if !strings.HasPrefix(line, `{"step":"`+name+`"`) {
			continue
		}
		var step T
		if err := json.Unmarshal([]byte(line), &step); err != nil {
			w.t.Fatal(err)
		}
		steps = append(steps, step)
	}
	return steps
}

// serve starts a server with an administration, and returns its URL.
func serve(t *testing.T, settings ...string) (s *stage.Server, url string) {
	t.Helper()
	s = stage.Start(t, append([]string{"ADMIN_ADDRESS=127.0.0.1:0", "CONCURRENT_LIMIT_WHITELIST=127.0.0.1"}, settings...)...)
	return s, stage.Attr(s.AwaitLine("msg=administration"), "url")
}

// publish publishes a clip until the test ends.
func publish(t *testing.T, s *stage.Server, name, path string, options ...string) *stage.Program {
	t.Helper()
	args := append([]string{"-re", "-stream_loop", "-1", "-i", clip(name)}, options...)
	p := stage.Ffmpeg(t, append(args, "-c", "copy", "-f", "flv", s.URL(path))...)
	channel, _, _ := strings.Cut(path, "/")
	s.AwaitLine("msg=publish", "channel="+channel)
	return p
}
