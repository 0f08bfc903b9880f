package server

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// ends returns the last lines of connections, of a log in JSON, in the order of their
// ids.
func (j *journal) ends(t *testing.T) []map[string]any {
	t.Helper()
	synctest.Wait()
	j.mu.Lock()
	defer j.mu.Unlock()
	var ends []map[string]any
	for _, line := range j.lines {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if fields["msg"] == "end" {
			ends = append(ends, fields)
		}
	}
	slices.SortFunc(ends, func(a, b map[string]any) int { return int(a["id"].(float64) - b["id"].(float64)) })
	return ends
}

func TestTheLastLineSaysEverythingOfASession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := newFixture(t, func(o *Options) { o.Ended = nil })
		f.log = slog.New(slog.NewJSONHandler(f.journal, nil))
		defer f.stop()
		publisher, up := f.publish("live", "key")
		go func() { _ = drain(up) }()
		down := f.viewer("live", "key")
		go func() { _ = drain(down) }()
		for i := range uint32(3) {
			if err := publisher.WriteMessage(frame(0x17, i*40, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Second)
		_ = down.Close()
		synctest.Wait()
		f.registry.KillSession("live")
		refused, conn := f.client("live")
		if err := refused.Play(1, "key"); err == nil {
			t.Error("it plays without a stream")
		}
		time.Sleep(2 * lingerTimeout)
		_ = conn.Close()
		_ = up.Close()
		ends := f.journal.ends(t)
		want := []struct {
			names  string
			fields map[string]any
		}{
			{
				"addr bytes_in bytes_out channel client duration id level messages msg protocol reason role started stream_id time",
				map[string]any{"id": 1.0, "role": "publisher", "channel": "live", "reason": "killed by command", "messages": 3.0},
			},
			{
				"addr bytes_in bytes_out channel client duration id lag level messages msg protocol reason role started time",
				map[string]any{"id": 2.0, "role": "player", "reason": "closed by client", "lag": 0.0, "messages": 3.0, "duration": 2e9},
			},
			{
				"addr bytes_in bytes_out client detail duration id level msg protocol reason started time",
				map[string]any{"id": 3.0, "reason": "command out of order", "detail": "message stream was not created"},
			},
		}
		if len(ends) != len(want) {
			t.Fatalf("%d ends, want %d: %v", len(ends), len(want), ends)
		}
		for i, w := range want {
			if names := strings.Join(slices.Sorted(maps.Keys(ends[i])), " "); names != w.names {
				t.Errorf("%s\nends with %s, want\n%s", w.fields["role"], names, w.names)
			}
			w.fields["addr"], w.fields["protocol"] = testAddr.String(), "rtmp"
			for name, value := range w.fields {
				if ends[i][name] != value {
					t.Errorf("%s is %v, want %v", name, ends[i][name], value)
				}
			}
		}
		if started, err := time.Parse(time.RFC3339Nano, ends[0]["started"].(string)); err != nil || !started.Equal(start) {
			t.Errorf("started %v, want %v: %v", started, start, err)
		}
	})
}

// TestTheLastLineSaysHowFarBehindAViewerWas has one stop reading.
func TestTheLastLineSaysHowFarBehindAViewerWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.log = slog.New(slog.NewJSONHandler(f.journal, nil))
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		down := f.viewer("live", "key")
		defer func() { _ = down.Close() }()
		for i := range uint32(70) {
			if err := publisher.WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i == 0], i*100, 150_000)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		ends := f.journal.ends(t)
		if len(ends) != 1 || ends[0]["reason"] != string(stream.ReasonStalled) {
			t.Fatalf("the ends are %v", ends)
		}
		if lag := time.Duration(ends[0]["lag"].(float64)); lag < 3*time.Second || lag > 7*time.Second {
			t.Errorf("it was %v behind", lag)
		}
	})
}

func TestTheLastLineCountsAllSessionsOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		f.log = slog.New(slog.NewJSONHandler(f.journal, nil))
		defer f.stop()
		publisher, up := f.publish("live", "key")
		go func() { _ = drain(up) }()
		for _, m := range []rtmp.Message{
			frame(0x17, 0, 100),
			rtmp.Command{Name: "FCUnpublish", Args: []any{"key"}}.Message(0),
			rtmp.Command{Name: "publish", Args: []any{"key", "live"}}.Message(1),
			frame(0x17, 0, 100),
		} {
			if err := publisher.WriteMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		_ = up.Close()
		if end := f.journal.ends(t)[0]; end["sessions"] != 2.0 || end["messages"] != 2.0 {
			t.Errorf("the end is %v", end)
		}
	})
}
