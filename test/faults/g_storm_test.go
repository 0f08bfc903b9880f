package faults

import (
	"flag"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

var stormSeed = flag.Uint64("callback.seed", 0, "seed of the random sessions, to repeat a run; 0 chooses one")

// storm is a backend that fails at random, and publishers who come and go at
// random, on servers that follow each other.
type storm struct {
	t      *testing.T
	seed   uint64
	b      *stage.Backend
	calm   atomic.Bool // the backend does not fail any more
	denied atomic.Int64

	mu       sync.Mutex
	attempts map[string]int // of each event
}

// chance returns the numbers that decide about something, the same for the same
// seed.
func (st *storm) chance(what ...any) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, what...)
	return rand.New(rand.NewPCG(st.seed, h.Sum64()))
}

func (st *storm) answer(w http.ResponseWriter, e stage.Event) {
	if st.calm.Load() {
		st.b.Accept(w, e)
		return
	}
	name := e.Event + " " + e.Channel
	st.mu.Lock()
	st.attempts[name]++
	attempt := st.attempts[name]
	st.mu.Unlock()
	r := st.chance(name, attempt)
	switch r.IntN(10) {
	case 0:
		w.WriteHeader(http.StatusInternalServerError)
	case 1:
		st.b.Take(w, stage.Resets)
	case 2:
		stage.Pause(st.t.Context(), time.Duration(r.IntN(300))*time.Millisecond)
		w.WriteHeader(http.StatusServiceUnavailable)
	case 3, 4:
		stage.Pause(st.t.Context(), time.Duration(r.IntN(300))*time.Millisecond)
		st.b.Accept(w, e)
	case 5:
		if e.Event == "stop" { // is heard, but its answer gets lost
			st.b.Ledger.Add(stage.Deed{Kind: stage.DeedTaken, ID: e.StreamID, Event: e})
			st.b.Take(w, stage.Resets)
			return
		}
		st.b.Accept(w, e)
	default:
		st.b.Accept(w, e)
	}
}

// enter publishes on a channel, again and again until the backend accepts.
func (st *storm) enter(s *stage.Server, channel string) (*stage.Client, error) {
	for start := time.Now(); ; st.denied.Add(1) {
		c, err := stage.TryPublish(st.t, "", s.Addr, channel+"/"+stage.CallbackKey)
		if err == nil || time.Since(start) > 3*stage.Soon {
			return c, err
		}
		if c != nil {
			_ = c.Conn.Close()
		}
		stage.Pause(st.t.Context(), 50*time.Millisecond)
	}
}

// session publishes for a while and ends somehow.
func (st *storm) session(s *stage.Server, channel string, impatient bool) error {
	r := st.chance(channel)
	stay := func() { stage.Pause(st.t.Context(), time.Duration(r.IntN(200))*time.Millisecond) }
	way := r.IntN(len(endings) + 2)
	if way > len(endings) && impatient {
		return st.leave(s, channel, time.Duration(r.IntN(100))*time.Millisecond)
	}
	c, err := st.enter(s, channel)
	if err != nil {
		return err
	}
	stay()
	if way >= len(endings) { // taken over
		if c, err = st.enter(s, channel); err != nil {
			return err
		}
		stay()
		way = 0
	}
	return endings[way].end(c)
}

// leave publishes and is gone before, or just after, the backend has answered.
func (st *storm) leave(s *stage.Server, channel string, after time.Duration) error {
	c, key, err := stage.Open(st.t, "", s.Addr, channel+"/"+stage.CallbackKey)
	if err != nil {
		return err
	}
	defer c.Reset()
	if err := c.Conn.SetReadDeadline(time.Now().Add(after)); err != nil {
		return err
	}
	_ = c.Publish(c.Stream, key)
	return nil
}

// round has sessions come and go, and leaves some behind that are live.
func (st *storm) round(s *stage.Server, name string, ended, live int, impatient bool) {
	var running sync.WaitGroup
	for i := range ended {
		running.Go(func() {
			if err := st.session(s, fmt.Sprint(name, "-ended-", i), impatient); err != nil {
				st.t.Errorf("session %s %d: %v", name, i, err)
			}
		})
	}
	running.Wait()
	for i := range live {
		running.Go(func() {
			if _, err := st.enter(s, fmt.Sprint(name, "-live-", i)); err != nil {
				st.t.Errorf("live session %s %d: %v", name, i, err)
			}
		})
	}
	running.Wait()
}

// Whatever fails, at whatever time, no stream that the backend has accepted
// stays live for it for ever: servers are stopped and killed, requests and
// answers are lost, publishers leave before they are accepted.
//
// Nobody leaves early in the rounds that end with a kill: an answer that reaches
// a dead server is lost, and its id with it. The canary is on a server of its own,
// which asks the same backend and goes through a round that does not end it.
func TestStartsAndStopsPairUpInAStorm(t *testing.T) {
	t.Parallel()
	st := &storm{t: t, seed: *stormSeed, attempts: make(map[string]int)}
	if st.seed == 0 {
		st.seed = rand.Uint64()
	}
	t.Logf("repeat with -callback.seed=%d", st.seed)
	st.b = startBackend(t, func(_ *stage.Backend, w http.ResponseWriter, e stage.Event) { st.answer(w, e) })
	f := begin(t, "G6", st.b.Settings("PUBLISH_TAKEOVER=always")...)
	st.b.Watch(f.server)
	ended, live := f.scale(24, 84), 8
	settings := []string{"STATE_DIR=" + t.TempDir(), "PUBLISH_TAKEOVER=always"}
	rounds := []string{"kill-1", "term-1", "kill-2", "term-2"}[:f.scale(2, 4)]
	for _, name := range rounds {
		s := stage.StartCalled(t, st.b, settings...)
		killed := name[:4] == "kill"
		st.round(s, name, ended, live, !killed)
		if killed {
			s.Kill()
			continue
		}
		st.stopWhileSomeCome(s, name, live)
	}
	st.round(f.server, "stay", ended, 0, true)
	st.calm.Store(true)
	last := stage.StartCalled(t, st.b, settings...)
	awaitPairs(t, st.b, 3*stage.Soon)
	last.Stop()
	starts, repeated := checkPairs(t, st.b)
	f.figure("starts accepted", starts)
	f.figure("refused", st.denied.Load())
	f.figure("stops told again", repeated)
	if sessions := len(rounds)*(ended+live) + ended; starts < sessions*9/10 {
		t.Errorf("%d starts in %d sessions", starts, sessions)
	}
	if st.denied.Load() == 0 || repeated == 0 {
		t.Error("the backend did not fail")
	}
}

// stopWhileSomeCome ends a server. Those who come when it goes get whatever answer.
func (st *storm) stopWhileSomeCome(s *stage.Server, name string, n int) {
	var leaving sync.WaitGroup
	for i := range n {
		leaving.Go(func() {
			c, err := stage.TryPublish(st.t, "", s.Addr, fmt.Sprint(name, "-late-", i, "/", stage.CallbackKey))
			if err == nil {
				c.Record().AwaitEnd(2 * stage.Soon)
			}
		})
	}
	s.Stop()
	leaving.Wait()
}
