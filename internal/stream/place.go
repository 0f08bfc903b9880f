package stream

import (
	"sync/atomic"
	"time"
)

// Place is what others may know of how far a viewer has got. Whoever moves its
// cursor notes it once for each batch, and anyone may read it meanwhile: nobody who
// is served waits for who asks. The zero value is of a viewer that has had nothing.
type Place struct {
	// at is one more than the viewer's message in the present log, 0 if it has none,
	// position how many bytes lie behind it, and since the time from which its lag
	// counts.
	at, position atomic.Uint64
	since        atomic.Int64
	// sent is how many messages it has passed without skipping them, a number of
	// its own since it must never fall. All are totals of all logs.
	sent, skipped, skips atomic.Uint64

	// What follows belongs to whoever moves the cursor: from is where the viewer
	// joined the present log, and earlier what it had passed before, skipped messages
	// included, which were missed.
	from, earlier, missed uint64
	// repeated is the cursor's as of the last note.
	repeated uint64
}

// Join says that the cursor was opened.
func (p *Place) Join(c *Cursor) {
	p.from, _ = c.Passed()
	p.repeated = 0
}

// Note says where the cursor stands, which is open.
func (p *Place) Note(c *Cursor) {
	at, since := c.Passed()
	if int64(since) != p.since.Load() {
		p.since.Store(int64(since))
	}
	if at+1 == p.at.Load() && c.Repeated() == p.repeated {
		return
	}
	skipped := p.missed + c.Missed().Messages
	p.at.Store(at + 1)
	p.position.Store(c.Position())
	p.repeated = c.Repeated()
	p.sent.Store(p.earlier + at - p.from + p.repeated - skipped)
	if skipped != p.skipped.Load() {
		p.skipped.Store(skipped)
	}
}

// Skip counts that the viewer was moved on because it was too slow.
func (p *Place) Skip() { p.skips.Add(1) }

// Leave says that the cursor is going to be closed, if it is open.
func (p *Place) Leave(c *Cursor) {
	if c.IsOpen() {
		p.Note(c)
		at, _ := c.Passed()
		p.earlier += at - p.from + p.repeated
		p.missed += c.Missed().Messages
	}
	p.at.Store(0)
}

// Count fills in what the viewer has got and missed.
func (p *Place) Count(s *Session) {
	s.MessagesOut, s.Skipped, s.Skips = p.sent.Load(), p.skipped.Load(), p.skips.Load()
}

// Compare fills in whether the channel is live, and how far the viewer is behind;
// its log is nil if it is not.
func (p *Place) Compare(s *Session, log *Log) {
	s.Live = log != nil
	if log == nil {
		return
	}
	messages, arrival := log.Head()
	if at := p.at.Load(); at != 0 && at-1 < messages {
		s.Lag = max(0, arrival-time.Duration(p.since.Load()))
	}
}
