package stream

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Publication is a publisher's hold on a channel, from the claim to Close.
// Append and Flush belong to one goroutine.
type Publication struct {
	registry *Registry
	channel  *channel
	claim    Claim
	log      *Log
	// pulse holds at most one wake-up that the viewers have not been told of.
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

// Append adds a message to the log without waking anyone, see [Log.Append].
// After Close, or once another publisher took over, nothing is added.
func (p *Publication) Append(m rtmp.Message, now time.Duration) {
	if !p.log.ended.Load() {
		p.log.Append(m, now)
	}
}

// Flush has [Publication.Run] wake the viewers. Called when no further complete
// message is at hand, it turns a burst into one batch without a timer.
func (p *Publication) Flush() {
	select {
	case p.pulse <- struct{}{}:
	default:
	}
}

// Run wakes the viewers after each Flush until the publication is closed. It
// is a goroutine of its own, so that the publisher's does not take longer the
// more viewers there are.
func (p *Publication) Run() {
	for {
		select {
		case <-p.pulse:
			p.channel.wake()
		case <-p.done:
			p.channel.wake()
			return
		}
	}
}

// Close ends the publication and frees the channel at once; viewers come to
// the end of the log. It must be called exactly once.
func (p *Publication) Close() {
	p.registry.mu.Lock()
	defer p.registry.mu.Unlock()
	p.log.end()
	if p.channel.publication == p {
		p.channel.publication = nil
		p.registry.release(p.channel)
	}
	close(p.done)
}
