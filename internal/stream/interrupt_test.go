package stream

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"
)

// sleeper is a viewer that counts how often it is woken.
type sleeper struct{ woken atomic.Int32 }

func (s *sleeper) Wake(Pages) { s.woken.Add(1) }
func (s *sleeper) Expect()    {}

// interrupted is a channel whose publisher was cut off while somebody watched.
type interrupted struct {
	*Registry
	log    *Log
	viewer *sleeper
	sub    *Subscription
	expire func()
}

func interrupt(t *testing.T) *interrupted {
	t.Helper()
	i := &interrupted{Registry: newTestRegistry(TakeoverNever), viewer: new(sleeper)}
	p := publish(t, i.Registry, newSession(i.Registry), Claim{})
	i.log = p.Log()
	var err error
	if i.sub, err = i.Subscribe("live", "key", newSession(i.Registry), i.viewer); err != nil {
		t.Fatal(err)
	}
	i.expire = p.Interrupt()
	<-p.Done()
	return i
}

func (i *interrupted) want(t *testing.T, when string, interrupted, over bool) {
	t.Helper()
	if got := i.sub.Interrupted(); got != interrupted {
		t.Errorf("%s: interrupted %v", when, got)
	}
	if got := i.sub.Over(); got != over {
		t.Errorf("%s: over %v", when, got)
	}
}

func (i *interrupted) wantWoken(t *testing.T, when string, want int32) {
	t.Helper()
	if got := i.viewer.woken.Load(); got != want {
		t.Errorf("%s: woken %d times, want %d", when, got, want)
	}
}

func TestAnInterruptedChannelIsOverWhenTheInterruptionExpires(t *testing.T) {
	i := interrupt(t)
	i.want(t, "at first", true, false)
	if log := i.sub.Log(); log != nil {
		t.Error("it has a log")
	}
	if _, err := i.log.Cursor(AtLive).Next(); !errors.Is(err, io.EOF) {
		t.Errorf("the log goes on: %v", err)
	}
	i.wantWoken(t, "at first", 0)
	i.expire()
	i.want(t, "expired", false, true)
	i.wantWoken(t, "expired", 1)
	i.expire()
	i.wantWoken(t, "expired twice", 1)
	i.sub.Close()
	wantChannels(t, i.Registry, 0)
}

func TestAPublisherThatIsBackEndsTheInterruption(t *testing.T) {
	i := interrupt(t)
	p := publish(t, i.Registry, newSession(i.Registry), Claim{}) // nor is it busy
	i.want(t, "back", false, false)
	if i.sub.Log() != p.Log() {
		t.Error("the viewer does not get the new log")
	}
	i.expire()
	i.want(t, "late expiry", false, false)
	expire := p.Interrupt()
	i.expire()
	i.want(t, "the second interruption, expiry of the first", true, false)
	i.wantWoken(t, "until then", 0)
	expire()
	i.want(t, "expired", false, true)
	i.sub.Close()
	wantChannels(t, i.Registry, 0)
}

func TestAPublisherThatEndsInOrderIsNotExpectedBack(t *testing.T) {
	i := interrupt(t)
	publish(t, i.Registry, newSession(i.Registry), Claim{}).Close()
	i.want(t, "closed", false, true)
}

func TestAReplacedPublisherInterruptsNothing(t *testing.T) {
	i := interrupt(t)
	r := newTestRegistry(TakeoverAlways)
	old := publish(t, r, newSession(r), Claim{})
	i.Registry, i.sub = r, subscribe(t, r, newSession(r), "key")
	p := publish(t, r, newSession(r), Claim{})
	old.Interrupt()()
	i.want(t, "replaced", false, false)
	p.Close()
	i.want(t, "closed", false, true)
}

func TestAnInterruptedChannelIsKeptWithoutViewers(t *testing.T) {
	i := interrupt(t)
	i.sub.Close()
	i.want(t, "for one that left", false, true)
	wantChannels(t, i.Registry, 1)
	i.sub = subscribe(t, i.Registry, newSession(i.Registry), "key")
	i.want(t, "for one that came", true, false)
	i.sub.Close()
	i.expire()
	wantChannels(t, i.Registry, 0)
}

func TestKillSessionReachesViewersOfAnInterruptedChannel(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	publisher, viewer := newSession(r), newSession(r)
	p := publish(t, r, publisher, Claim{})
	sub := subscribe(t, r, viewer, "key")
	defer p.Interrupt()()
	if r.CloseStream("live", "id") {
		t.Error("a stream was closed that is gone")
	}
	if n := r.KillSession("live"); n != 1 {
		t.Errorf("%d sessions killed", n)
	}
	publisher.wantKicks(t, "the publisher")
	viewer.wantKicks(t, "the viewer", ReasonKilled)
	sub.Close()
}

func TestAPublisherWithAnotherKeyTurnsTheViewersOut(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	viewer := newSession(r)
	p := publish(t, r, newSession(r), Claim{})
	sub := subscribe(t, r, viewer, "key")
	p.Interrupt()
	publish(t, r, newSession(r), Claim{Key: "other"})
	viewer.wantKicks(t, "the viewer", ReasonWrongKey)
	if sub.Interrupted() || !sub.Over() {
		t.Error("it goes on waiting")
	}
}
