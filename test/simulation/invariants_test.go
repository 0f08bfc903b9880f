package simulation

import (
	"fmt"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

const (
	// toleratedLag is how far a viewer may be behind for certain without missing
	// anything.
	toleratedLag = 3900 * time.Millisecond
	// recovery is what a viewer may need that was slow: it has to take what it has
	// read already, and one that answers a ping to a server that is hanging up is
	// answered by the close only, since the connections have no buffers.
	recovery = 1100 * time.Millisecond
	// longestShutdown is the time that peers have to read the last answers, behind
	// the longest that the authorizer takes.
	longestShutdown = 16 * time.Second
)

// check looks at the world while nothing moves. What is wrong may be put right by
// what is under way in the network: publishers keep still until it has arrived.
func (w *world) check() {
	for left := w.settings.Network.looks(); ; left-- {
		synctest.Wait()
		complaints := w.look(left > 1)
		if len(complaints) > 0 && left > 1 {
			time.Sleep(w.settings.Network.round() + w.settings.MaxWriteDelay)
			continue
		}
		for _, c := range complaints {
			w.violate("%s", c)
		}
		w.collecting = false
		return
	}
}

// look returns what is wrong, and freezes the publishers if it is to be looked at
// again.
func (w *world) look(again bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = nil
	w.checkAll()
	w.frozen = again && len(w.complaints) > 0
	return w.complaints
}

// complain notes what is a violation if it stays.
func (w *world) complain(format string, args ...any) {
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

func (w *world) checkAll() {
	if w.collecting {
		w.checkLogs()
	}
	for _, channel := range []string{"one", "two"} {
		publisher := w.checkPublishers(channel)
		if publisher != nil {
			w.memory.see(w.registry, channel, publisher.key)
		}
		for _, p := range w.peers {
			if p.plays() && p.viewing.channel == channel && !p.stalled && !p.vanished && !p.viewing.paused && !p.viewing.resuming {
				w.checkViewer(p.viewing, publisher)
			}
		}
	}
}

// checkPublishers returns the publisher of a channel, nil if there is none or if
// that is not known for certain.
func (w *world) checkPublishers(channel string) *source {
	var present []*source
	least, most := 0, 0
	for _, p := range w.peers {
		if p.source == nil || p.source.channel != channel || p.ended && !p.mute { // its end may be lost as well
			continue
		}
		switch {
		case p.vanished, p.deaf:
			most++
		case p.publishes():
			least, most = least+1, most+1
			present = append(present, p.source)
		}
	}
	if least > 1 {
		w.complain("%d publishers on %s", least, channel)
	}
	if running := len(w.authorizer.onChannel(channel)); running < least || running > most {
		w.complain("%d starts without a stop on %s, with %d to %d publishers", running, channel, least, most)
	}
	if len(present) == 1 {
		return present[0]
	}
	return nil
}

// checkViewer is for one that reads: it has everything, and knows whether the
// channel is live.
func (w *world) checkViewer(v *viewing, s *source) {
	if v.since.IsZero() {
		v.since = time.Now()
	}
	if v.live && w.authorizer.quiet(v.channel) > w.settings.Grace {
		v.complain("it was not told that the stream has ended")
	}
	if s == nil {
		return
	}
	if s.key != v.key {
		v.complain("it is on a channel that is live with the key %s", s.key)
		return
	}
	if !s.begun {
		return
	}
	if v.source != s.id {
		clear(v.tracks)
	}
	for _, t := range s.tracks {
		if v.takes(s, t.trackID) {
			w.checkTrack(v, s, t)
		}
	}
}

// checkTrack compares what a viewer got with what was published.
func (w *world) checkTrack(v *viewing, s *source, t *track) {
	got := v.track(t.trackID)
	cached := w.settings.CacheBytes > 1<<19
	grouped := cached && !v.atLive // it may begin with the newest group
	if cached && !got.known && v.since.Before(s.start) {
		got.known, got.checked = true, 0 // it has waited for the publication
	}
	due := got.synced
	switch {
	case t.kind == media.Audio:
		due = due || got.known && t.number > got.checked
	case got.known:
		due = due || t.lastKey > got.checked
	case t.id == 0 && grouped && !v.loosened:
		due = due || t.lastKey > 0 && !t.headerLast
	}
	if due && got.number != t.number {
		v.complain("it has frame %d of %v of source %d, and not %d", got.number, t.trackID, s.id, t.number)
		return
	}
	got.known, got.checked = true, t.number
	got.synced = got.flowing && got.number == t.number
}

// checkNothingLeft comes behind the end of the server.
func (w *world) checkNothingLeft() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.server.Connections(); n != 0 {
		w.violate("%d connections are left", n)
	}
	if n := w.registry.Len(); n != 0 {
		w.violate("%d channels are left", n)
	}
	if n := w.limiter.Active(); n != 0 {
		w.violate("%d connections are still counted", n)
	}
	if n := w.limiter.Len(); n != 0 {
		w.violate("%d addresses are still counted", n)
	}
	for _, channel := range []string{"one", "two"} {
		if left := w.authorizer.onChannel(channel); len(left) > 0 {
			w.violate("starts without a stop: %v", left)
		}
	}
}
