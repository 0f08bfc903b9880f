package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

func TestAcceptedPublisherGetsTheStreamID(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		mapped := publisher
		mapped.Client = netip.MustParseAddr("::ffff:192.0.2.1")
		start := b.ask(b.Context(), mapped)
		f := p.next()
		want := "PUBLISH-REQUEST\nRequest-ID: " + f.get("Request-ID") + "\nStream-Channel: ch\nStream-Key: k3y-of-ch\nUser-IP: 192.0.2.1\n"
		if f.String() != want {
			t.Errorf("sent %q, want %q", f, want)
		}
		p.accept(f.get("Request-ID"), "s1")
		start.accepted(b, "s1")
		p.accept(f.get("Request-ID"), "s2") // again, and now it is unknown
		p.accept("nobody's", "s3")
		p.silent()
		b.Stop(mapped, "s1")
		p.ends("ch", "s1")
		p.silent()
	})
}

func TestAnswersFindTheirRequests(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		first, second := b.ask(b.Context(), publisher), b.ask(b.Context(), publisher)
		firstID, secondID := p.request(), p.request()
		p.accept(secondID, "s2")
		p.say("publish-deny", "REQUEST-ID:"+firstID)
		first.refused(b, ErrDenied)
		second.accepted(b, "s2")
		p.say("PUBLISH-DENY", "Request-Id: nobody's")
		p.silent()
	})
}

func TestUnusableStreamIDIsARefusal(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, id := range []string{"", "a b", "a/b", "é", "*", long + "x", strings.Repeat("y ", 10_000)} {
		simulate(t, nil, func(b *bench) {
			p := b.connected()
			start := b.ask(b.Context(), publisher)
			p.accept(p.request(), id)
			got := <-start.result
			if !errors.Is(got.err, ErrStreamID) || len(got.err.Error()) > 400 {
				t.Errorf("%q: %q, %v", id, got.streamID, got.err)
			}
			p.silent()
		})
	}
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		start := b.ask(b.Context(), publisher)
		p.accept(p.request(), long)
		start.accepted(b, long)
	})
}

func TestSilentCoordinatorIsARefusalAfterFiveSeconds(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		start := b.ask(b.Context(), publisher)
		id := p.request()
		b.after(5*time.Second - 1)
		select {
		case got := <-start.result:
			t.Errorf("answered early: %v", got)
		default:
		}
		start.refused(b, ErrTimeout)
		b.at(5 * time.Second)
		p.silent()
		// An acceptance after all is of no use to anyone: its stream ends.
		p.accept(id, "late")
		p.ends("ch", "late")
		p.accept(id, "later")
		p.silent()
	})
}

func TestLateDenialNeedsNoEnd(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		b.ask(b.Context(), publisher).refused(b, ErrTimeout)
		id := p.request()
		p.say("PUBLISH-DENY", "Request-Id: "+id)
		p.accept(id, "s1")
		p.silent()
	})
}

func TestClientThatLeavesIsNotWaitedFor(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		ctx, cancel := context.WithCancel(b.Context())
		start := b.ask(ctx, publisher)
		id := p.request()
		cancel()
		start.refused(b, context.Canceled)
		b.at(0)
		p.accept(id, "late")
		p.ends("ch", "late")
	})
}

func TestAnswerThatMeetsTheDeadlineCounts(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		// Whichever of the two Start sees first: an accepted stream is
		// returned, or ended.
		start := b.ask(b.Context(), publisher)
		id := p.request()
		b.after(5*time.Second - 1)
		timer := time.AfterFunc(1, func() { b.resolve(id, answer{streamID: "s1"}) })
		defer timer.Stop()
		got := <-start.result
		b.after(1)
		if got.err != nil {
			p.ends("ch", "s1")
		} else if got.streamID != "s1" {
			t.Errorf("%q", got.streamID)
		}
		p.silent()
	})
}

func TestAnswerBeforeGivingUpIsUsed(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		ctx, cancel := context.WithCancel(b.Context())
		start := b.ask(ctx, publisher)
		id := p.request()
		b.Coordinator.mu.Lock() // so that Start, which cancel wakes, cannot give up yet
		cancel()
		if a := b.requests.resolve(id, answer{streamID: "s1"}); a != "" {
			t.Errorf("abandoned: %s", a)
		}
		b.Coordinator.mu.Unlock()
		start.accepted(b, "s1")
	})
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		var starts []asked
		for range maxWaiting {
			starts = append(starts, b.ask(b.Context(), publisher))
		}
		b.ask(b.Context(), publisher).refused(b, ErrBusy)
		b.at(0)
		p.accept(p.request(), "s0")
		starts[0].accepted(b, "s0")
		b.ask(b.Context(), publisher).refused(b, ErrTimeout)
		for _, start := range starts[1:] {
			start.refused(b, ErrTimeout)
		}
		b.at(5 * time.Second)
	})
}

func TestAbandonedRequestsAreBounded(t *testing.T) {
	q := newRequests()
	var ids []string
	for i := range maxAbandoned + 1 {
		r, err := q.add(access.Request{Channel: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		q.next()
		q.giveUp(r)
		ids = append(ids, r.id)
	}
	if len(q.abandoned) != maxAbandoned || len(q.oldest) != maxAbandoned || len(q.waiting) != 0 {
		t.Errorf("%d abandoned, %d waiting", len(q.abandoned), len(q.waiting))
	}
	if got := q.resolve(ids[0], answer{}); got != "" {
		t.Errorf("the oldest is still known, for channel %s", got)
	}
	if got := q.resolve(ids[1], answer{}); got != "1" {
		t.Errorf("the second oldest is not known: %q", got)
	}
}

func TestUnsentRequestsAreForgotten(t *testing.T) {
	q := newRequests()
	r, _ := q.add(publisher)
	if got := q.resolve(r.id, answer{streamID: "guessed"}); got != "" || len(r.answer) != 0 {
		t.Error("a request was answered before it was sent")
	}
	q.giveUp(r)
	if q.next() != nil || len(q.abandoned) != 0 {
		t.Error("it would be sent, or waited for")
	}
}

func TestLineBreaksStayOutOfFrames(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		for _, r := range []access.Request{{Channel: "a\nStream-Key: b"}, {Channel: "a", Key: "b\r"}} {
			b.ask(b.Context(), r).refused(b, errLineBreak)
		}
		p.silent()
	})
}

func TestNobodyStartsWithoutAConnection(t *testing.T) {
	simulate(t, func(b *bench, _ *Options) { b.down = true }, func(b *bench) {
		synctest.Wait()
		b.ask(b.Context(), publisher).refused(b, ErrDisconnected)
		b.at(0)
	})
}

func TestCutFailsRequestsAtOnceAndKeepsEnds(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		live := b.ask(b.Context(), publisher)
		p.accept(p.request(), "live")
		live.accepted(b, "live")
		waiting := b.ask(b.Context(), publisher)
		id := p.request()
		b.Stop(publisher, "unconfirmed")
		p.ends("ch", "unconfirmed")
		b.setDown(true)
		p.cut()
		waiting.refused(b, ErrDisconnected)
		b.at(0)
		b.ask(b.Context(), publisher).refused(b, ErrDisconnected)
		b.Stop(publisher, "live")
		b.setDown(false)

		p = b.connected()
		b.at(time.Second)
		p.ends("ch", "unconfirmed") // no pong had come for it
		p.ends("ch", "live")
		p.silent()
		p.accept(id, "late") // the coordinator remembers what we asked
		p.ends("ch", "late")
		again := b.ask(b.Context(), publisher)
		p.accept(p.request(), "s2")
		again.accepted(b, "s2")

		b.after(21 * time.Second) // a ping later all are confirmed
		if f := p.next(); f.method != methodHeartbeat {
			t.Errorf("no heartbeat but %q", f)
		}
		p.cut()
		p = b.connected()
		p.silent()
	})
}
