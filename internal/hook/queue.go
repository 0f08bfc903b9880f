package hook

import (
	"container/heap"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// maxPending bounds the stop events that wait for the backend. A backend that is down for days must not take the
	// server's memory.
	maxPending = 10_000
	// maxDeliveries bounds the stop events on their way at the same time. Thousands of them may become due at once.
	maxDeliveries = 8
	// stopTimeout bounds one attempt.
	stopTimeout = 5 * time.Second
	// firstPause and longestPause bound the pause before a stop event is tried again; each is twice the one before it.
	firstPause   = time.Second
	longestPause = time.Minute
)

// stopEvent is a stop that the backend has not taken yet.
type stopEvent struct {
	session
	number   uint64 // counts events in their order
	due      time.Time
	failures int
}

// dueOrder is a heap of events, the next one to send first.
type dueOrder []*stopEvent

func (o dueOrder) Len() int { return len(o) }
func (o dueOrder) Less(i, j int) bool {
	if !o[i].due.Equal(o[j].due) {
		return o[i].due.Before(o[j].due)
	}
	return o[i].number < o[j].number
}
func (o dueOrder) Swap(i, j int) { o[i], o[j] = o[j], o[i] }
func (o *dueOrder) Push(x any)   { *o = append(*o, x.(*stopEvent)) }
func (o *dueOrder) Pop() any {
	last := len(*o) - 1
	e := (*o)[last]
	(*o)[last] = nil
	*o = (*o)[:last]
	return e
}

// queue delivers stop events in the background. It has no goroutine while there is nothing to send.
type queue struct {
	base context.Context // its end cuts attempts off, and what was not delivered stays pending
	log  *slog.Logger
	// send makes one attempt; nil means that the event is over.
	send func(context.Context, session) error
	// dropped is told, on a goroutine of its own, of an event that is given up.
	dropped func(session)
	// jitter picks a pause of at most the one it gets.
	jitter func(time.Duration) time.Duration

	mu       sync.Mutex
	waiting  dueOrder
	sending  int
	retrying int // events with failures, for the log
	added    uint64
	dropping bool
	draining bool
	closed   bool
	timer    *time.Timer
	drained  chan struct{} // closed when nothing is pending any more
	running  sync.WaitGroup
}

// halfRandom keeps the events that failed together from coming back together.
func halfRandom(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1) // #nosec G404 -- spreads load, guards nothing
}

// pause returns how long an event waits that has failed the given number of times, before jitter.
func pause(failures int) time.Duration {
	if failures > 6 { // 2^6 s is beyond the longest one
		return longestPause
	}
	return min(firstPause<<(failures-1), longestPause)
}

// add queues the stop of s. It does not wait for anything. When the queue is full, the oldest event makes room.
func (q *queue) add(s session) {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return
	}
	first := false
	if q.size() >= maxPending {
		first = q.dropOldest()
	}
	q.added++
	heap.Push(&q.waiting, &stopEvent{session: s, number: q.added, due: time.Now()})
	q.pump()
	q.mu.Unlock()
	if first {
		q.log.Error("stop events are lost: the callback backend takes none and the queue is full", "pending", maxPending)
	}
}

// dropOldest gives up the event that was added first and is not on its way. It reports whether that has not happened since the queue was last
// half empty.
func (q *queue) dropOldest() (first bool) {
	oldest := 0
	for i, e := range q.waiting {
		if e.number < q.waiting[oldest].number {
			oldest = i
		}
	}
	e := heap.Remove(&q.waiting, oldest).(*stopEvent)
	if e.failures > 0 {
		q.retrying--
	}
	q.running.Go(func() { q.dropped(e.session) })
	first = !q.dropping
	q.dropping = true
	return first
}

func (q *queue) size() int { return len(q.waiting) + q.sending }

func (q *queue) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size()
}

// pump sends what is due, as far as there is room, and sets the timer for what is not. It is called with the lock held,
// after each change.
func (q *queue) pump() {
	now := time.Now()
	for !q.closed && len(q.waiting) > 0 && q.sending < maxDeliveries && !q.waiting[0].due.After(now) {
		e := heap.Pop(&q.waiting).(*stopEvent)
		q.sending++
		q.running.Go(func() { q.deliver(e) })
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	if !q.closed && len(q.waiting) > 0 && q.sending < maxDeliveries {
		q.timer = time.AfterFunc(q.waiting[0].due.Sub(now), q.tick)
	}
	if q.size() < maxPending/2 {
		q.dropping = false
	}
	if q.draining && !q.closed && q.size() == 0 {
		q.closed = true
		close(q.drained)
	}
}

func (q *queue) tick() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.pump()
}

// deliver makes one attempt.
func (q *queue) deliver(e *stopEvent) {
	ctx, cancel := context.WithTimeout(q.base, stopTimeout)
	defer cancel()
	err := q.send(ctx, e.session)
	var line string
	q.mu.Lock()
	q.sending--
	switch {
	case err == nil && e.failures > 0:
		if q.retrying--; q.retrying == 0 {
			line = "stop events are delivered again"
		}
	case err != nil:
		if e.failures++; e.failures == 1 {
			if q.retrying++; q.retrying == 1 && q.base.Err() == nil {
				line = "stop events are delayed: the callback backend does not take them"
			}
		}
		q.retryLater(e)
	}
	q.pump()
	q.mu.Unlock()
	switch {
	case line == "":
	case err == nil:
		q.log.Info(line)
	default:
		q.log.Warn(line, "error", err)
	}
}

func (q *queue) retryLater(e *stopEvent) {
	wait := pause(e.failures)
	if q.draining {
		wait = firstPause
	}
	e.due = time.Now().Add(q.jitter(wait))
	heap.Push(&q.waiting, e)
}

// drain makes all events due at once, and from here on pauses short. It returns when all are over, and then the queue takes no
// more, or when base ends.
func (q *queue) drain() {
	q.mu.Lock()
	q.draining = true
	now := time.Now()
	for _, e := range q.waiting {
		e.due = now
	}
	heap.Init(&q.waiting)
	q.pump()
	q.mu.Unlock()
	select {
	case <-q.drained:
	case <-q.base.Done():
	}
}

// close ends all sending, for which base must have ended if anything may be pending, and returns what is left.
func (q *queue) close() (left int) {
	q.mu.Lock()
	q.closed = true
	q.pump() // stops the timer
	q.mu.Unlock()
	q.running.Wait()
	return q.pending()
}
