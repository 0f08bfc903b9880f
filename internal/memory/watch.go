package memory

import (
	"context"
	"log/slog"
	"math"
	"time"
)

const (
	// lookEach is how often a Watch looks. A flood at the speed of a fast network
	// fills what is left above shortAbove in a second.
	lookEach = 100 * time.Millisecond
	// collectEach is how often it collects garbage, at most, to find out what is
	// in use.
	collectEach = 500 * time.Millisecond
	// trimmedEach is how often it tells that caches were dropped for their own bound.
	trimmedEach = time.Minute
)

// Options are what a [Watch] needs. All are required, but for CacheBytes.
type Options struct {
	Limit Limit
	// CacheBytes is the most that may be kept for newcomers; 0 means that only the
	// limit counts.
	CacheBytes int64
	// Caches are what is kept for newcomers.
	Caches interface {
		// TrimCaches drops the largest until there are no more than most bytes.
		TrimCaches(most int64) (kept int64, dropped int)
	}
	// Door is where connections come in.
	Door interface {
		// SetShort has new connections refused, or not, and returns how many were
		// since the last call.
		SetShort(short bool) (refused uint64)
	}
	// Viewers are those of all channels.
	Viewers interface {
		// CloseBehind closes those farthest behind until so many bytes that are kept
		// for nobody else can be freed, or only those are left who keep up.
		CloseBehind(bytes int64) (closed int)
	}
	Log *slog.Logger
}

// Watch keeps the process within its limit.
type Watch struct {
	options Options
	meter   interface {
		read() reading
		collect()
		grow(percent int)
	}

	// growth is that of the heap, in percent.
	growth int

	pressure  pressure
	collected time.Time
	// since is when memory became short, dropped counts the caches that went for
	// it, and closed the viewers.
	since           time.Time
	dropped, closed int
	// trimmed counts the caches that went for their own bound since toldAt, and kept
	// is how many bytes the last of them left.
	trimmed int
	kept    int64
	toldAt  time.Time
}

// NewWatch returns a Watch that waits for its Run.
func NewWatch(options Options) *Watch {
	if options.CacheBytes == 0 {
		options.CacheBytes = math.MaxInt64
	}
	m := newMeter(options.Limit.cgroup)
	return &Watch{options: options, meter: m, growth: m.growth()}
}

// Run watches until ctx ends.
func (w *Watch) Run(ctx context.Context) error {
	ticker := time.NewTicker(lookEach)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			w.look(now)
		}
	}
}

// look does what there is to do at the moment.
func (w *Watch) look(now time.Time) {
	r := w.meter.read()
	if r.heap > w.options.CacheBytes { // or the caches, a part of it, have no more
		w.trim()
	}
	w.tellTrimmed(now)
	w.suit(r)
	all, live := w.options.Limit.full(r)
	verdict := w.pressure.decide(all, live, false)
	if verdict == refuse {
		w.begin(now, r)
		verdict = collect
	}
	if verdict == collect && now.Sub(w.collected) >= collectEach {
		w.collected = now
		w.meter.collect()
		r = w.meter.read()
		all, live = w.options.Limit.full(r)
		verdict = w.pressure.decide(all, live, true)
	}
	switch verdict {
	case refuse:
		w.begin(now, r)
	case shed:
		w.shed(w.options.Limit.excess(r))
	case calm:
		w.end(now)
	}
}

// suit has the heap grow as far as suits what lives in it.
func (w *Watch) suit(r reading) {
	if growth := suitable(w.growth, r.live, w.options.Limit.Heap); growth != w.growth {
		w.growth = growth
		w.meter.grow(growth)
	}
}

// trim holds the caches to their own bound.
func (w *Watch) trim() {
	kept, dropped := w.options.Caches.TrimCaches(w.options.CacheBytes)
	if dropped > 0 {
		w.trimmed += dropped
		w.kept = kept
	}
}

// tellTrimmed tells of caches that went for their own bound, also when the next look
// finds nothing to trim.
func (w *Watch) tellTrimmed(now time.Time) {
	if w.trimmed > 0 && now.Sub(w.toldAt) >= trimmedEach {
		w.options.Log.Warn("caches dropped: the channels keep more than GOP_CACHE_TOTAL_MB together",
			"caches", w.trimmed, "kept_mb", mb(w.kept))
		w.trimmed, w.toldAt = 0, now
	}
}

func (w *Watch) begin(now time.Time, r reading) {
	w.since, w.dropped, w.closed = now, 0, 0
	w.options.Door.SetShort(true)
	w.options.Log.Warn("memory is short: new connections are refused",
		"used_mb", mb(r.heap), "cgroup_mb", mb(r.group), "limit_mb", mb(w.options.Limit.Bytes), "from", string(w.options.Limit.Source))
}

// shed frees an excess of bytes: of those kept in caches, and where these have not as
// much, or viewers who are behind have them as well, of those kept for such viewers.
// They are free with the next collection, which must not wait.
func (w *Watch) shed(excess int64) {
	kept, _ := w.options.Caches.TrimCaches(math.MaxInt64)
	left, dropped := w.options.Caches.TrimCaches(kept - excess)
	closed := 0
	if lacking := excess - (kept - left); lacking > 0 {
		closed = w.options.Viewers.CloseBehind(lacking)
	}
	w.dropped += dropped
	w.closed += closed
	if dropped+closed > 0 {
		w.collected = time.Time{}
	}
}

func (w *Watch) end(now time.Time) {
	refused := w.options.Door.SetShort(false)
	w.options.Log.Warn("memory is no longer short: new connections are welcome",
		"after", now.Sub(w.since).Round(time.Millisecond), "connections_refused", refused,
		"caches_dropped", w.dropped, "viewers_closed", w.closed)
}

func mb(n int64) int64 { return n >> 20 }
