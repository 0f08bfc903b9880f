package memory

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// process is one whose memory is made up. Its caches and its garbage are part of
// what it uses.
type process struct {
	used, garbage int64
	caches        []int64 // the largest first
	viewers       []int64 // what is kept for each alone, the farthest behind first
	short         bool
	refused       uint64
	collections   int
	looks         int // into the caches
	grown         int // how often the growth was set
	log           bytes.Buffer
}

func (p *process) read() reading {
	r := reading{heap: p.used + p.garbage, garbage: p.garbage}
	for _, c := range p.caches {
		r.heap += c
	}
	for _, v := range p.viewers {
		r.heap += v
	}
	r.live = r.heap - r.garbage
	return r
}

func (p *process) grow(int) { p.grown++ }

func (p *process) collect() {
	p.collections++
	p.garbage = 0
}

func (p *process) TrimCaches(most int64) (kept int64, dropped int) {
	p.looks++
	for _, c := range p.caches {
		kept += c
	}
	for kept > most && len(p.caches) > 0 {
		kept -= p.caches[0]
		p.garbage += p.caches[0]
		p.caches = p.caches[1:]
		dropped++
	}
	return kept, dropped
}

func (p *process) CloseBehind(bytes int64) (closed int) {
	for bytes > 0 && len(p.viewers) > 0 {
		bytes -= p.viewers[0]
		p.garbage += p.viewers[0]
		p.viewers = p.viewers[1:]
		closed++
	}
	return closed
}

func (p *process) SetShort(short bool) uint64 {
	p.short = short
	refused := p.refused
	p.refused = 0
	return refused
}

func (p *process) watch(cacheBytes int64) *Watch {
	w := NewWatch(Options{
		Limit:      Limit{Bytes: 1000 * mib, Heap: 1000 * mib, Source: FromSetting},
		CacheBytes: cacheBytes, Caches: p, Door: p, Viewers: p,
		Log: slog.New(slog.NewTextHandler(&p.log, nil)),
	})
	w.meter = p
	return w
}

func (p *process) wantLines(t *testing.T, texts ...string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.log.String()), "\n")
	if p.log.Len() == 0 {
		lines = nil
	}
	for i, text := range texts {
		if i >= len(lines) || !strings.Contains(lines[i], text) {
			t.Fatalf("line %d of the log should hold %q:\n%s", i, text, p.log.String())
		}
	}
	if len(lines) != len(texts) {
		t.Errorf("%d lines in the log, want %d:\n%s", len(lines), len(texts), p.log.String())
	}
}

// after is a time on the clock of a test.
func after(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }

func TestShortMemoryIsShedAndRecovers(t *testing.T) {
	p := &process{used: 500 * mib, garbage: 10 * mib, caches: []int64{200 * mib, 100 * mib, 50 * mib}}
	w := p.watch(0)
	w.look(after(0))
	if p.short || len(p.caches) != 3 || p.collections != 0 {
		t.Fatalf("something was done at %d MiB: %+v", mb(p.read().heap), p)
	}
	p.used = 600 * mib // 960 in all
	w.look(after(lookEach))
	if !p.short || len(p.caches) != 2 || p.collections != 1 {
		t.Fatalf("short is %v, %d caches are left, %d collections", p.short, len(p.caches), p.collections)
	}
	p.refused = 7
	w.look(after(2 * lookEach)) // the cache's memory is free after a collection
	if p.short || len(p.caches) != 2 || p.collections != 2 {
		t.Fatalf("short is %v, %d caches are left, %d collections", p.short, len(p.caches), p.collections)
	}
	p.wantLines(t,
		`level=WARN msg="memory is short: new connections are refused" used_mb=960 cgroup_mb=0 limit_mb=1000 from=MEMORY_LIMIT_MB`,
		`level=WARN msg="memory is no longer short: new connections are welcome" after=100ms connections_refused=7 caches_dropped=1 viewers_closed=0`)
}

// Viewers go only for what the caches do not give: because they are too small, or
// because what was in them is kept for such viewers as well.
func TestViewersWhoAreBehindGoWhereCachesAreNotEnough(t *testing.T) {
	p := &process{
		used: 700 * mib, caches: []int64{100 * mib, 20 * mib},
		viewers: []int64{80 * mib, 60 * mib, 40 * mib},
	}
	w := p.watch(0)
	w.look(after(0)) // 1,000 in all, 200 too many
	if !p.short || len(p.caches) != 0 || len(p.viewers) != 2 {
		t.Fatalf("short is %v, %d caches and %d viewers are left", p.short, len(p.caches), len(p.viewers))
	}
	p.used += 120 * mib // was not freed with the caches
	w.look(after(lookEach))
	if !p.short || len(p.viewers) != 0 {
		t.Fatalf("short is %v, %d viewers are left", p.short, len(p.viewers))
	}
	p.used -= 100 * mib
	w.look(after(2 * lookEach))
	p.wantLines(t, "memory is short", "caches_dropped=2 viewers_closed=3")
}

// When there is nothing left to drop, refusing is all that can be done.
func TestWithoutCachesMemoryStaysShort(t *testing.T) {
	p := &process{used: 950 * mib}
	w := p.watch(0)
	for i := range 20 {
		w.look(after(time.Duration(i) * lookEach))
		if !p.short {
			t.Fatal("new connections are let in")
		}
	}
	if p.collections != 4 {
		t.Errorf("%d collections in 2 s, want 4", p.collections)
	}
	p.used = 100 * mib
	w.look(after(2 * time.Second))
	p.wantLines(t, "memory is short", "after=2s connections_refused=0 caches_dropped=0")
}

func TestGarbageIsCollectedBeforeAnybodyIsRefused(t *testing.T) {
	p := &process{used: 500 * mib}
	w := p.watch(0)
	for i := range 10 {
		p.garbage = 450 * mib
		w.look(after(time.Duration(i) * lookEach))
	}
	if p.collections != 2 || p.short {
		t.Errorf("%d collections in 1 s, want 2; short is %v", p.collections, p.short)
	}
	p.wantLines(t)
}

func TestWhatACollectionCannotFreeRefuses(t *testing.T) {
	p := &process{used: 500 * mib}
	w := p.watch(0)
	p.garbage = 450 * mib
	w.meter = &pinned{p}
	w.look(after(0))
	if !p.short {
		t.Error("nobody is refused")
	}
}

// pinned finds that its garbage is none.
type pinned struct{ *process }

func (p *pinned) collect() { p.used, p.garbage = p.used+p.garbage, 0 }

func TestCachesAreHeldToTheirOwnBound(t *testing.T) {
	p := &process{caches: []int64{100 * mib, 80 * mib, 60 * mib, 10 * mib}}
	w := p.watch(150 * mib)
	w.look(after(0))
	if len(p.caches) != 3 || p.short {
		t.Fatalf("%d caches are left", len(p.caches))
	}
	p.caches = append([]int64{90 * mib}, p.caches...)
	w.look(after(time.Second))
	p.caches = append([]int64{90 * mib}, p.caches...)
	w.look(after(2 * time.Second))
	w.look(after(trimmedEach))
	w.look(after(2 * trimmedEach))
	p.wantLines(t, "caches=1 kept_mb=150", "caches=2 kept_mb=150")
}

// What was dropped is told also when a collection has made the heap smaller than the
// caches may be.
func TestCachesThatWereDroppedAreToldOfInASmallHeap(t *testing.T) {
	p := &process{caches: []int64{100 * mib, 80 * mib, 60 * mib}}
	w := p.watch(150 * mib)
	w.look(after(0))
	p.caches = append([]int64{90 * mib}, p.caches...)
	w.look(after(time.Second))
	p.collect()
	w.look(after(trimmedEach - time.Second))
	p.wantLines(t, "caches=1 kept_mb=140")
	w.look(after(trimmedEach))
	w.look(after(3 * trimmedEach))
	p.wantLines(t, "caches=1 kept_mb=140", "caches=1 kept_mb=140")
}

// Looking into the caches takes a lock and a look at each channel.
func TestCachesThatCannotBeTooLargeAreLeftAlone(t *testing.T) {
	p := &process{used: 100 * mib, caches: []int64{40 * mib}}
	w := p.watch(150 * mib)
	w.look(after(0))
	if p.looks != 0 {
		t.Errorf("looked into the caches of a process of %d MiB", mb(p.read().heap))
	}
	p.caches = append([]int64{130 * mib}, p.caches...)
	w.look(after(lookEach))
	if p.looks != 1 || len(p.caches) != 1 {
		t.Errorf("%d looks, %d caches are left", p.looks, len(p.caches))
	}
}

func TestRunLooksUntilItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &process{used: 990 * mib}
		w := p.watch(math.MaxInt64)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		time.Sleep(lookEach)
		synctest.Wait()
		if !p.short {
			t.Error("nobody looked")
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// The meter knows what is garbage, and does not count what the runtime only holds.
func TestTheMeterTellsGarbageFromWhatIsInUse(t *testing.T) {
	const size = 64 * mib
	m := newMeter(nil)
	m.collect()
	before := m.read()
	if before.heap <= 0 || before.group != 0 {
		t.Fatalf("%+v", before)
	}
	held := make([]byte, size)
	with := m.read()
	if grown := with.heap - before.heap; grown < size*9/10 {
		t.Errorf("%d bytes more with an object of %d", grown, size)
	}
	m.collect()
	if r := m.read(); r.heap-r.garbage < before.heap+size*9/10-8*mib {
		t.Errorf("what is in use counts as garbage: %+v, was %+v", r, before)
	}
	runtime.KeepAlive(held)
	m.collect()
	if r := m.read(); r.heap > before.heap+size/2 {
		t.Errorf("%d bytes are in use, were %d before", r.heap, before.heap)
	}
	full := &cgroup{system: system(map[string]string{"g/memory.current": "1099511627776"}), dir: "g", files: &cgroupV2, limit: math.MaxInt64}
	m = newMeter(full)
	m.collect()
	if r := m.read(); r.group <= 1<<39 || r.group > 1<<40 {
		t.Errorf("the group uses %d bytes", r.group)
	}
	for i := range m.samples {
		if m.samples[i].Value.Kind() != metrics.KindUint64 {
			t.Errorf("no figure for %s", m.samples[i].Name)
		}
	}
}

func BenchmarkLook(b *testing.B) {
	p := &process{}
	w := p.watch(0)
	w.meter = newMeter(findCgroup(system(nil)))
	b.ReportAllocs()
	for b.Loop() {
		w.look(after(0))
	}
}
