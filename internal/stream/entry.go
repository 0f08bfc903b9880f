package stream

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// entry is what a newcomer gets before the live messages. Its headers are
// copies: as messages of the log they would hold on to every message since.
type entry struct {
	// before is the message in front of the newest keyframe group, or nil when
	// newcomers start at the tail.
	before *Message
	// headers hold from the message with the sequence number changed on, and
	// groupHeaders from before.
	headers, groupHeaders headers
	changed               uint64
	// copies is what the forms of the group's messages take.
	copies *atomic.Int64
	// group is groupHeaders laid out for those who start with the group.
	group     []*Message
	chunkSize int
}

// headersAt returns the headers for a viewer whose next message is the one
// behind at. Their timestamps do not run backwards for it.
func (e *entry) headersAt(at *Message) []*Message {
	switch {
	case at == e.before:
		return e.group
	case at.sequence < e.changed:
		return e.groupHeaders.messages(at.Timestamp, e.chunkSize)
	default:
		return e.headers.messages(at.Timestamp, e.chunkSize)
	}
}

// startWindow is how long the beginning of a log counts as a group: who waited
// for the publisher then misses nothing, whatever it starts with. It ends with
// the first keyframe.
const startWindow = time.Second

// startGroup moves the entry point to a keyframe.
func (l *Log) startGroup(keyframe *Message) {
	var before *Message
	if l.cacheBytes > 0 {
		before = l.tail.Load()
	}
	l.starting = false
	l.groupHeaders = slices.Clone(l.headers)
	l.enter(before, keyframe)
}

// boundGroup gives the group up when it outgrows the cache: newcomers then wait
// for the next keyframe.
func (l *Log) boundGroup(m *Message) {
	if m.sequence == 1 {
		l.started = m.arrival // seen by viewers once the tail has moved
	}
	e := l.entry.Load()
	if e.before == nil {
		return
	}
	if e.size(m) > l.cacheBytes || l.starting && m.arrival-l.started > startWindow {
		l.starting = false
		l.enter(nil, m)
	}
}

// noteHeader remembers what a media message says for newcomers, if anything.
func (l *Log) noteHeader(h header, m *Message) {
	forgot := false
	switch h.packet {
	case media.SequenceHeader, media.ChannelConfig:
		l.keepHeader(h, m)
	case media.Metadata:
		if !media.ClearsColorInfo(h.payload) {
			l.keepHeader(h, m)
			return
		}
		forgot = l.headers.remove(h)
	case media.SequenceEnd:
		// FFmpeg 8 ends every track of H.264 with a message that names track
		// 0, which then goes on.
		forgot = h.track != 0 && l.headers.removeTrack(h.kind, h.track)
	}
	if forgot {
		l.enter(l.entry.Load().before, m)
	}
}

// keepHeader decides what a header changes for newcomers. Those who start with
// the group get the headers that held at its keyframe, since they meet the new
// one in its place; but metadata, and what had no header yet, goes in at once
// (encoders may send the audio header after the first keyframe), and a new
// header for the key track makes the group before it worthless.
func (l *Log) keepHeader(h header, m *Message) {
	if !l.headers.put(h) {
		return
	}
	l.meter.describe(h)
	before := l.entry.Load().before
	switch {
	case h.kind == rtmp.TypeVideo && h.packet == media.SequenceHeader && int(h.track) == l.keyTrack:
		before = nil
	case l.starting:
		// Nobody starts behind it.
	case h.kind == rtmp.TypeData || !l.groupHeaders.has(h):
		l.groupHeaders.put(h)
	}
	l.enter(before, m)
}

// enter replaces the entry point, because of m.
func (l *Log) enter(before, m *Message) {
	e := &entry{before: before, changed: m.sequence, headers: slices.Clone(l.headers), copies: l.copies, chunkSize: l.chunkSize}
	e.groupHeaders = e.headers
	if before != nil {
		e.groupHeaders = slices.Clone(l.groupHeaders)
		e.group = e.groupHeaders.messages(before.next.Load().Timestamp, l.chunkSize)
	}
	l.entry.Store(e)
}
