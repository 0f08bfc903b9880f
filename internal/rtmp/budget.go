package rtmp

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrBudget is wrapped by the error of a [Reader] for whose incomplete messages
// there was no room at all beside those of others, see [Budget].
var ErrBudget = errors.New("incomplete messages of all peers are too long")

// Budget is the memory that many Readers share for incomplete messages. It stops
// the thousand peers that each hold as much as one may. It is safe for concurrent
// use.
//
// Who asks for more when it is spent is hardly the one that holds too much: that one
// has begun messages long ago and ends none. So the owner is told, who should close
// those with the oldest messages, see [Reader.Budgeted]. Meanwhile the budget is
// overdrawn, up to twice its limit.
type Budget struct {
	limit int64
	spent func()
	taken atomic.Int64
	// turns counts the messages that took from the budget: it is their clock.
	turns atomic.Uint64
}

// NewBudget returns a budget of so many bytes. When more are needed, spent is called
// on the goroutine of the Reader that needs them.
func NewBudget(limit int64, spent func()) *Budget { return &Budget{limit: limit, spent: spent} }

// Taken returns how many bytes are in use.
func (b *Budget) Taken() int64 { return b.taken.Load() }

// Overdrawn returns how many bytes have to be given back.
func (b *Budget) Overdrawn() int64 { return max(0, b.taken.Load()-b.limit) }

// take reports whether n more bytes are granted. What is needed may overdraw the
// budget, and what is merely of use may not.
func (b *Budget) take(n int, needed bool) bool {
	taken := b.taken.Add(int64(n))
	if taken <= b.limit {
		return true
	}
	granted := needed && taken <= 2*b.limit
	if !granted {
		b.taken.Add(int64(-n))
	}
	if needed {
		b.spent()
	}
	return granted
}

// unbudgeted is what each Reader may hold outside of the budget: most messages,
// so that keyframes and little else touch what all Readers share. It is also what
// a peer is trusted with before it has sent more.
const unbudgeted = 16 << 10

// SetBudget has the Reader take from a budget, before it reads anything. Then
// [Reader.Close] must be called when it is no longer used.
func (r *Reader) SetBudget(b *Budget) { r.share.budget = b }

// Close gives back what incomplete messages take of the budget. The Reader must
// not be used any more, but for its counters.
func (r *Reader) Close() {
	for _, s := range r.streams {
		r.drop(s)
	}
}

// share is what a Reader has of its budget.
type share struct {
	budget *Budget // may be nil
	bytes  atomic.Int64
	since  atomic.Uint64
}

// Budgeted returns how much the Reader has of its budget, and the turn at which the
// oldest message that needs it did so first: lower ones are older. It is safe for
// concurrent use.
func (r *Reader) Budgeted() (bytes int64, since uint64) {
	return r.share.bytes.Load(), r.share.since.Load()
}

// hold notes that incomplete messages take n bytes more, or less. It reports
// whether they may.
func (r *Reader) hold(n int, needed bool) bool {
	if b := r.share.budget; b != nil {
		after := max(0, r.held+n-unbudgeted)
		switch due := after - max(0, r.held-unbudgeted); {
		case due > 0 && !b.take(due, needed):
			return false
		case due < 0:
			b.taken.Add(int64(due))
		}
		if int64(after) != r.share.bytes.Load() {
			r.share.bytes.Store(int64(after))
		}
	}
	r.held += n
	return true
}

// begin gives a message that grew its turn, if it needs the budget.
func (r *Reader) begin(s *chunkStream) {
	if s.since == 0 && r.share.bytes.Load() > 0 {
		s.since = r.share.budget.turns.Add(1)
		r.noteOldest()
	}
}

func (r *Reader) noteOldest() {
	var oldest uint64
	for _, s := range r.streams {
		if s.since != 0 && (oldest == 0 || s.since < oldest) {
			oldest = s.since
		}
	}
	r.share.since.Store(oldest)
}

// reserve is hold for the growth of a message: as much as wanted, or else as
// much as it takes to go on. It returns what was granted.
func (r *Reader) reserve(wanted, least int) (int, error) {
	switch {
	case r.held+wanted > r.limits.Partial:
		return 0, fmt.Errorf("incomplete messages of more than %d bytes: %w", r.limits.Partial, ErrLimit)
	case r.hold(wanted, least == wanted):
		return wanted, nil
	case least < wanted && r.hold(least, true):
		return least, nil
	default:
		return 0, fmt.Errorf("%d more bytes: %w", least, ErrBudget)
	}
}
