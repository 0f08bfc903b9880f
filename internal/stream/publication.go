package stream

import (
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Publication is a publisher's hold on a channel, from the claim to Close or
// Interrupt, one of which must be called, and once.
// Append and Flush belong to one goroutine.
type Publication struct {
	registry *Registry
	channel  *channel
	claim    Claim
	// replaced is the address of the publisher before, and not more of it: what
	// is over has to be let go.
	replaced string
	log      *Log
	// rest is until when the fan-out does not serve anybody.
	rest atomic.Int64
	// pulse holds at most one flush that the viewers have not been told of.
	pulse chan struct{}
	done  chan struct{}
}

func newPublication(r *Registry, ch *channel, c Claim) *Publication {
	return &Publication{
		registry: r,
		channel:  ch,
		claim:    c,
		log:      newLog(r.options.ChunkSize, r.options.CacheBytes),
		pulse:    make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
}

// Log returns the log of this publication.
func (p *Publication) Log() *Log { return p.log }

// Replaced returns the address of the publisher from whom this one took the
// channel over, empty if it was free.
func (p *Publication) Replaced() string { return p.replaced }

// Append adds a message to the log without waking anyone, see [Log.Append].
// After the end, or once another publisher took over, nothing is added.
func (p *Publication) Append(m rtmp.Message, now time.Duration) {
	if !p.log.ended.Load() {
		p.log.Append(m, now)
	}
}

// Flush says that the viewers should get what was appended. Called when no
// further complete message is at hand, it turns a burst into one batch without
// a timer.
func (p *Publication) Flush() {
	if !p.channel.watched.Load() {
		p.log.Part()
		return
	}
	select {
	case p.pulse <- struct{}{}:
	default:
	}
}

// Rest says that nobody is served until a time, on the clock of the caller; the
// publisher may use it to let messages gather as well.
func (p *Publication) Rest(until time.Duration) { p.rest.Store(int64(until)) }

// Resting returns until when nobody is served, and whether anybody watches at
// all.
func (p *Publication) Resting() (until time.Duration, watched bool) {
	return time.Duration(p.rest.Load()), p.channel.watched.Load()
}

// Pulse returns the channel on which Flush tells the fan-out, one goroutine,
// that there is something for the viewers.
func (p *Publication) Pulse() <-chan struct{} { return p.pulse }

// Done returns a channel that is closed by Close and Interrupt.
func (p *Publication) Done() <-chan struct{} { return p.done }

// AppendViewers appends those who watch at the moment.
func (p *Publication) AppendViewers(dst []Viewer) []Viewer { return p.channel.appendViewers(dst) }

// Close ends the publication and frees the channel at once; viewers come to
// the end of the log.
func (p *Publication) Close() {
	p.registry.mu.Lock()
	defer p.registry.mu.Unlock()
	p.end()
	p.registry.release(p.channel)
}

// Interrupt is Close for a publisher that is expected back. Until the channel is
// live again or expire is called, it is interrupted and not over, see
// [Subscription.Interrupted]; anyone may publish it meanwhile. expire wakes the
// viewers. It may be called at any time and more than once, and does nothing if
// a publisher came.
func (p *Publication) Interrupt() (expire func()) {
	p.registry.mu.Lock()
	defer p.registry.mu.Unlock()
	r, ch, done := p.registry, p.channel, p.done // and not p, which has the log
	if p.end() {
		ch.interrupted = done
	}
	return func() { r.expire(ch, done) }
}

// end reports whether the channel was still the publication's; the lock of the
// registry is held.
func (p *Publication) end() bool {
	p.log.end()
	close(p.done)
	held := p.channel.publication == p
	if held {
		p.channel.publication = nil
		p.channel.leave(p.log)
	}
	return held
}
