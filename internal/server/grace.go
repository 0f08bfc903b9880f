package server

import (
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// graces are the times for which viewers wait, in peace, for publishers that
// were cut off.
type graces struct {
	length time.Duration

	mu      sync.Mutex // guards what follows
	running map[*grace]struct{}
	ended   bool
	// expiring counts those that expire at the moment.
	expiring sync.WaitGroup
}

type grace struct {
	timer  *time.Timer
	expire func()
}

func newGraces(length time.Duration) graces {
	return graces{length: length, running: make(map[*grace]struct{})}
}

// begin calls expire when the time is up.
func (g *graces) begin(expire func()) {
	if !g.start(expire) {
		expire()
	}
}

// start reports whether it is not too late.
func (g *graces) start(expire func()) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return false
	}
	one := &grace{expire: expire}
	one.timer = time.AfterFunc(g.length, func() { g.expire(one) })
	g.running[one] = struct{}{}
	return true
}

func (g *graces) expire(one *grace) {
	if g.take(one) {
		defer g.expiring.Done()
		one.expire()
	}
}

// take reports whether the grace is still running, and ends that.
func (g *graces) take(one *grace) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.running[one]; !ok {
		return false
	}
	delete(g.running, one)
	g.expiring.Add(1)
	return true
}

// end has all of them expire now, and whatever begins later at once.
func (g *graces) end() {
	for one := range g.stop() {
		one.expire()
	}
	g.expiring.Wait()
}

func (g *graces) stop() (left map[*grace]struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	left, g.running = g.running, nil
	for one := range left {
		one.timer.Stop()
	}
	return left
}

// endPublication frees the channel. The viewers of a publisher that was cut off
// have a while to wait for it.
func (c *conn) endPublication(p *stream.Publication) {
	if !c.expectedBack() {
		p.Close()
		return
	}
	expire := p.Interrupt()
	c.server.graces.begin(func() {
		defer c.contain()
		expire()
	})
}

// expectedBack reports whether the publisher ends although neither it, nor an
// operator, nor whoever took its channel over wanted that, or only to connect
// anew as it was asked to. Most connections that end without a word were lost:
// encoders say it when they stop.
func (c *conn) expectedBack() bool {
	s := c.server
	switch {
	case s.options.PublishGrace == 0 || s.isStopping():
		return false
	case !c.closing || c.orderly:
		return c.Leaving()
	}
	switch c.cause.Load().reason {
	case stream.ReasonKilled, stream.ReasonKicked, stream.ReasonReplaced, stream.ReasonShutdown:
		return false
	default:
		return true
	}
}
