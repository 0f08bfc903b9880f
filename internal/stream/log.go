package stream

import (
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Log is the messages of one publication, oldest first, each linked to the
// next. Append belongs to the publisher's goroutine; everything else is safe for
// concurrent use.
type Log struct {
	// tail is the newest message. It is never nil: a log starts with an empty
	// message that nobody reads.
	tail atomic.Pointer[Message]
	// entry is where a newcomer starts. It is replaced, never changed.
	entry atomic.Pointer[entry]
	ended atomic.Bool
	// headless says that there is media which every player takes and which
	// needs no sequence header, as MP3.
	headless atomic.Bool
	// kinds are the kinds of media that have come, see [Log.Kinds].
	kinds atomic.Uint32
	// run is what the fan-out is sending at the moment.
	run atomic.Pointer[run]
	// unreadable counts the data messages that were left out.
	unreadable atomic.Uint64
	meter      *meter
	// excess counts the headers that were left out.
	excess atomic.Uint64

	// What follows is the publisher's alone.

	chunkSize  int
	cacheBytes int64
	timeline   *timeline
	churn      churn
	// headers hold at the tail. groupHeaders hold at the newest keyframe, see
	// keepHeader.
	headers, groupHeaders headers
	// keyTrack is the video track at whose keyframes groups begin: the lowest
	// that had one, which is track 0 wherever it exists; -1 before that.
	keyTrack int
	// starting says that the group is the beginning of the log.
	starting bool
	// started is when the first message came. Viewers may read it as well, once
	// the tail is that message or a later one.
	started time.Duration
	// copies is what the forms of the newest group's messages take, see
	// [Message.form].
	copies *atomic.Int64
}

// young reports whether so little time has passed since the first message that
// tracks may still be to come.
func (l *Log) young() bool {
	tail := l.tail.Load()
	return tail.sequence == 0 || tail.arrival-l.started <= startWindow
}

// newLog returns an empty log. A cacheBytes of 0 keeps no group for newcomers.
func newLog(chunkSize int, cacheBytes int64) *Log {
	l := &Log{chunkSize: chunkSize, cacheBytes: cacheBytes, timeline: newTimeline(), meter: newMeter(), keyTrack: -1, starting: true}
	l.copies = new(atomic.Int64)
	origin := new(Message)
	l.tail.Store(origin)
	l.entry.Store(&entry{before: origin, copies: l.copies, chunkSize: chunkSize})
	return l
}

// Append adds an audio, video or data message of the publisher; now is the
// time of its arrival on any clock that does not step back. Messages of other
// types, and data messages that are meant for the server, are not added. The
// payload may be kept and must not be changed any more; a message that was read
// can be appended once, since [rtmp.EncodeMessage] lays it out where it is.
//
// Timestamps that players could not follow are mended, see [Repairs].
//
// The time it takes does not depend on the number of viewers.
func (l *Log) Append(m rtmp.Message, now time.Duration) {
	switch m.Type {
	case rtmp.TypeAudio:
		l.appendMedia(m, media.InspectAudio(m.Payload), now)
	case rtmp.TypeVideo:
		l.appendMedia(m, media.InspectVideo(m.Payload), now)
	case rtmp.TypeDataAMF3:
		// The selector byte in front of the AMF0 values does not exist in the
		// AMF0 form, the one that all players read.
		if len(m.Payload) > 0 && m.Payload[0] == 0 {
			m.Payload = m.Payload[1:]
		}
		m.Type = rtmp.TypeData
		l.appendData(m, now)
	case rtmp.TypeData:
		l.appendData(m, now)
	}
}

// metadata is the name of the data message that newcomers get first.
const metadata = "onMetaData"

// appendData adds a data message, in the form that players can take. What has no
// such form is left out: it would end their sessions, as FFmpeg's time codes do,
// which have no name.
func (l *Log) appendData(m rtmp.Message, now time.Duration) {
	script, _ := media.ParseScript(m.Payload)
	switch {
	case script.Name == "|RtmpSampleAccess":
		return
	case script.Clear:
		if script.Name == metadata {
			l.forgetMetadata()
		}
		return
	}
	if script.Name == metadata && len(script.Body) > maxMetadata {
		l.excess.Add(1)
		return
	}
	payload, ok := readable(script)
	if !ok {
		l.unreadable.Add(1)
		return
	}
	m.Payload = payload
	if script.Name == metadata && !l.admit(header{kind: m.Type, payload: payload}, now) {
		return
	}
	m.Timestamp = l.timeline.data(m.Timestamp, now)
	node := newMessage(m, l.chunkSize)
	if script.Name == metadata {
		node.packet = media.Metadata
	}
	l.meter.data(len(m.Payload), now)
	l.link(node, now)
	if script.Name == metadata {
		l.keepHeader(header{kind: m.Type, payload: m.Payload}, node)
	}
	l.advance(node)
}

// readable returns a data message as players are sent it, or false.
func readable(s media.Script) ([]byte, bool) {
	if s.Name == metadata {
		return rtmp.NormalizeMetadata(s.Body)
	}
	return rtmp.NormalizeData(s.Body)
}

// Unreadable returns how many data messages of the publisher were left out,
// since players cannot read them.
func (l *Log) Unreadable() uint64 { return l.unreadable.Load() }

func (l *Log) forgetMetadata() {
	h := header{kind: rtmp.TypeData}
	l.groupHeaders.remove(h)
	if l.headers.remove(h) {
		l.enter(l.entry.Load().before, l.tail.Load())
	}
}

func (l *Log) appendMedia(m rtmp.Message, p media.Packet, now time.Duration) {
	if p.Multi && p.Type != media.Frame && p.Type != media.Opaque {
		l.appendTracks(m, p, now)
		return
	}
	m.Timestamp = l.timeline.media(p, m.Timestamp, now)
	if p.Type == media.Metadata {
		m.Payload = media.RelayMetadata(m.Payload)
	}
	if describes(p.Type) && !l.admit(header{kind: m.Type, track: p.Track, packet: p.Type, payload: m.Payload}, now) {
		return
	}
	node := newMessage(m, l.chunkSize)
	node.packet, node.traits, node.track, node.several = p.Type, p.Traits(), p.Track, p.Multi
	if p.Keyframe {
		node.starts, node.groupStart = l.startsGroup(m, p)
	}
	l.meter.media(p, len(m.Payload), m.Timestamp, node.groupStart, now)
	l.meter.mended(l.timeline.repairs.total(), now)
	if node.groupStart {
		l.copies = new(atomic.Int64)
	}
	l.link(node, now)
	if node.groupStart {
		l.startGroup(node)
	} else {
		l.noteHeader(header{m.Type, p.Track, p.Type, node.traits, m.Payload}, node)
	}
	l.noteKind(p)
	if p.Type == media.Frame && !p.Enhanced && !needsHeader(p.Codec) && !l.headless.Load() {
		l.headless.Store(true)
	}
	l.advance(node)
}

// needsHeader reports whether frames in the legacy layout follow a sequence
// header.
func needsHeader(c media.Codec) bool {
	return c == media.AAC || c == media.H264 || c == media.H265
}

// appendTracks adds the headers of several tracks as messages of their own:
// FFmpeg 8 loses its place in a message that has them all. One that cannot be
// taken apart is forwarded as it is; no player could use it as a header.
func (l *Log) appendTracks(m rtmp.Message, p media.Packet, now time.Duration) {
	tracks, err := media.Split(p.Kind, m.Payload)
	if err != nil {
		p.Type = media.Opaque
		l.appendMedia(m, p, now)
		return
	}
	for _, t := range tracks {
		m.Payload = t.Payload
		l.appendMedia(m, media.Inspect(p.Kind, t.Payload), now)
	}
}

// startsGroup reports whether viewers may start at a keyframe, which they may
// not if it cannot be taken apart, and whether it is one of the key track.
func (l *Log) startsGroup(m rtmp.Message, p media.Packet) (starts, groupStart bool) {
	track := int(p.Track)
	if p.Multi {
		tracks, err := media.Split(p.Kind, m.Payload)
		if err != nil {
			return false, false
		}
		for _, t := range tracks {
			track = min(track, int(t.Track))
		}
	}
	if l.keyTrack >= 0 && track > l.keyTrack {
		return true, false
	}
	l.keyTrack = track
	return true, true
}

// link puts a message behind the others. What it changes for newcomers comes
// next, and then advance.
func (l *Log) link(m *Message, now time.Duration) {
	previous := l.tail.Load()
	m.arrival, m.copies = now, l.copies
	m.sequence = previous.sequence + 1
	m.position = previous.position + uint64(len(m.chunks))
	previous.next.Store(m)
}

// advance completes what link began. The tail is moved last, so that whoever
// starts behind a header finds it in the entry.
func (l *Log) advance(m *Message) {
	l.boundGroup(m)
	l.tail.Store(m)
}

// end closes the log: cursors that reach its tail are told so.
func (l *Log) end() { l.ended.Store(true) }

// Held returns what the log keeps in memory for a viewer behind which so many messages
// and bytes lie, see [Cursor.Passed] and [Cursor.Position]. What others need, or what
// is kept for newcomers, is a part of it.
func (l *Log) Held(messages, position uint64) int64 {
	tail := l.tail.Load()
	if tail.sequence <= messages || tail.position <= position {
		return 0
	}
	return int64(tail.position-position) + int64(tail.sequence-messages)*messageOverhead
}

// Head returns how many messages the log has had, and when the last of them came.
func (l *Log) Head() (messages uint64, arrival time.Duration) {
	tail := l.tail.Load()
	return tail.sequence, tail.arrival
}
