package stream

import (
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Log is the messages of one publication, oldest first, each linked to the
// next. Append and End belong to the publisher's goroutine; everything else is
// safe for concurrent use.
type Log struct {
	// tail is the newest message. It is never nil: a log starts with an empty
	// message that nobody reads.
	tail atomic.Pointer[Message]
	// entry is where a newcomer starts. It is replaced, never changed.
	entry atomic.Pointer[entry]
	ended atomic.Bool

	// What follows is the publisher's alone.

	chunkSize  int
	cacheBytes int64
	headers    headers
	// keyTrack is the video track at whose keyframes groups begin: track 0, or
	// the lowest one that appeared; -1 while there is no video.
	keyTrack int
	// groupBytes is what the newest keyframe group takes, bounded by
	// cacheBytes.
	groupBytes int64
}

// entry is what a newcomer gets before the live messages.
type entry struct {
	headers []*Message
	// before is the message in front of the newest keyframe group, or nil when
	// newcomers start at the tail. It is not headers' successor: headers are
	// copies, or they would hold on to every message since.
	before *Message
	// video says that frames are of no use before a keyframe, so that a
	// newcomer who starts at the tail has to wait for one.
	video bool
}

// newLog returns an empty log. A cacheBytes of 0 keeps no group for newcomers.
func newLog(chunkSize int, cacheBytes int64) *Log {
	l := &Log{chunkSize: chunkSize, cacheBytes: cacheBytes, keyTrack: -1}
	l.tail.Store(new(Message))
	l.entry.Store(new(entry))
	return l
}

// Append adds an audio, video or data message of the publisher; now is the
// time of its arrival on any clock that does not step back. Messages of other
// types, and data messages that are meant for the server, are not added. The
// payload may be kept and must not be changed any more.
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

// appendData adds a data message. What does not start with a name is dropped,
// as FFmpeg's time codes: it would end the sessions of FFmpeg players.
func (l *Log) appendData(m rtmp.Message, now time.Duration) {
	script, ok := media.ParseScript(m.Payload)
	switch {
	case !ok || script.Name == "|RtmpSampleAccess":
		return
	case script.Clear:
		if script.Name == "onMetaData" {
			l.headers.metadata = nil
			l.enter(l.entry.Load().before, m.Timestamp)
		}
		return
	}
	m.Payload = script.Body
	l.link(newMessage(m, l.chunkSize), now)
	if script.Name == "onMetaData" {
		l.headers.metadata = script.Body
		l.enter(l.entry.Load().before, m.Timestamp)
	}
}

func (l *Log) appendMedia(m rtmp.Message, p media.Packet, now time.Duration) {
	node := newMessage(m, l.chunkSize)
	node.packet = p.Type
	previous := l.tail.Load()
	if p.Kind == media.Video && (p.Type == media.Frame || p.Type == media.SequenceHeader) {
		l.noteVideoTrack(int(p.Track))
		node.keyframe = p.Keyframe && int(p.Track) == l.keyTrack
	}
	l.link(node, now)

	switch {
	case node.keyframe:
		l.startGroup(previous, node)
	case p.Type == media.SequenceHeader || p.Type == media.ChannelConfig || p.Type == media.Metadata:
		l.keepHeaders(m, p)
	case p.Type == media.SequenceEnd && p.Track != 0:
		l.headers.remove(p.Kind, p.Track)
	}
	l.boundGroup(node)
}

func (l *Log) noteVideoTrack(track int) {
	if l.keyTrack < 0 || track < l.keyTrack {
		l.keyTrack = track
		l.enter(nil, l.tail.Load().Timestamp)
	}
}

// link makes the message visible to cursors.
func (l *Log) link(m *Message, now time.Duration) {
	previous := l.tail.Load()
	m.arrival = now
	m.sequence = previous.sequence + 1
	m.position = previous.position + uint64(len(m.chunks))
	previous.next.Store(m)
	l.tail.Store(m)
}

// startGroup moves the entry point to a keyframe.
func (l *Log) startGroup(previous, keyframe *Message) {
	l.groupBytes = 0
	if l.cacheBytes == 0 {
		previous = nil
	}
	l.enter(previous, keyframe.Timestamp)
}

// boundGroup gives the group up when it outgrows the cache: newcomers then wait
// for the next keyframe.
func (l *Log) boundGroup(m *Message) {
	if l.entry.Load().before == nil {
		return
	}
	l.groupBytes += int64(len(m.chunks)) + messageOverhead
	if l.groupBytes > l.cacheBytes {
		l.enter(nil, m.Timestamp)
	}
}

// keepHeaders remembers what a header message says for newcomers.
func (l *Log) keepHeaders(m rtmp.Message, p media.Packet) {
	if !p.Multi {
		l.keepHeader(header{p.Kind, p.Track, p.Type, m.Payload}, m.Timestamp)
		return
	}
	tracks, err := media.Split(p.Kind, m.Payload)
	if err != nil {
		return // forwarded as it is; no player could use it as a header
	}
	for _, t := range tracks {
		l.keepHeader(header{p.Kind, t.Track, p.Type, t.Payload}, m.Timestamp)
	}
}

// keepHeader decides what a header changes for newcomers. Within a group the
// entry point keeps the headers that were valid at its keyframe, since a
// newcomer meets the new one in its place; but one for a track that had none
// yet goes in at once (encoders may send the audio header after the first
// keyframe), and a new video header makes the group before it worthless.
func (l *Log) keepHeader(h header, timestamp uint32) {
	before := l.entry.Load().before
	switch l.headers.put(h) {
	case added:
		l.enter(before, timestamp)
	case replaced:
		keyTrackHeader := h.kind == media.Video && h.packet == media.SequenceHeader && int(h.track) == l.keyTrack
		if keyTrackHeader || before == nil {
			l.enter(nil, timestamp)
		}
	}
}

// enter replaces the entry point.
func (l *Log) enter(before *Message, timestamp uint32) {
	if before != nil {
		timestamp = before.next.Load().Timestamp
	}
	l.entry.Store(&entry{
		headers: l.headers.messages(timestamp, l.chunkSize),
		before:  before,
		video:   l.keyTrack >= 0,
	})
}

// end closes the log: cursors that reach its tail are told so.
func (l *Log) end() { l.ended.Store(true) }
