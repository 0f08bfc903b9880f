package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// awaitPairs waits until the backend has heard of the end of each start that it
// has accepted so far.
func awaitPairs(t *testing.T, b *stage.Backend, within time.Duration) {
	t.Helper()
	total := 0
	for _, d := range b.Ledger.All() {
		if d.Kind == stage.DeedAccepted {
			total++
		}
	}
	accepted, open := 0, make(map[string]bool)
	_, ok := b.Ledger.Await(within, func(d stage.Deed) bool {
		if d.Kind == stage.DeedAccepted {
			accepted++
			open[d.ID] = true
		} else {
			delete(open, d.ID)
		}
		return accepted >= total && len(open) == 0
	})
	if !ok && total > 0 {
		t.Errorf("of %d starts %d have no stop within %v", total, len(open), within)
	}
}

// checkPairs wants each accepted start to have at least one stop with its id
// and its claims, after it, and each stop to have a start. It returns how many
// starts there were, and how many stops more.
func checkPairs(t *testing.T, b *stage.Backend) (starts, repeated int) {
	t.Helper()
	started := make(map[string]stage.Event)
	stops := make(map[string]int)
	for _, d := range b.Ledger.All() {
		if d.Kind == stage.DeedAccepted {
			started[d.ID] = d.Event
			continue
		}
		start, known := started[d.ID]
		switch {
		case !known:
			t.Errorf("a stop of %q, which has not started", d.ID)
		case d.Channel != start.Channel || d.Key != start.Key || d.ClientIP != start.ClientIP:
			t.Errorf("%s started as %s/%s of %s and stopped as %s/%s of %s",
				d.ID, start.Channel, start.Key, start.ClientIP, d.Channel, d.Key, d.ClientIP)
		}
		stops[d.ID]++
	}
	for id, start := range started {
		if stops[id] == 0 {
			t.Errorf("%s on %s started and never stopped", id, start.Channel)
		}
		repeated += max(stops[id]-1, 0)
	}
	tokens := make(map[string]bool)
	for _, e := range b.Events.All() {
		if tokens[e.Jti] {
			t.Errorf("two requests have the jti %s", e.Jti)
		}
		tokens[e.Jti] = true
	}
	return len(started), repeated
}

func command(name string, args ...any) func(*stage.Client) error {
	return func(c *stage.Client) error {
		stream := uint32(0)
		if name == "closeStream" {
			stream = c.Stream
		}
		return c.WriteMessage(rtmp.Command{Name: name, Args: args}.Message(stream))
	}
}

// endings are the ways in which a publisher ends by itself. That it falls silent
// is not one of them: the server waits 30 s for media, as long as a test may take.
var endings = []struct {
	name string
	end  func(*stage.Client) error
}{
	{"FIN", func(c *stage.Client) error { return c.Conn.CloseWrite() }},
	{"RST", func(c *stage.Client) error { c.Reset(); return nil }},
	{"deleteStream", command("deleteStream", 1.0)},
	{"closeStream", command("closeStream")},
	{"FCUnpublish", command("FCUnpublish", stage.CallbackKey)},
}

// However a stream ends, its backend hears of it: once, if it listens.
func TestEachEndOfAStreamIsTold(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) { b.Accept(w, e) })
	s := startCallbackServer(t, b, "PUBLISH_TAKEOVER=always")
	stopped := func(channel string) int {
		return len(slices.DeleteFunc(slices.Clone(b.Ledger.All()), func(d stage.Deed) bool {
			return d.Kind != stage.DeedTaken || d.Channel != channel
		}))
	}
	for _, tt := range endings {
		c := stage.Publish(t, s, tt.name+"/"+stage.CallbackKey)
		if n := stopped(tt.name); n != 0 {
			t.Errorf("%s: %d stops of a stream that is live", tt.name, n)
		}
		if err := tt.end(c); err != nil {
			t.Fatal(err)
		}
	}
	awaitPairs(t, b, stage.Soon)

	first := stage.Publish(t, s, "takeover/"+stage.CallbackKey)
	second := stage.Publish(t, s, "takeover/"+stage.CallbackKey)
	b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Kind == stage.DeedTaken && d.Channel == "takeover" })
	if n := stopped("takeover"); n != 1 {
		t.Errorf("takeover: %d stops, want one of the stream that was replaced", n)
	}
	if !first.Record().AwaitEnd(stage.Soon) {
		t.Error("takeover: the publisher that was replaced is still connected")
	}
	live := stage.Publish(t, s, "SIGTERM/"+stage.CallbackKey)
	s.Stop()
	if !live.Record().AwaitEnd(stage.Soon) || !second.Record().AwaitEnd(stage.Soon) {
		t.Error("SIGTERM: a publisher is still connected")
	}
	if starts, repeated := checkPairs(t, b); starts != len(endings)+3 || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, len(endings)+3)
	}
}

// What a server that was killed leaves behind, the next one tells.
func TestEndByKillIsToldByTheNextServer(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) { b.Accept(w, e) })
	state := filepath.Join(t.TempDir(), "state")
	s := startCallbackServer(t, b, "STATE_DIR="+state)
	const sessions = 5
	for i := range sessions {
		stage.Publish(t, s, fmt.Sprintf("channel-%d/%s", i, stage.CallbackKey))
	}
	s.Kill()
	if n := len(b.Events.All()); n != sessions {
		t.Errorf("there were %d events before the next server, want %d", n, sessions)
	}
	// The journal holds stream keys.
	info, err := os.Stat(filepath.Join(state, "stops.journal"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("the journal has mode %v", mode)
	}
	next := startCallbackServer(t, b, "STATE_DIR="+state)
	awaitPairs(t, b, stage.Soon)
	next.Stop()
	if starts, repeated := checkPairs(t, b); starts != sessions || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, sessions)
	}
	startCallbackServer(t, b, "STATE_DIR="+state).Stop()
	if n := len(b.Events.All()); n != 2*sessions {
		t.Errorf("the third server told something again: %d events in all, want %d", n, 2*sessions)
	}
}

// A stop that the backend does not take is told again by the same server.
func TestStopIsToldUntilTheBackendTakesIt(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	var stops atomic.Int64
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		switch {
		case e.Event == "start":
			b.Accept(w, e)
		case stops.Add(1) == 1:
			w.WriteHeader(http.StatusInternalServerError)
		case stops.Load() == 2:
			b.Take(w, stage.Resets)
		default:
			b.Accept(w, e)
		}
	})
	s := startCallbackServer(t, b)
	_ = stage.Publish(t, s, "channel/"+stage.CallbackKey).Conn.Close()
	awaitPairs(t, b, 2*stage.Soon)
	checkPairs(t, b)
	if n := stops.Load(); n != 3 {
		t.Errorf("the backend was told %d times, want 3", n)
	}
}

// A publisher, or the whole server, may be gone when the backend accepts. It
// hears of the end all the same.
func TestStartThatIsAcceptedTooLateIsStopped(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*stage.Server, *stage.Client){
		"RST": func(_ *stage.Server, c *stage.Client) { c.Reset() },
		"SIGTERM": func(s *stage.Server, _ *stage.Client) {
			s.Signal(syscall.SIGTERM)
			s.AwaitLine("msg=end", "channel=channel")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, answer := context.WithTimeout(t.Context(), stage.Soon)
			defer answer()
			var b *stage.Backend
			b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
				if e.Event == "start" {
					<-ctx.Done()
				}
				b.Accept(w, e)
			})
			s := startCallbackServer(t, b)
			c, key, err := stage.Open(t, "", s.Addr, "channel/"+stage.CallbackKey)
			if err != nil {
				t.Fatal(err)
			}
			var publishing sync.WaitGroup
			publishing.Go(func() { _ = c.Publish(c.Stream, key) })
			b.Events.Await(stage.Soon, func(stage.Event) bool { return true })
			leave(s, c)
			publishing.Wait()
			answer()
			b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Kind == stage.DeedTaken })
			if name == "SIGTERM" { // a second one would end it at once
				s.AwaitExit(stage.StopLimit)
			}
			s.Stop()
			if starts, repeated := checkPairs(t, b); starts != 1 || repeated != 0 {
				t.Errorf("%d starts, and %d stops more than those, want 1 and 0", starts, repeated)
			}
		})
	}
}

// A backend that hangs at a stop holds neither the channel nor, for longer than
// it may, the server.
func TestBackendThatHangsAtStopHoldsNobody(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		if e.Event == "stop" {
			b.Take(w, stage.Hangs(""))
			return
		}
		b.Accept(w, e)
	})
	s := startCallbackServer(t, b, "PUBLISH_GRACE_SECONDS=0")
	other := startBystander(t, s)
	player := stage.Play(t, s, "channel/"+stage.CallbackKey).Record()
	for n := range 3 {
		c := stage.Publish(t, s, "channel/"+stage.CallbackKey)
		_ = c.Conn.Close()
		closed := time.Now()
		stage.AwaitEvent(t, player, n+1, rtmp.CodePlayUnpublishNotify)
		if took := time.Since(closed); took > time.Second {
			t.Errorf("players were told after %v", took)
		}
	}
	other.finish(t)
	s.Stop()
}
