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
	"time"
)

func TestFlushesAreOnePulse(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	p := publish(t, r, newSession(r), Claim{})
	pulses := func() int { return len(p.Pulse()) }
	p.Flush()
	if pulses() != 0 {
		t.Error("a pulse without viewers")
	}
	sub := subscribe(t, r, newSession(r), "key")
	p.Append(message("a0"), 0)
	if pulses() != 0 {
		t.Error("a pulse without Flush")
	}
	for range 1000 { // nobody takes them: Flush does not wait
		p.Flush()
	}
	if pulses() != 1 {
		t.Errorf("%d pulses, want 1", pulses())
	}
	<-p.Pulse()
	sub.Close()
	p.Flush()
	if pulses() != 0 {
		t.Error("a pulse after the last viewer left")
	}
	select {
	case <-p.Done():
		t.Error("done before Close")
	default:
	}
	p.Close()
	<-p.Done()
	if _, err := p.Log().Cursor(AtLive).Next(); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestViewersAreThoseWhoStay(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	rng := rand.New(rand.NewPCG(1, 1))
	present := map[*session]*Subscription{}
	p := publish(t, r, newSession(r), Claim{})
	var viewers []Viewer
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
		viewers = p.AppendViewers(viewers[:0])
		for _, v := range viewers {
			if present[v.(*session)] == nil {
				t.Fatal("a viewer that left, or one twice")
			}
		}
		if len(viewers) != len(present) {
			t.Fatalf("%d viewers, want %d", len(viewers), len(present))
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
	publisher.leaving.Store(rng.IntN(2) == 0)
	for i := range rng.IntN(50) {
		p.Append(message("meta="+key), 0)
		p.Append(message(fmt.Sprintf("v0!@%d", i)), 0)
		p.Flush()
		runtime.Gosched()
	}
	p.AppendViewers(nil)
	if rng.IntN(2) == 0 {
		p.Close()
	} else {
		expire := p.Interrupt()
		runtime.Gosched()
		expire()
	}
	if publisher.replaced.Load() > 1 {
		s.t.Error("publisher was replaced twice")
	}
}

func (s *storm) play(rng *rand.Rand) {
	key := fmt.Sprint("key", rng.IntN(2))
	player := newSession(s.registry)
	sub, err := s.registry.Subscribe(fmt.Sprint(rng.IntN(3)), key, player, player)
	if err != nil {
		if !errors.Is(err, ErrWrongKey) {
			s.t.Errorf("subscribe: %v", err)
		}
		return
	}
	defer sub.Close()
	for range rng.IntN(20) {
		if sub.Interrupted() {
			sub.Over()
		}
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
	s.registry.RequestReconnect(channel, "")
	withdraw, err := s.registry.Apply(channel, "key0", newSession(s.registry))
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
