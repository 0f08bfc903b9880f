package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// phase is what a connection is doing, as far as its deadlines are concerned.
type phase uint8

const (
	phaseHandshake  phase = iota
	phaseUnaccepted       // nothing was published or played yet
	phaseIdle             // nothing is published or played any more
	phasePublishing
	phasePlaying
)

// watchdog ends a connection that misses a deadline. It is one timer that
// looks at what the connection did last, so that reading and writing cost no
// timer of their own.
type watchdog struct {
	c *conn
	// read and media are when bytes were last read and when media was last
	// published, on the server's clock.
	read, media atomic.Int64

	mu       sync.Mutex // guards what follows
	timer    *time.Timer
	phase    phase
	since    time.Duration
	waiting  bool // for a channel to go live
	pinged   bool
	pingedAt time.Duration
	stopped  bool
	// due is when the timer is to fire, and reprieved says that the peer was given
	// more time because it fired late.
	due       time.Duration
	reprieved bool
}

const (
	// timerGrid is what timers fire at multiples of, except for a deadline that comes
	// before the next one: most have been moved by then, and one wake-up of the process
	// serves thousands of them.
	timerGrid = 250 * time.Millisecond
	// lateTimer is how late the timer of a running process never is: one that is
	// later says that the process was stopped or its machine suspended.
	lateTimer = 100 * time.Millisecond
	// reprieve is the time that a peer then has. What it sent meanwhile waits in
	// the kernel, and counts as soon as it is read.
	reprieve = 5 * time.Second
)

// onGrid is when to look, now or later, whether a deadline has been moved.
func onGrid(now, deadline time.Duration) time.Duration {
	if common := deadline.Truncate(timerGrid); common > now {
		return common
	}
	return deadline
}

func newWatchdog(c *conn) *watchdog {
	w := &watchdog{c: c, since: c.started, due: onGrid(c.started, c.started+handshakeTimeout)}
	w.timer = time.AfterFunc(w.due-c.started, w.check)
	return w
}

// noteMedia says when media was published, mostly several times for one read: a
// load is cheaper than a store.
func (w *watchdog) noteMedia(at time.Duration) {
	if w.media.Load() != int64(at) {
		w.media.Store(int64(at))
	}
}

// enter puts the deadlines of a phase into force.
func (w *watchdog) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return
	}
	now := w.c.server.now()
	w.phase, w.since = p, now
	w.schedule(now)
}

// wait says whether the players of the connection wait for a channel to go
// live.
func (w *watchdog) wait(waiting bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || w.waiting == waiting {
		return
	}
	now := w.c.server.now()
	w.waiting, w.since = waiting, now
	w.schedule(now)
}

func (w *watchdog) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.timer.Stop()
}

func (w *watchdog) check() {
	defer w.c.contain()
	w.mu.Lock()
	defer w.mu.Unlock()
	faultinject.At(faultinject.Deadline, "")
	if !w.stopped {
		w.schedule(w.c.server.now())
	}
}

// schedule ends the connection if a deadline has passed, and otherwise sets
// the timer for the next one. The lock is held.
func (w *watchdog) schedule(now time.Duration) {
	deadline, reason := w.deadline(now)
	switch {
	case now < deadline:
		w.reprieved = false
	case now > w.due+lateTimer && !w.reprieved:
		w.reprieved = true
		deadline = now + reprieve
	case w.reprieved && now < w.due:
		return // the timer is set
	}
	if now < deadline {
		if w.due = deadline; !w.reprieved {
			w.due = onGrid(now, deadline)
		}
		w.timer.Reset(w.due - now)
		return
	}
	w.stopped = true
	w.c.end(reason, nil)
}

// deadline returns when the connection has to end unless something happens,
// and why.
func (w *watchdog) deadline(now time.Duration) (time.Duration, stream.Reason) {
	switch w.phase {
	case phaseHandshake:
		return w.c.started + handshakeTimeout, ReasonHandshakeTimeout
	case phaseUnaccepted:
		return w.c.started + acceptTimeout, ReasonAcceptTimeout
	case phaseIdle:
		return w.since + idleTimeout, ReasonIdle
	case phasePublishing:
		return time.Duration(w.media.Load()) + publisherTimeout, ReasonPublisherTimeout
	default:
		return w.playerDeadline(now)
	}
}

func (w *watchdog) playerDeadline(now time.Duration) (time.Duration, stream.Reason) {
	deadline := w.pingDeadline(now)
	if limit := w.c.server.options.PlayWait; w.waiting && limit > 0 && w.since+limit <= deadline {
		return w.since + limit, stream.ReasonPlayWait
	}
	return deadline, stream.ReasonPingTimeout
}

// pingDeadline sends a ping when a player has been silent in both directions,
// and gives it some time to answer with anything.
func (w *watchdog) pingDeadline(now time.Duration) time.Duration {
	read := time.Duration(w.read.Load())
	if w.pinged && read > w.pingedAt {
		w.pinged = false
	}
	if w.pinged {
		return w.pingedAt + pongTimeout
	}
	quiet := max(read, time.Duration(w.c.out.writtenAt.Load())) + pingAfter
	if now < quiet {
		return quiet
	}
	w.pinged, w.pingedAt = true, now
	w.c.out.send(rtmp.UserControl(rtmp.EventPingRequest, uint32(now.Milliseconds())))
	w.c.server.running.Go(w.c.out.flush) // which may come back for the lock
	return now + pongTimeout
}
