package fanout

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// publisher claims channels.
type publisher struct{}

func (publisher) Kick(stream.Reason)    {}
func (publisher) Silent() time.Duration { return 0 }

func (publisher) RequestReconnect(string) bool { return false }
func (publisher) Leaving() bool                { return false }

// viewer takes some time to serve and notes when it was.
type viewer struct {
	publisher
	takes time.Duration

	mu    sync.Mutex
	woken []time.Duration
	start time.Time
}

func (v *viewer) Expect() {}

func (v *viewer) Wake(stream.Pages) {
	v.mu.Lock()
	v.woken = append(v.woken, time.Since(v.start))
	v.mu.Unlock()
	if v.takes > 0 {
		time.Sleep(v.takes)
	}
}

// served returns when the viewer was woken since the last call, in
// milliseconds.
func (v *viewer) served() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	var at []int64
	for _, d := range v.woken {
		at = append(at, d.Milliseconds())
	}
	v.woken = nil
	return fmt.Sprint(at)
}

// live is a publication with its viewers under way.
type live struct {
	*stream.Publication
	viewers []*viewer
	began   time.Time
	ended   chan struct{}
}

func start(t *testing.T, maxDelay time.Duration, viewers ...*viewer) *live {
	registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
	p, err := registry.Publish(stream.Claim{Channel: "live", Publisher: publisher{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range viewers {
		v.start = time.Now()
		if _, err := registry.Subscribe("live", "", v, v); err != nil {
			t.Fatal(err)
		}
	}
	l := &live{p, viewers, time.Now(), make(chan struct{})}
	go func() {
		defer close(l.ended)
		Run(p, Options{MaxDelay: maxDelay, Now: func() time.Duration { return time.Since(l.began) }})
	}()
	return l
}

// flushEach has the publisher flush as often, for some time.
func (l *live) flushEach(interval, total time.Duration) {
	for range total / interval {
		time.Sleep(interval)
		l.Flush()
	}
	synctest.Wait()
}

// publishEach is flushEach with a message in front of each flush.
func (l *live) publishEach(interval, total time.Duration) {
	for range total / interval {
		time.Sleep(interval)
		l.Append(rtmp.Message{Type: rtmp.TypeAudio, Payload: []byte{0x2F, 1}}, time.Since(l.began))
		l.Flush()
	}
	synctest.Wait()
}

func (l *live) end() {
	l.Close()
	<-l.ended
}

func TestViewersAreServedAtTheStartAfterEachFlushAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, time.Second, new(viewer))
		l.flushEach(10*time.Millisecond, 30*time.Millisecond)
		time.Sleep(time.Second)
		l.end()
		if got := l.viewers[0].served(); got != "[0 10 20 30 1030]" {
			t.Errorf("served at %s", got)
		}
	})
}

func TestPausesFollowThePasses(t *testing.T) {
	for name, c := range map[string]struct {
		takes, maxDelay time.Duration
		// want are the passes of 500 ms in which a message comes each 6 ms.
		want string
	}{
		"short passes, short pauses": {5 * time.Millisecond, time.Second, "[0 6 106 206 306 406]"},
		"a cap on the delay":         {20 * time.Millisecond, 100 * time.Millisecond, "[0 20 124 226 328 430]"},
		"passes longer than the cap": {150 * time.Millisecond, 100 * time.Millisecond, "[0 150 337]"},
		"passes of several caps":     {150 * time.Millisecond, 10 * time.Millisecond, "[0 150 300 450]"},
		"no pauses at all":           {20 * time.Millisecond, 0, "[0 20 40 60 80 100 120 140 160 180 200 220 240 260 280 300 320 340 360 380 400 420 440 460 480]"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				viewers := []*viewer{{takes: c.takes}}
				for len(viewers) < joinSize {
					viewers = append(viewers, &viewer{})
				}
				l := start(t, c.maxDelay, viewers...)
				l.publishEach(6*time.Millisecond, 498*time.Millisecond)
				if got := l.viewers[0].served(); got != c.want {
					t.Errorf("served at %s, want %s", got, c.want)
				}
				l.end()
			})
		})
	}
}

func TestTheEndDoesNotWaitForThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, 2*time.Second, &viewer{takes: 200 * time.Millisecond})
		time.Sleep(300 * time.Millisecond)
		l.Flush() // a pass until 500 ms, and a pause
		time.Sleep(300 * time.Millisecond)
		l.Flush() // waits for the end of the pause
		time.Sleep(100 * time.Millisecond)
		l.end()
		if got := l.viewers[0].served(); got != "[0 300 700 900]" {
			t.Errorf("served at %s", got)
		}
	})
}

// TestLargePassesAreShared has two processors serve the viewers, each of whom is
// served once.
func TestLargePassesAreShared(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, viewers := range []int{1, partSize, 2 * partSize, 2*partSize + 1, 1000} {
		synctest.Test(t, func(t *testing.T) {
			var all []*viewer
			for range viewers {
				all = append(all, &viewer{takes: time.Millisecond})
			}
			began := time.Now()
			l := start(t, 0, all...)
			synctest.Wait()
			l.end()
			took := time.Since(began)
			want := 2 * time.Millisecond * time.Duration(viewers)
			if viewers >= 2*partSize {
				want = 2 * time.Millisecond * time.Duration((viewers+1)/2)
			}
			if took != want {
				t.Errorf("two passes for %d viewers took %v, want %v", viewers, took, want)
			}
			for _, v := range all {
				if len(v.woken) != 2 {
					t.Fatalf("of %d viewers one was served %d times, want 2", viewers, len(v.woken))
				}
			}
		})
	}
}

func TestThoseWhoLeftAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fanWith(t, nil, &viewer{})
		f.pass()
		if left := f.viewers[:cap(f.viewers)]; slices.ContainsFunc(left, func(v stream.Viewer) bool { return v != nil }) {
			t.Error("a viewer is held after the pass")
		}
	})
}

func TestPassesWithViewersAreObserved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
		p, err := registry.Publish(stream.Claim{Channel: "live", Publisher: publisher{}})
		if err != nil {
			t.Fatal(err)
		}
		var passes []int
		began, ended := time.Now(), make(chan struct{})
		go func() {
			defer close(ended)
			Run(p, Options{Now: func() time.Duration { return time.Since(began) }, Observe: func(viewers int, took time.Duration) {
				passes = append(passes, viewers)
			}})
		}()
		flush := func() {
			p.Flush()
			synctest.Wait()
		}
		flush()
		for range 2 {
			v := &viewer{}
			if _, err := registry.Subscribe("live", "", v, v); err != nil {
				t.Fatal(err)
			}
			flush()
		}
		p.Close()
		<-ended
		if want := []int{1, 2}; !slices.Equal(passes, want) {
			t.Errorf("passes with %v viewers, want %v", passes, want)
		}
	})
}

// countedPages say whether they are in use.
type countedPages struct{ closed int }

func (*countedPages) Pipe(_, _, _ []byte) int { return -1 }
func (p *countedPages) Close()                { p.closed++ }

// fanWith returns the fan-out of a publication with viewers, for two processors.
func fanWith(t *testing.T, pages Pages, viewers ...stream.Viewer) *fan {
	t.Helper()
	registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
	p, err := registry.Publish(stream.Claim{Channel: "live", Publisher: publisher{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	for _, v := range viewers {
		if _, err := registry.Subscribe("live", "", publisher{}, v); err != nil {
			t.Fatal(err)
		}
	}
	return &fan{publication: p, parts: 2, pages: pages}
}

// TestPagesAreForPassesWithManyViewers has viewers look for them, and no longer than
// the pass lasts.
func TestPagesAreForPassesWithManyViewers(t *testing.T) {
	for viewers, want := range map[int]bool{1: false, pagesSize - 1: false, pagesSize: true, 1000: true} {
		synctest.Test(t, func(t *testing.T) {
			var pages countedPages
			var all []*reader
			var served []stream.Viewer
			for range viewers {
				r := &reader{pages: &pages}
				all, served = append(all, r), append(served, r)
			}
			fanWith(t, &pages, served...).pass()
			for _, r := range all {
				if r.had != want || r.late {
					t.Fatalf("of %d viewers one had pages: %v, after they were closed: %v", viewers, r.had, r.late)
				}
			}
			if closed := pages.closed == 1; closed != want {
				t.Errorf("the pages of %d viewers were closed %d times", viewers, pages.closed)
			}
		})
	}
}

// reader looks what it is woken with.
type reader struct {
	pages     *countedPages
	had, late bool
}

func (r *reader) Expect() {}

func (r *reader) Wake(pages stream.Pages) {
	time.Sleep(time.Millisecond)
	r.had, r.late = pages != nil, r.pages.closed > 0
}

// TestPagesAreClosedBehindAPanic has one viewer panic while the others are served by
// another goroutine, who must have their pages for as long as they need them.
func TestPagesAreClosedBehindAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pages countedPages
		var served []*reader
		var viewers []stream.Viewer
		for range partSize {
			viewers = append(viewers, panicking{})
		}
		for range partSize {
			r := &reader{pages: &pages}
			served, viewers = append(served, r), append(viewers, r)
		}
		f := fanWith(t, &pages, viewers...)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("there was no panic")
				}
			}()
			f.pass()
		}()
		for _, r := range served {
			if !r.had || r.late {
				t.Fatalf("a viewer had pages: %v, after they were closed: %v", r.had, r.late)
			}
		}
		if pages.closed != 1 {
			t.Errorf("the pages were closed %d times", pages.closed)
		}
	})
}

// panicking is a viewer that nobody can serve.
type panicking struct{}

func (panicking) Wake(stream.Pages) { panic("a fault") }
func (panicking) Expect()           {}
