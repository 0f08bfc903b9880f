package stream

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRunWakesAfterFlushAndEndsOnClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRegistry(TakeoverNever)
		viewer := newSession(r)
		sub := subscribe(t, r, viewer, "key")
		p := publish(t, r, newSession(r), Claim{})
		if !viewer.woken() {
			t.Error("not woken by the publication")
		}
		ended := false
		go func() {
			p.Run()
			ended = true
		}()
		p.Append(message("a0"), 0)
		synctest.Wait()
		if viewer.woken() {
			t.Error("woken without Flush")
		}
		p.Flush()
		synctest.Wait()
		if !viewer.woken() {
			t.Error("not woken after Flush")
		}
		for range 3 { // the viewer is busy: neither Run nor Flush waits for it
			p.Flush()
			synctest.Wait()
		}
		if !viewer.woken() || viewer.woken() {
			t.Error("want one wake-up in waiting")
		}
		p.Close()
		synctest.Wait()
		if !ended || !viewer.woken() {
			t.Errorf("after Close: Run ended %v, want true, and the viewer woken", ended)
		}
		if _, err := p.Log().Cursor(AtLive).Next(); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want EOF", err)
		}
		sub.Close()
	})
}

func TestFlushesBeforeRunAreOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newTestRegistry(TakeoverNever)
		p := publish(t, r, newSession(r), Claim{})
		for range 1000 {
			p.Flush()
		}
		wakes := make(chan struct{}, 1000) // counts what a viewer's channel with room for one would merge
		sub, err := r.Subscribe("live", "key", newSession(r), wakes)
		if err != nil {
			t.Fatal(err)
		}
		go p.Run()
		synctest.Wait()
		if len(wakes) != 1 {
			t.Errorf("viewers woken %d times, want once", len(wakes))
		}
		p.Close()
		sub.Close()
	})
}

func TestWakeReachesEveryoneWhoStays(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	rng := rand.New(rand.NewPCG(1, 1))
	present := map[*session]*Subscription{}
	p := publish(t, r, newSession(r), Claim{})
	for range 500 {
		s := newSession(r)
		present[s] = subscribe(t, r, s, "key")
		for s, sub := range present {
			if rng.IntN(4) == 0 {
				sub.Close()
				delete(present, s)
			}
			break
		}
		p.channel.wake()
		for s := range present {
			if !s.woken() {
				t.Fatal("a viewer was not woken")
			}
		}
	}
	if got := r.KillSession("live"); got != len(present)+1 {
		t.Errorf("%d sessions, want %d", got, len(present)+1)
	}
	for _, sub := range present {
		sub.Close()
	}
	p.Close()
	wantChannels(t, r, 0)
}

// storm is publishers, players and operators at once on a few channels. Each
// publisher puts its key into the metadata.
type storm struct {
	t        *testing.T
	registry *Registry
}

// stormPublisher counts how often it is replaced.
type stormPublisher struct {
	session
	replaced atomic.Int32
}

func (p *stormPublisher) Kick(reason Reason) {
	p.session.Kick(reason)
	if reason == ReasonReplaced {
		p.replaced.Add(1)
	}
}

func (s *storm) publish(rng *rand.Rand) {
	key := fmt.Sprint("key", rng.IntN(2))
	publisher := &stormPublisher{session: session{registry: s.registry, silent: time.Duration(rng.IntN(2)) * time.Minute}}
	channel := fmt.Sprint(rng.IntN(3))
	p, err := s.registry.Publish(Claim{Channel: channel, Key: key, StreamID: "id", Publisher: publisher})
	if err != nil {
		if !errors.Is(err, ErrBusy) {
			s.t.Errorf("publish: %v", err)
		}
		return
	}
	var running sync.WaitGroup
	running.Go(p.Run)
	for i := range rng.IntN(50) {
		p.Append(message("meta="+key), 0)
		p.Append(message(fmt.Sprintf("v0!@%d", i)), 0)
		p.Flush()
		runtime.Gosched()
	}
	p.Close()
	running.Wait()
	if publisher.replaced.Load() > 1 {
		s.t.Error("publisher was replaced twice")
	}
}

func (s *storm) play(rng *rand.Rand) {
	key := fmt.Sprint("key", rng.IntN(2))
	player := newSession(s.registry)
	sub, err := s.registry.Subscribe(fmt.Sprint(rng.IntN(3)), key, player, player.wake)
	if err != nil {
		if !errors.Is(err, ErrWrongKey) {
			s.t.Errorf("subscribe: %v", err)
		}
		return
	}
	defer sub.Close()
	for range rng.IntN(20) {
		if log := sub.Log(); log != nil {
			for _, token := range strings.Fields(drain(log.Cursor(AtGroup))) {
				if strings.HasPrefix(token, "meta=") && !strings.HasPrefix(token, "meta="+key) {
					s.t.Errorf("player with %s sees %s", key, token)
				}
			}
		}
		runtime.Gosched()
	}
}

func (s *storm) operate(rng *rand.Rand) {
	channel := fmt.Sprint(rng.IntN(3))
	s.registry.KillSession(channel)
	s.registry.CloseStream(channel, "id")
	withdraw, err := s.registry.Apply(channel, newSession(s.registry))
	if err == nil {
		withdraw()
	} else if !errors.Is(err, ErrBusy) {
		s.t.Errorf("apply: %v", err)
	}
	if got := s.registry.Len(); got > 3 {
		s.t.Errorf("%d channels", got)
	}
}

func TestStormOfPublishersPlayersAndOperators(t *testing.T) {
	s := &storm{t: t, registry: newTestRegistry(TakeoverIdle)}
	var running sync.WaitGroup
	for i := range 24 {
		running.Go(func() {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for range 100 {
				switch {
				case i < 8:
					s.publish(rng)
				case i < 22:
					s.play(rng)
				default:
					s.operate(rng)
				}
			}
		})
	}
	running.Wait()
	wantChannels(t, s.registry, 0)
}
