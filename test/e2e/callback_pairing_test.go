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
)

// awaitPairs waits until the backend has heard of the end of each start that it
// has accepted so far.
func awaitPairs(t *testing.T, b *callbackBackend, within time.Duration) {
	t.Helper()
	total := 0
	for _, d := range b.ledger.all() {
		if d.kind == deedAccepted {
			total++
		}
	}
	accepted, open := 0, make(map[string]bool)
	_, ok := b.ledger.await(within, func(d deed) bool {
		if d.kind == deedAccepted {
			accepted++
			open[d.id] = true
		} else {
			delete(open, d.id)
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
func checkPairs(t *testing.T, b *callbackBackend) (starts, repeated int) {
	t.Helper()
	started := make(map[string]callbackEvent)
	stops := make(map[string]int)
	for _, d := range b.ledger.all() {
		if d.kind == deedAccepted {
			started[d.id] = d.callbackEvent
			continue
		}
		start, known := started[d.id]
		switch {
		case !known:
			t.Errorf("a stop of %q, which has not started", d.id)
		case d.channel != start.channel || d.key != start.key || d.clientIP != start.clientIP:
			t.Errorf("%s started as %s/%s of %s and stopped as %s/%s of %s",
				d.id, start.channel, start.key, start.clientIP, d.channel, d.key, d.clientIP)
		}
		stops[d.id]++
	}
	for id, start := range started {
		if stops[id] == 0 {
			t.Errorf("%s on %s started and never stopped", id, start.channel)
		}
		repeated += max(stops[id]-1, 0)
	}
	tokens := make(map[string]bool)
	for _, e := range b.events.all() {
		if tokens[e.jti] {
			t.Errorf("two requests have the jti %s", e.jti)
		}
		tokens[e.jti] = true
	}
	return len(started), repeated
}

// kill ends the server without a chance to say anything.
func (s *server) kill() {
	s.t.Helper()
	s.stopped = true
	s.signal(syscall.SIGKILL)
	s.awaitExit(soon)
	s.checkOutput()
}

func command(name string, args ...any) func(*client) error {
	return func(c *client) error {
		stream := uint32(0)
		if name == "closeStream" {
			stream = c.stream
		}
		return c.WriteMessage(rtmp.Command{Name: name, Args: args}.Message(stream))
	}
}

// endings are the ways in which a publisher ends by itself. That it falls silent
// is not one of them: the server waits 30 s for media, as long as a test may take.
var endings = []struct {
	name string
	end  func(*client) error
}{
	{"FIN", func(c *client) error { return c.conn.CloseWrite() }},
	{"RST", func(c *client) error { c.reset(); return nil }},
	{"deleteStream", command("deleteStream", 1.0)},
	{"closeStream", command("closeStream")},
	{"FCUnpublish", command("FCUnpublish", callbackKey)},
}

// However a stream ends, its backend hears of it: once, if it listens.
func TestEachEndOfAStreamIsTold(t *testing.T) {
	t.Parallel()
	var b *callbackBackend
	b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) { b.accept(w, e) })
	s := startCallbackServer(t, b, "PUBLISH_TAKEOVER=always")
	stopped := func(channel string) int {
		return len(slices.DeleteFunc(slices.Clone(b.ledger.all()), func(d deed) bool {
			return d.kind != deedTaken || d.channel != channel
		}))
	}
	for _, tt := range endings {
		c := publish(t, s, tt.name+"/"+callbackKey)
		if n := stopped(tt.name); n != 0 {
			t.Errorf("%s: %d stops of a stream that is live", tt.name, n)
		}
		if err := tt.end(c); err != nil {
			t.Fatal(err)
		}
	}
	awaitPairs(t, b, soon)

	first := publish(t, s, "takeover/"+callbackKey)
	second := publish(t, s, "takeover/"+callbackKey)
	b.ledger.await(soon, func(d deed) bool { return d.kind == deedTaken && d.channel == "takeover" })
	if n := stopped("takeover"); n != 1 {
		t.Errorf("takeover: %d stops, want one of the stream that was replaced", n)
	}
	if !first.record().awaitEnd(soon) {
		t.Error("takeover: the publisher that was replaced is still connected")
	}
	live := publish(t, s, "SIGTERM/"+callbackKey)
	s.stop()
	if !live.record().awaitEnd(soon) || !second.record().awaitEnd(soon) {
		t.Error("SIGTERM: a publisher is still connected")
	}
	if starts, repeated := checkPairs(t, b); starts != len(endings)+3 || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, len(endings)+3)
	}
}

// What a server that was killed leaves behind, the next one tells.
func TestEndByKillIsToldByTheNextServer(t *testing.T) {
	t.Parallel()
	var b *callbackBackend
	b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) { b.accept(w, e) })
	state := filepath.Join(t.TempDir(), "state")
	s := startCallbackServer(t, b, "STATE_DIR="+state)
	const sessions = 5
	for i := range sessions {
		publish(t, s, fmt.Sprintf("channel-%d/%s", i, callbackKey))
	}
	s.kill()
	if n := len(b.events.all()); n != sessions {
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
	awaitPairs(t, b, soon)
	next.stop()
	if starts, repeated := checkPairs(t, b); starts != sessions || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, sessions)
	}
	startCallbackServer(t, b, "STATE_DIR="+state).stop()
	if n := len(b.events.all()); n != 2*sessions {
		t.Errorf("the third server told something again: %d events in all, want %d", n, 2*sessions)
	}
}

// A stop that the backend does not take is told again by the same server.
func TestStopIsToldUntilTheBackendTakesIt(t *testing.T) {
	t.Parallel()
	var b *callbackBackend
	var stops atomic.Int64
	b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) {
		switch {
		case e.event == "start":
			b.accept(w, e)
		case stops.Add(1) == 1:
			w.WriteHeader(http.StatusInternalServerError)
		case stops.Load() == 2:
			b.take(w, resets)
		default:
			b.accept(w, e)
		}
	})
	s := startCallbackServer(t, b)
	_ = publish(t, s, "channel/"+callbackKey).conn.Close()
	awaitPairs(t, b, 2*soon)
	checkPairs(t, b)
	if n := stops.Load(); n != 3 {
		t.Errorf("the backend was told %d times, want 3", n)
	}
}

// A publisher, or the whole server, may be gone when the backend accepts. It
// hears of the end all the same.
func TestStartThatIsAcceptedTooLateIsStopped(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*server, *client){
		"RST": func(_ *server, c *client) { c.reset() },
		"SIGTERM": func(s *server, _ *client) {
			s.signal(syscall.SIGTERM)
			s.awaitLine("msg=end", "channel=channel")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, answer := context.WithTimeout(t.Context(), soon)
			defer answer()
			var b *callbackBackend
			b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) {
				if e.event == "start" {
					<-ctx.Done()
				}
				b.accept(w, e)
			})
			s := startCallbackServer(t, b)
			c, key, err := open(t, "", s.addr, "channel/"+callbackKey)
			if err != nil {
				t.Fatal(err)
			}
			var publishing sync.WaitGroup
			publishing.Go(func() { _ = c.Publish(c.stream, key) })
			b.events.await(soon, func(callbackEvent) bool { return true })
			leave(s, c)
			publishing.Wait()
			answer()
			b.ledger.await(soon, func(d deed) bool { return d.kind == deedTaken })
			if name == "SIGTERM" { // a second one would end it at once
				s.awaitExit(stopLimit)
			}
			s.stop()
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
	var b *callbackBackend
	b = startBackend(t, "", func(w http.ResponseWriter, e callbackEvent) {
		if e.event == "stop" {
			b.take(w, hangs(""))
			return
		}
		b.accept(w, e)
	})
	s := startCallbackServer(t, b, "PUBLISH_GRACE_SECONDS=0")
	other := startBystander(t, s)
	player := play(t, s, "channel/"+callbackKey).record()
	for n := range 3 {
		c := publish(t, s, "channel/"+callbackKey)
		_ = c.conn.Close()
		closed := time.Now()
		awaitEvent(t, player, n+1, rtmp.CodePlayUnpublishNotify)
		if took := time.Since(closed); took > time.Second {
			t.Errorf("players were told after %v", took)
		}
	}
	other.finish(t)
	s.stop()
}
