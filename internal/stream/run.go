package stream

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// maxRun is the longest run that is laid out in one piece: more than this comes
// together only when the fan-out was held up.
const maxRun = 1 << 20

// run is what came between two passes of the fan-out, in one piece: most viewers
// stand at its beginning, and are written all of it at once. One copy for all of
// them is cheaper than many small pieces for each.
type run struct {
	// from is the message in front of it, and to its last.
	from, to *Message
	// chunks are the bytes of its messages, nil if there are none or too many.
	chunks []byte
	// traits are all that its messages ask of a viewer, and frames the video
	// tracks that it has frames of, see [Message.tracks].
	traits media.Traits
	frames uint64
	// forms are for viewers that do not take all of that. The capabilities are
	// not reduced for them: what makes no difference to all traits together can
	// make one to a message.
	forms forms
	// tags are the chunks as FLV tags.
	tags tags
}

// Join lays out what was appended since the last call as one run. It belongs to
// one goroutine, the fan-out, and comes before each pass.
func (l *Log) Join() {
	previous, r := l.run.Load(), &run{to: l.tail.Load()}
	if previous == nil {
		l.run.Store(r)
		return
	}
	r.from = previous.to
	if size := r.to.position - r.from.position; size > 0 && size <= maxRun {
		r.chunks = make([]byte, 0, size)
		for m := r.from; m != r.to; {
			m = m.next.Load()
			r.chunks = append(r.chunks, m.chunks...)
			r.traits |= m.traits
			if m.Type == rtmp.TypeVideo && m.packet == media.Frame {
				r.frames |= m.tracks()
			}
		}
	}
	l.run.Store(r)
}

// Part forgets the last run: nobody reads it, and it would hold on to every
// message since.
func (l *Log) Part() {
	if l.run.Load() != nil {
		l.run.Store(nil)
	}
}

// Unsent returns when the first message came that is not in the last run, or now if
// there is none.
func (l *Log) Unsent(now time.Duration) time.Duration {
	if r := l.run.Load(); r != nil {
		if m := r.to.next.Load(); m != nil {
			return m.arrival
		}
	}
	return now
}

// form returns the run for a viewer that does not take it as it is.
func (r *run) form(viewer media.Capabilities, chunkSize int) *form {
	return r.forms.get(viewer, nil, func() (chunks []byte, withheld uint64) {
		refused := ^viewer.Accepts()
		for m := r.from; m != r.to; {
			m = m.next.Load()
			if m.traits&refused == 0 {
				chunks = append(chunks, m.chunks...)
				continue
			}
			f := m.form(viewer, chunkSize)
			chunks = append(chunks, f.chunks...)
			withheld += f.withheld
		}
		return chunks, withheld
	})
}

// Joined returns the chunks of the last run and moves behind it, if the cursor
// stands in front of it and wants all of it that its viewer can take; otherwise
// it returns nil, and there is [Cursor.Next]. The chunks are those of
// [PlayStream].
func (c *Cursor) Joined() []byte {
	chunks, _ := c.joined()
	return chunks
}

// joined also returns the place for the run's tags.
func (c *Cursor) joined() ([]byte, *tags) {
	r := c.log.run.Load()
	switch {
	case r == nil || r.from != c.at || r.chunks == nil:
		return nil, nil
	case len(c.headers) > 0 || c.opening || !c.audio || !c.video || r.frames&^c.met != 0:
		return nil, nil
	}
	chunks, tags := r.chunks, &r.tags
	if r.traits&c.refused != 0 {
		f := r.form(c.capabilities, c.log.chunkSize)
		if f.chunks == nil {
			return nil, nil
		}
		chunks, tags = f.chunks, &f.tags
		c.withheld += f.withheld
	}
	c.at = r.to
	return chunks, tags
}

// AtJoint reports whether the cursor stands at the end of the last run while
// the log goes on. A viewer that leaves it at that in a pass gets the next run
// in one piece.
func (c *Cursor) AtJoint() bool {
	r := c.log.run.Load()
	return r != nil && r.to == c.at && len(c.headers) == 0 && !c.log.ended.Load()
}
