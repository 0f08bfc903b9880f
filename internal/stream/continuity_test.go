package stream

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// TestPublicationsFollowEachOther plays what happens on a channel: viewers that
// come (+) and leave (-), publications that begin (publish, or publish=KEY) and
// end (close), and messages written as TOKEN/ARRIVAL in milliseconds.
func TestPublicationsFollowEachOther(t *testing.T) {
	tests := []struct {
		name, steps string
		want        string // of the messages
		covers      []int
	}{
		{
			name:  "for viewers who stay, time goes on",
			steps: "+ publish v0!@5000/0 v0@5033/33 close publish v0!@0/2033 a0@10/2040 v0@33/2066",
			want:  "v0!@5000 v0@5033 v0!@7033 a0@7043 v0@7066", covers: []int{166},
		},
		{
			name:  "by a millisecond at least",
			steps: "+ publish v0!@5000/7 publish v0!@90000/7 a0@89990/7 publish v0!/5",
			want:  "v0!@5000 v0!@5001 a0@5000 v0!@5002",
		},
		{
			name:  "headers and metadata stand between",
			steps: "+ publish v0!@5000/0 publish meta=X@7/10 vh0=A@7/10 ah0=B/10 v0!@7/20 a0/20",
			want:  "v0!@5000 meta=X@5010 vh0=A@5010 ah0=B@5010 v0!@5020 a0@5013",
		},
		{
			name:  "beyond 2^32",
			steps: "+ publish v0!@4294967290/0 close publish v0!@3/16 v0@19/32 publish v0!/48",
			want:  "v0!@4294967290 v0!@10 v0@26 v0!@42",
		},
		{
			name:  "after a publication without frames",
			steps: "+ publish v0!@5000/0 close publish meta=X/5 close publish publish v0!/10",
			want:  "v0!@5000 meta=X@5005 v0!@5010",
		},
		{
			name:  "nobody watched",
			steps: "publish v0!@5000/0 close publish v0!@10/2033",
			want:  "v0!@5000 v0!@10",
		},
		{
			name:  "nobody is left",
			steps: "+ + publish v0!@5000/0 close - - + publish v0!@10/2033",
			want:  "v0!@5000 v0!@10",
		},
		{
			name:  "the viewers came with another key",
			steps: "+ publish v0!@5000/0 publish=other v0!@10/2033",
			want:  "v0!@5000 v0!@10",
		},
		{
			name:  "viewers who came since the last frame count",
			steps: "publish v0!@5000/0 + publish v0!@10/2033",
			want:  "v0!@5000 v0!@7033",
		},
		{
			name:  "viewers who wait for the first publication take its timestamps",
			steps: "+ publish v0!@5000/9000",
			want:  "v0!@5000",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.covers != nil {
				conformance.Covers(t, test.covers...)
			}
			if got := runChannel(t, test.steps); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func runChannel(t *testing.T, steps string) string {
	r := newTestRegistry(TakeoverAlways)
	var (
		got     []string
		viewers []*Subscription
		p       *Publication
	)
	// An application keeps the channel when nobody else does.
	withdraw, err := r.Apply("live", "key", newSession(r))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range strings.Fields(steps) {
		switch name, key, _ := strings.Cut(step, "="); {
		case step == "+":
			viewers = append(viewers, subscribe(t, r, newSession(r), "key"))
		case step == "-":
			viewers[0].Close()
			viewers = viewers[1:]
		case name == "publish":
			p = publish(t, r, newSession(r), Claim{Key: key})
			defer func(p *Publication) {
				if !p.log.ended.Load() {
					p.Close()
				}
			}(p)
		case step == "close":
			p.Close()
		default:
			token, arrival, _ := strings.Cut(step, "/")
			ms, _ := strconv.Atoi(arrival)
			p.Append(message(token), time.Duration(ms)*time.Millisecond)
			got = append(got, text(p.log.tail.Load()))
		}
	}
	for _, v := range viewers {
		v.Close()
	}
	withdraw()
	return strings.Join(got, " ")
}

func TestTheHeadKeepsArrivalsApart(t *testing.T) {
	var h, none head
	h.set(1<<32+7, 1<<31+5)
	timestamp, arrival, ok := h.get()
	if timestamp != 7 || !ok {
		t.Errorf("got %d, %v", timestamp, ok)
	}
	for _, want := range []int64{-5, 0, 3, 86_400_000} {
		if got := since(arrival, 1<<31+5+want); got != want {
			t.Errorf("%d ms since, want %d", got, want)
		}
	}
	if _, _, ok := none.get(); ok {
		t.Error("a head that was not set")
	}
}

// TestTakeoversAreNoStepBackForViewers has publishers replaced while they
// append.
func TestTakeoversAreNoStepBackForViewers(t *testing.T) {
	const publishers = 20
	r := newTestRegistry(TakeoverAlways)
	subscription := subscribe(t, r, newSession(r), "key")
	start := time.Now()
	var running sync.WaitGroup
	logs := make([]*Log, publishers)
	for i := range logs {
		p := publish(t, r, newSession(r), Claim{})
		logs[i] = p.Log()
		began := make(chan struct{})
		running.Go(func() {
			for n := range 2000 {
				m := message("v0!")
				m.Timestamp = uint32(n)
				p.Append(m, time.Since(start))
				if n == 0 {
					close(began)
				}
			}
			p.Close()
		})
		<-began
	}
	running.Wait()
	subscription.Close()
	latest := int64(-1)
	for i, l := range logs {
		at, _, ok := l.timeline.head.get()
		if !ok || int64(at) < latest { // the same, if one message came too late to be seen
			t.Errorf("publication %d ends at %d, the one before at %d", i, at, latest)
		}
		latest = int64(at)
	}
}
