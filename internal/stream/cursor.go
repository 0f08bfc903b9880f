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
	// refused are the traits of messages that the viewer gets in another form,
	// or not at all.
	refused      media.Traits
	audio, video bool
	// late says that it is the viewer's own fault where it waits for keyframes.
	late         bool
	capabilities media.Capabilities
	// missed sums up what was left out because the viewer was late, and
	// withheld counts what it could not have taken in any form.
	missed   Skipped
	withheld uint64
	// repeated counts the headers that Next returned in front of its place: they are
	// no messages of the log, or were passed before.
	repeated uint64
	// opening says that nothing was returned yet to a viewer that [Cursor.Introduce]
	// spoke of.
	opening bool
	// since is when the cursor was last placed: what had arrived before does
	// not count as its lag.
	since time.Duration
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

// Introduce says, right after Open, that the viewer has not been sent anything
// yet: metadata that comes first has the timestamp 0 then. FFmpeg takes metadata
// with any other for the beginning of a stream of data, which it shows and waits
// for.
func (c *Cursor) Introduce() { c.opening = true }

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

// SetCapabilities says what the viewer can take, before anything is read. A
// cursor that is not told gives everything as it was published.
func (c *Cursor) SetCapabilities(capabilities media.Capabilities) {
	c.capabilities = capabilities
	c.refused = ^capabilities.Accepts()
}

// Next returns the next message for this viewer, nil if it has all there is,
// and io.EOF once it has all there will ever be. What the viewer is sent for it
// is for [Cursor.Chunks] to say.
func (c *Cursor) Next() (*Message, error) {
	m, err := c.next()
	if c.opening && m != nil {
		c.opening = false
		if m.Type == rtmp.TypeData && m.packet == media.Metadata && m.Timestamp != 0 {
			return m.atZero(c.log.chunkSize), nil
		}
	}
	return m, err
}

func (c *Cursor) next() (*Message, error) {
	for len(c.headers) > 0 {
		m := c.headers[0]
		c.headers = c.headers[1:]
		if c.wants(m) && c.takes(m) {
			c.repeated++
			return m, nil
		}
	}
	for {
		ended := c.log.ended.Load() // before next: nothing follows once it is set
		m := c.at.next.Load()
		switch {
		case m != nil:
			c.at = m
			if c.wants(m) && c.takes(m) {
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
		c.missed.add(c.skip(m))
	}
	return false
}

// takes reports whether there is a form of the message that the viewer can take,
// and counts it otherwise.
func (c *Cursor) takes(m *Message) bool { return m.traits&c.refused == 0 || c.takesForm(m) }

// takesForm is takes for messages that the viewer cannot take as they are. It stands
// apart so that takes is inlined, which is asked for each message and viewer.
func (c *Cursor) takesForm(m *Message) bool {
	if len(c.form(m)) > 0 {
		return true
	}
	c.withheld++
	return false
}

// form returns the chunks of a message as the viewer can take them.
func (c *Cursor) form(m *Message) []byte {
	if m.traits&c.refused == 0 {
		return m.chunks
	}
	return m.form(c.capabilities, c.log.chunkSize).chunks
}

// Chunks returns what the viewer is sent for a message that Next returned, as
// RTMP chunks for any message stream: the message as it was published, or one or
// several that stand for it. The bytes are shared: nobody may change them. Other
// streams than [PlayStream], which hardly any client asks for, cost a copy.
func (c *Cursor) Chunks(m *Message, stream uint32) []byte {
	chunks := c.form(m)
	if stream == PlayStream {
		return chunks
	}
	return readdress(chunks, stream, c.log.chunkSize)
}

// Withheld returns how many messages Next left out because the viewer can take
// them in no form.
func (c *Cursor) Withheld() uint64 { return c.withheld }

// Playable reports whether the viewer can take at least one track. While the
// publication is so young that tracks may still be to come it can, for all that
// is known: headers arrive one by one.
func (c *Cursor) Playable() bool {
	if c.refused == 0 || c.log.young() || c.log.headless.Load() {
		return true
	}
	playable := true
	for _, h := range c.log.entry.Load().headers {
		if h.packet != media.SequenceHeader {
			continue
		}
		if h.traits&c.refused == 0 || len(c.capabilities.Adapt(mediaKind(h.kind), h.payload)) > 0 {
			return true
		}
		playable = false
	}
	return playable
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
	s = c.between(from)
	s.Lag = lag
	c.missed.add(s)
	return s, true
}

// between sums up the messages behind from, up to where the cursor is. What the
// viewer could not have taken was not missed.
func (c *Cursor) between(from *Message) Skipped {
	if c.refused == 0 {
		return Skipped{Messages: c.at.sequence - from.sequence, Bytes: c.at.position - from.position}
	}
	var s Skipped
	for m := from; m != c.at; {
		m = m.next.Load()
		s.add(c.skip(m))
	}
	return s
}

// skip returns what it is for the viewer not to get one message.
func (c *Cursor) skip(m *Message) Skipped {
	size := len(c.form(m))
	if size == 0 {
		return Skipped{}
	}
	return Skipped{Messages: 1, Bytes: uint64(size)}
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

// Passed returns how many messages of the log lie behind the cursor, and the time
// from which its lag counts: when the last of them came, or the cursor was placed.
func (c *Cursor) Passed() (messages uint64, since time.Duration) {
	return c.at.sequence, max(c.at.arrival, c.since)
}

// Repeated returns how many messages Next returned that are none of those passed:
// the headers of those who join, or move, in the middle.
func (c *Cursor) Repeated() uint64 { return c.repeated }

// Position returns how many bytes of the log lie behind the cursor.
func (c *Cursor) Position() uint64 { return c.at.position }
