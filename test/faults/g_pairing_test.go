package faults

import (
	"context"
	"fmt"
	"net"
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

func byCommand(name string, args ...any) func(*stage.Client) error {
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
	{"deleteStream", byCommand("deleteStream", 1.0)},
	{"closeStream", byCommand("closeStream")},
	{"FCUnpublish", byCommand("FCUnpublish", stage.CallbackKey)},
}

// However a stream ends, its backend hears of it: once, if it listens.
func TestEachEndOfAStreamIsTold(t *testing.T) {
	t.Parallel()
	b := startBackend(t, (*stage.Backend).Accept)
	r := stage.StartRedis(t)
	f := begin(t, "G6", b.Settings(r.Settings("PUBLISH_TAKEOVER=always")...)...)
	b.Watch(f.server)
	s := f.server
	s.AwaitLine(stage.RedisBack)
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
	stage.Publish(t, s, "killed/"+stage.CallbackKey)
	r.Publish("kill-session>killed")
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
	f.stop()
	if !live.Record().AwaitEnd(stage.Soon) || !second.Record().AwaitEnd(stage.Soon) {
		t.Error("SIGTERM: a publisher is still connected")
	}
	if starts, repeated := checkPairs(t, b); starts != len(endings)+4 || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, len(endings)+4)
	}
}

// What a server that was killed leaves behind, the next one tells.
func TestEndByKillIsToldByTheNextServer(t *testing.T) {
	t.Parallel()
	b := startBackend(t, (*stage.Backend).Accept)
	told := func() (n int) {
		for _, e := range b.Events.All() {
			if e.Channel != stage.CanaryChannel {
				n++
			}
		}
		return n
	}
	state := filepath.Join(t.TempDir(), "state")
	s := stage.StartCalled(t, b, "STATE_DIR="+state)
	const sessions = 5
	for i := range sessions {
		stage.Publish(t, s, fmt.Sprintf("channel-%d/%s", i, stage.CallbackKey))
	}
	s.Kill()
	if n := told(); n != sessions {
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
	f := begin(t, "G6", b.Settings("STATE_DIR="+state)...)
	b.Watch(f.server)
	awaitPairs(t, b, stage.Soon)
	f.stop()
	if starts, repeated := checkPairs(t, b); starts != sessions || repeated != 0 {
		t.Errorf("%d starts, and %d stops more than those, want %d and 0", starts, repeated, sessions)
	}
	stage.StartCalled(t, b, "STATE_DIR="+state).Stop()
	if n := told(); n != 2*sessions {
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
	f := begin(t, "G6", b.Settings()...)
	b.Watch(f.server)
	_ = stage.Publish(t, f.server, "channel/"+stage.CallbackKey).Conn.Close()
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
	for name, leave := range map[string]func(*fault, *stage.Client){
		"RST": func(_ *fault, c *stage.Client) { c.Reset() },
		"SIGTERM": func(f *fault, _ *stage.Client) {
			f.canary.finish()
			f.restarted = true
			f.server.Signal(syscall.SIGTERM)
			f.server.AwaitLine("msg=end", "channel=channel")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, answer := context.WithTimeout(t.Context(), stage.Soon)
			defer answer()
			b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
				if e.Event == "start" {
					<-ctx.Done()
				}
				b.Accept(w, e)
			})
			f := begin(t, "G6", b.Settings()...)
			b.Watch(f.server)
			c, key, err := stage.Open(t, "", f.server.Addr, "channel/"+stage.CallbackKey)
			if err != nil {
				t.Fatal(err)
			}
			var publishing sync.WaitGroup
			publishing.Go(func() { _ = c.Publish(c.Stream, key) })
			b.Events.Await(stage.Soon, func(e stage.Event) bool { return e.Channel == "channel" })
			leave(f, c)
			publishing.Wait()
			answer()
			b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Kind == stage.DeedTaken && d.Channel == "channel" })
			if f.restarted { // a second signal would end it at once
				f.server.AwaitExit(stage.StopLimit)
				f.server.Stop()
			}
			if starts, repeated := checkPairs(t, b); starts != 1 || repeated != 0 {
				t.Errorf("%d starts, and %d stops more than those, want 1 and 0", starts, repeated)
			}
		})
	}
}

// A backend that hangs at a stop holds neither the channel nor its players, nor the
// only connection that the publisher's address may have.
func TestBackendThatHangsAtStopHoldsNobody(t *testing.T) {
	t.Parallel()
	ctx, free := context.WithCancel(t.Context())
	defer free()
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		if e.Event == "stop" && ctx.Err() == nil {
			b.Take(w, func(net.Conn) { <-ctx.Done() })
			return
		}
		b.Accept(w, e)
	})
	f := begin(t, "G6", b.Settings("MAX_IP_CONCURRENT_CONNECTIONS=1", "CONCURRENT_LIMIT_WHITELIST="+canaryHost+",127.0.0.1")...)
	b.Watch(f.server)
	player := stage.Play(t, f.server, "channel/"+stage.CallbackKey).Record()
	again := time.Duration(0)
	for n := range 3 {
		start := time.Now()
		c, err := stage.TryPublish(t, host(1), f.server.Addr, "channel/"+stage.CallbackKey)
		for err != nil && time.Since(start) < late {
			stage.Pause(f.Context(), 10*time.Millisecond)
			c, err = stage.TryPublish(t, host(1), f.server.Addr, "channel/"+stage.CallbackKey)
		}
		if err != nil {
			t.Fatal(err)
		}
		again = max(again, time.Since(start))
		stage.AwaitEvent(t, player, n+1, rtmp.CodePlayPublishNotify)
		_ = c.Conn.Close()
		closed := time.Now()
		stage.AwaitEvent(t, player, n+1, rtmp.CodePlayUnpublishNotify)
		if took := time.Since(closed); took > late {
			t.Errorf("players were told after %v", took)
		}
	}
	f.figure("published again after", again.Round(time.Millisecond))
	free()
	awaitPairs(t, b, 2*stage.Soon)
}

// Nor does it hold the server for longer than a stop may take. The next one tells.
func TestStopOfTheServerDoesNotWaitForABackendThatHangs(t *testing.T) {
	t.Parallel()
	ctx, free := context.WithCancel(t.Context())
	defer free()
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		if e.Event == "stop" && ctx.Err() == nil {
			b.Take(w, func(net.Conn) { <-ctx.Done() })
			return
		}
		b.Accept(w, e)
	})
	state := "STATE_DIR=" + t.TempDir()
	f := begin(t, "G6", b.Settings(state)...)
	b.Watch(f.server)
	_ = stage.Publish(t, f.server, "gone/"+stage.CallbackKey).Conn.Close()
	stage.Publish(t, f.server, "live/"+stage.CallbackKey)
	start := time.Now()
	f.stop() // within stage.StopLimit
	f.figure("stopped after", time.Since(start).Round(100*time.Millisecond))
	free()
	next := stage.StartCalled(t, b, state)
	awaitPairs(t, b, 2*stage.Soon)
	next.Stop()
	if starts, _ := checkPairs(t, b); starts != 2 {
		t.Errorf("%d starts, want 2", starts)
	}
}
