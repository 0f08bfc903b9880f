package bench

import (
	"math"
	"sync"
	"sync/atomic"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// window is the time that is measured, in microseconds; a message belongs to it
// if it was sent in it.
type window struct {
	from, to atomic.Int64
}

func newWindow() *window {
	w := &window{}
	w.from.Store(math.MaxInt64)
	w.to.Store(math.MaxInt64)
	return w
}

func (w *window) contains(us int64) bool { return us >= w.from.Load() && us < w.to.Load() }

// fifth tells in which fifth of the window a time lies, from 0.
func (w *window) fifth(us int64) int64 {
	from := w.from.Load()
	return (us - from) * 5 / max(w.to.Load()-from, 1)
}

// progress is how far one player got in its stream, by kind.
type progress struct {
	source       uint64
	audio, video uint64
}

// tally counts what arrives at a group of players. Each group has its own, so
// that a busy one does not hold up the others.
type tally struct {
	window *window
	// unmarked has frames without a marker count by their time of arrival:
	// somebody else publishes.
	unmarked bool

	mu       sync.Mutex // guards what follows
	wire     int64      // bytes read, since the start
	bytes    int64      // payload of the window
	messages int64
	gaps     int64 // runs of messages of the window that were left out
	lost     int64 // messages in them

	lag         histogram // of the window
	first, last histogram // of its first and last fifth
	recent      histogram // since the live line took it

	batches    int64 // arrivals, what they brought, and the time between them
	batchBytes int64
	batchTime  int64
}

func newTally(w *window, unmarked bool) *tally { return &tally{window: w, unmarked: unmarked} }

// media counts a frame that arrived at the time now. The lock must be held.
func (t *tally) media(now int64, p *progress, m arrival) {
	at, last := audioMarkerAt, &p.audio
	if m.kind == rtmp.TypeVideo {
		at, last = videoMarkerAt, &p.video
	}
	mark, ok := parseMarker(m.payload, at)
	if !ok {
		if t.unmarked && t.window.contains(now) {
			t.bytes += int64(m.length)
			t.messages++
		}
		return
	}
	if p.source != mark.source {
		*p = progress{source: mark.source}
	}
	previous := *last
	if mark.seq <= previous {
		return // what a server sends again to a player that comes back
	}
	*last = mark.seq
	lag := now - mark.sent
	t.recent.add(lag)
	if !t.window.contains(mark.sent) {
		return
	}
	if previous != 0 && mark.seq != previous+1 {
		t.gaps++
		t.lost += int64(mark.seq - previous - 1)
	}
	t.bytes += int64(m.length)
	t.messages++
	t.lag.add(lag)
	switch t.window.fifth(mark.sent) {
	case 0:
		t.first.add(lag)
	case 4:
		t.last.add(lag)
	}
}

// batch counts an arrival of n bytes, pause microseconds after the last one:
// the begin of a batch, or more of it. The lock must be held.
func (t *tally) batch(n, pause int64, begins bool) {
	if begins {
		t.batches++
	}
	t.batchBytes += n
	t.batchTime += pause
}

// add adds what another tally counted; it locks that one only.
func (t *tally) add(o *tally) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.wire += o.wire
	t.bytes += o.bytes
	t.messages += o.messages
	t.gaps += o.gaps
	t.lost += o.lost
	t.lag.merge(&o.lag)
	t.first.merge(&o.first)
	t.last.merge(&o.last)
	t.batches += o.batches
	t.batchBytes += o.batchBytes
	t.batchTime += o.batchTime
}

// takeRecent moves the lags since the last call into h.
func (t *tally) takeRecent(h *histogram) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h.merge(&t.recent)
	t.recent = histogram{}
}
