package stream

import (
	"io"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Cursor is one viewer's place in a log. It belongs to one goroutine.
type Cursor struct {
	log *Log
	// headers are still to be returned before the successors of at.
	headers []*Message
	// at is the last message that was passed.
	at *Message
	// met are the video tracks of which the viewer has a keyframe, see
	// [Message.tracks]: it gets no frame of any other.
	met uint64
	// late says that it is the viewer's own fault where it waits for keyframes,
	// and missed sums up what was left out because of that.
	late   bool
	missed Skipped
	// since is when the cursor was last placed: what had arrived before does
	// not count as its lag.
	since        time.Duration
	audio, video bool
}

// Start says where a new cursor is placed.
type Start uint8

const (
	// AtGroup starts with the newest keyframe group.
	AtGroup Start = iota
	// AtLive starts with what is appended next; video starts at the next
	// keyframe.
	AtLive
)

// Cursor returns a new cursor: it reads the metadata and headers of the log
// first, then what the start says.
func (l *Log) Cursor(start Start) *Cursor {
	c := new(Cursor)
	c.Open(l, start)
	return c
}

// Open makes c what [Log.Cursor] returns, in the memory of its viewer.
func (c *Cursor) Open(l *Log, start Start) {
	*c = Cursor{log: l, audio: true, video: true}
	c.place(start)
}

// Close lets go of the log. A cursor that is not open must not be used, but for
// [Cursor.IsOpen] and [Cursor.Open].
func (c *Cursor) Close() { *c = Cursor{} }

// IsOpen reports whether the cursor is on a log.
func (c *Cursor) IsOpen() bool { return c.log != nil }

// place moves the cursor to the entry point, or to the tail. The tail must have
// been read while the entry was in force: behind any other, the headers could
// be newer than the frames.
func (c *Cursor) place(start Start) {
	e, tail := c.log.entry.Load(), c.log.tail.Load()
	for latest := c.log.entry.Load(); latest != e; latest = c.log.entry.Load() {
		e, tail = latest, c.log.tail.Load()
	}
	c.at = tail
	if start == AtGroup && e.before != nil {
		c.at = e.before
	}
	c.headers = e.headersAt(c.at)
	c.since = tail.arrival
	c.met, c.late = 0, false
}

// Next returns the next message for this viewer, nil if it has all there is,
// and io.EOF once it has all there will ever be.
func (c *Cursor) Next() (*Message, error) {
	for len(c.headers) > 0 {
		m := c.headers[0]
		c.headers = c.headers[1:]
		if c.wants(m) {
			return m, nil
		}
	}
	for {
		ended := c.log.ended.Load() // before next: nothing follows once it is set
		m := c.at.next.Load()
		switch {
		case m != nil:
			c.at = m
			if c.wants(m) {
				return m, nil
			}
		case ended:
			return nil, io.EOF
		default:
			return nil, nil
		}
	}
}

// wants reports whether the viewer gets a message.
func (c *Cursor) wants(m *Message) bool {
	switch m.Type {
	case rtmp.TypeAudio:
		return c.audio
	case rtmp.TypeVideo:
		return c.video && c.wantsVideo(m)
	default:
		return true
	}
}

func (c *Cursor) wantsVideo(m *Message) bool {
	if m.starts {
		c.met |= m.tracks()
	}
	if m.packet != media.Frame || c.met&m.tracks() != 0 {
		return true
	}
	if c.late {
		c.missed.Messages++
		c.missed.Bytes += uint64(len(m.chunks))
	}
	return false
}

// SetAudio switches audio off or on. Switched on, the sequence headers are sent
// again.
func (c *Cursor) SetAudio(on bool) {
	if on && !c.audio {
		c.headers = c.log.entry.Load().headersAt(c.at)
	}
	c.audio = on
}

// SetVideo switches video off or on. Switched on, the sequence headers are sent
// again, and frames from the next keyframe.
func (c *Cursor) SetVideo(on bool) {
	if on && !c.video {
		c.headers = c.log.entry.Load().headersAt(c.at)
		c.met, c.late = 0, false
	}
	c.video = on
}

// Skipped is what a viewer missed because it was too slow.
type Skipped struct {
	Messages, Bytes uint64
	// Lag is how far behind it was, at most.
	Lag time.Duration
}

// CatchUp applies the lag policy: a cursor that is more than limit behind the
// tail moves on to the entry point, so that whole groups are left out and never
// single frames, and reads the headers again. It does not move when the newest
// group is the one it is reading. ok tells whether it moved.
func (c *Cursor) CatchUp(limit time.Duration) (s Skipped, ok bool) {
	next := c.at.next.Load()
	if next == nil {
		return Skipped{}, false
	}
	lag := c.log.tail.Load().arrival - max(next.arrival, c.since)
	if lag <= limit {
		return Skipped{}, false
	}
	if e := c.log.entry.Load(); e.before != nil && e.before.sequence <= c.at.sequence {
		return Skipped{}, false
	}
	from := c.at
	c.place(AtGroup)
	c.late = true
	s = Skipped{
		Messages: c.at.sequence - from.sequence,
		Bytes:    c.at.position - from.position,
		Lag:      lag,
	}
	c.missed.add(s)
	return s, true
}

// Missed returns all that the viewer missed because it was too slow: what
// CatchUp skipped, and the frames that had to be left out behind it until the
// next keyframe, where the log keeps no group.
func (c *Cursor) Missed() Skipped { return c.missed }

func (s *Skipped) add(more Skipped) {
	s.Messages += more.Messages
	s.Bytes += more.Bytes
	s.Lag = max(s.Lag, more.Lag)
}
