package command

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are the figures of a [Listener] since its start. Every message that
// was received is executed, dropped or ignored in the end.
type Stats struct {
	// Connected says that commands are heard at present.
	Connected bool
	// Subscriptions is how often the listener has subscribed: more than once
	// means that it had lost Redis.
	Subscriptions uint64
	// Disconnected is for how long in all no command could be heard while Run
	// was running. Commands sent in that time are lost.
	Disconnected time.Duration

	Received uint64
	Executed uint64
	// Dropped counts commands that came faster than they could be executed.
	Dropped uint64
	Ignored Ignored
}

// Ignored counts messages that were not commands, by reason.
type Ignored struct {
	TooLong uint64 // see [ErrTooLong]
	Syntax  uint64 // see [ErrSyntax]
	Unknown uint64 // see [ErrUnknown]
	ID      uint64 // see [ErrID]
	URL     uint64 // see [ErrURL]
}

type counters struct {
	subscriptions, received, executed, dropped atomic.Uint64
	tooLong, syntax, unknown, id, url          atomic.Uint64
	outage                                     outage
}

func (c *counters) ignored(reason error) {
	switch {
	case errors.Is(reason, ErrTooLong):
		c.tooLong.Add(1)
	case errors.Is(reason, ErrSyntax):
		c.syntax.Add(1)
	case errors.Is(reason, ErrUnknown):
		c.unknown.Add(1)
	case errors.Is(reason, ErrURL):
		c.url.Add(1)
	default:
		c.id.Add(1)
	}
}

// Stats may be called at any time and by anyone.
func (l *Listener) Stats() Stats {
	c := &l.counters
	connected, disconnected := c.outage.read()
	return Stats{
		Connected:     connected,
		Subscriptions: c.subscriptions.Load(),
		Disconnected:  disconnected,
		Received:      c.received.Load(),
		Executed:      c.executed.Load(),
		Dropped:       c.dropped.Load(),
		Ignored: Ignored{
			TooLong: c.tooLong.Load(),
			Syntax:  c.syntax.Load(),
			Unknown: c.unknown.Load(),
			ID:      c.id.Load(),
			URL:     c.url.Load(),
		},
	}
}

// outage measures how long the listener is without Redis.
type outage struct {
	mu        sync.Mutex
	connected bool
	since     time.Time // of the present outage; zero if there is none
	total     time.Duration
}

// begin is called when Redis is lost, and again for each attempt that fails.
func (o *outage) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.connected = false
	if o.since.IsZero() {
		o.since = time.Now()
	}
}

// end is called when Redis is back, and with false when nobody waits for it
// any longer.
func (o *outage) end(connected bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.connected = connected
	if !o.since.IsZero() {
		o.total += time.Since(o.since)
		o.since = time.Time{}
	}
}

func (o *outage) read() (connected bool, total time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	total = o.total
	if !o.since.IsZero() {
		total += time.Since(o.since)
	}
	return o.connected, total
}
