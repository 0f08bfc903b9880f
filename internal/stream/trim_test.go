package stream

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"weak"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestTheSizeOfACacheIsThatOfItsMessages(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	for _, tokens := range []string{
		"a0@1 vh0=A@5", "v0!@10", "v0@20 a0@21 meta=X@22 vh0=B@25", "v0!@30", "v0@40 ah0=C@41",
	} {
		appendAll(l, tokens)
		if got, want := l.CacheSize(), retained(l); got != want {
			t.Errorf("after %s: %d bytes, want %d", tokens, got, want)
		}
	}
	if none := newLog(testChunkSize, 0); none.CacheSize() != 0 {
		t.Error("an empty log keeps something")
	}
}

// The forms of messages for viewers of other classes are kept as long as they are.
func TestTheSizeOfACacheHasTheFormsOfItsMessages(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "xh0=A vv0!@10")
	plain := l.CacheSize()
	for range 3 { // all of one class: one form
		sent(cursorFor(l, AtGroup, oneTrack))
	}
	m := l.tail.Load()
	f := m.forms.newest.Load()
	if f == nil || len(f.chunks) == 0 {
		t.Fatal("the message was not adapted")
	}
	if got, want := l.CacheSize()-plain, formOverhead+int64(cap(f.chunks)); got != want {
		t.Errorf("forms count as %d bytes, want %d", got, want)
	}
	appendAll(l, "v0!@20")
	if got, want := l.CacheSize(), retained(l); got != want {
		t.Errorf("the next group takes %d bytes, want %d", got, want)
	}
}

func TestAGroupIsGivenUpWhenItsFormsOutgrowTheCache(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "xh0=A vv0!@10")
	l.cacheBytes = l.CacheSize() + 2*smallFrame
	sent(cursorFor(l, AtGroup, oneTrack))
	l.copies.Add(2 * smallFrame)
	appendAll(l, "v0@20")
	if got := l.CacheSize(); got != 0 {
		t.Errorf("%d bytes are kept", got)
	}
}

func TestADroppedCacheStartsNewcomersAtTheNextKeyframe(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "meta=M vh0=A ah0=B v0!@10 v0@20")
	old := weak.Make(l.tail.Load())
	present := l.Cursor(AtGroup)
	if !l.dropCache() || l.CacheSize() != 0 || l.dropCache() {
		t.Fatal("the cache was not dropped, or twice")
	}
	newcomer := l.Cursor(AtGroup)
	appendAll(l, "v0@30 a0@31 v0!@40 v0@50")
	if got, want := drain(newcomer), "meta=M@20 vh0=A@20 ah0=B@20 a0@31 v0!@40 v0@50"; got != want {
		t.Errorf("newcomer: got %s\nwant %s", got, want)
	}
	if got, want := drain(present), "meta=M@10 vh0=A@10 ah0=B@10 v0!@10 v0@20 v0@30 a0@31 v0!@40 v0@50"; got != want {
		t.Errorf("viewer that was there: got %s\nwant %s", got, want)
	}
	if got, want := drain(l.Cursor(AtGroup)), "meta=M@40 vh0=A@40 ah0=B@40 v0!@40 v0@50"; got != want {
		t.Errorf("newcomer in the next group: got %s\nwant %s", got, want)
	}
	collected(t, "dropped group", old)
	runtime.KeepAlive(l)
}

// A log that has just begun has a group without a keyframe.
func TestADroppedBeginningKeepsItsHeaders(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "meta=M vh0=A")
	l.dropCache()
	appendAll(l, "ah0=B")
	c := l.Cursor(AtGroup)
	appendAll(l, "a0@10 v0!@20")
	if got, want := drain(c), "meta=M vh0=A ah0=B a0@10 v0!@20"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// caching publishes on channels of their own, each with a cache of so many
// messages beside its keyframe.
func caching(t *testing.T, r *Registry, messages ...int) []*Publication {
	t.Helper()
	publications := make([]*Publication, len(messages))
	for i, n := range messages {
		p, err := r.Publish(Claim{Channel: fmt.Sprint(i), Publisher: newSession(r)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		p.Append(message("v0!"), 0)
		for range n {
			p.Append(message("v0"), 0)
		}
		publications[i] = p
	}
	return publications
}

func TestTheLargestCachesAreDroppedFirst(t *testing.T) {
	sizes := []int{9, 4, 1, 7}
	const all = (9 + 4 + 1 + 7 + 4) * smallFrame
	for _, test := range []struct {
		name    string
		most    int64
		kept    int64
		dropped []int
	}{
		{"no bound", math.MaxInt64, all, nil},
		{"all that there is", all, all, nil},
		{"a byte less", all - 1, all - 10*smallFrame, []int{0}},
		{"the two smallest", 8 * smallFrame, 7 * smallFrame, []int{0, 3}},
		{"nothing", 0, 0, []int{0, 1, 2, 3}},
		{"less than nothing", -5, 0, []int{0, 1, 2, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newTestRegistry(TakeoverNever)
			sub := subscribe(t, r, newSession(r), "key") // a channel that is not live
			defer sub.Close()
			publications := caching(t, r, sizes...)
			kept, dropped := r.TrimCaches(test.most)
			if kept != test.kept || dropped != len(test.dropped) {
				t.Errorf("kept %d and dropped %d, want %d and %d", kept, dropped, test.kept, len(test.dropped))
			}
			for i, p := range publications {
				want := int64(sizes[i]+1) * smallFrame
				for _, n := range test.dropped {
					if n == i {
						want = 0
					}
				}
				if got := p.Log().CacheSize(); got != want {
					t.Errorf("channel %d keeps %d bytes, want %d", i, got, want)
				}
			}
			if again, _ := r.TrimCaches(math.MaxInt64); again != test.kept {
				t.Errorf("%d bytes are kept, want %d", again, test.kept)
			}
		})
	}
}

// Publishers, viewers and whoever trims do not wait for each other.
func TestCachesAreTrimmedWhilePublishersAppend(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	p, err := r.Publish(Claim{Channel: "live", Publisher: newSession(r)})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const messages = 3000
	var running sync.WaitGroup
	running.Go(func() {
		for i := range messages {
			token := "v0"
			switch i % 30 {
			case 0:
				token = "v0!"
			case 10:
				token = fmt.Sprintf("vh0=%d", i)
			}
			m := message(token)
			m.Timestamp = uint32(i)
			p.Append(m, 0)
		}
		p.log.end()
	})
	running.Go(func() {
		for !p.log.ended.Load() {
			if kept, _ := r.TrimCaches(5 * smallFrame); kept < 0 {
				t.Error("less than nothing is kept")
			}
		}
	})
	running.Go(func() {
		for !p.log.ended.Load() {
			c := p.Log().Cursor(AtGroup)
			if m, _ := c.Next(); m != nil && m.Type == rtmp.TypeAudio {
				t.Error("a message out of nothing")
			}
		}
	})
	running.Wait()
}
