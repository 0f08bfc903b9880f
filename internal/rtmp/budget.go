package rtmp

import (
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrBudget is wrapped by the error of a [Reader] for whose incomplete messages
// there was no room beside those of others, see [Budget].
var ErrBudget = errors.New("incomplete messages of all peers are too long")

// Budget is the memory that many Readers share for incomplete messages. It stops
// the thousand peers that each hold as much as one may. It is safe for concurrent
// use.
type Budget struct {
	limit int64
	taken atomic.Int64
}

// NewBudget returns a budget of so many bytes.
func NewBudget(limit int64) *Budget { return &Budget{limit: limit} }

// Taken returns how many bytes are in use.
func (b *Budget) Taken() int64 { return b.taken.Load() }

// take reports whether n more bytes are granted.
func (b *Budget) take(n int) bool {
	if b.taken.Add(int64(n)) <= b.limit {
		return true
	}
	b.taken.Add(int64(-n))
	return false
}

// unbudgeted is what each Reader may hold outside of the budget: most messages,
// so that keyframes and little else touch what all Readers share. It is also what
// a peer is trusted with before it has sent more.
const unbudgeted = 16 << 10

// SetBudget has the Reader take from a budget, before it reads anything. Then
// [Reader.Close] must be called when it is no longer used.
func (r *Reader) SetBudget(b *Budget) { r.budget = b }

// Close gives back what incomplete messages take of the budget. The Reader must
// not be used any more, but for its counters.
func (r *Reader) Close() {
	for _, s := range r.streams {
		r.drop(s)
	}
}

// hold notes that incomplete messages take n bytes more, or less. It reports
// whether they may.
func (r *Reader) hold(n int) bool {
	if r.budget != nil {
		due := max(0, r.held+n-unbudgeted) - max(0, r.held-unbudgeted)
		switch {
		case due > 0 && !r.budget.take(due):
			return false
		case due < 0:
			r.budget.taken.Add(int64(due))
		}
	}
	r.held += n
	return true
}

// reserve is hold for the growth of a message: as much as wanted, or else as
// much as it takes to go on. It returns what was granted.
func (r *Reader) reserve(wanted, least int) (int, error) {
	switch {
	case r.held+wanted > r.limits.Partial:
		return 0, fmt.Errorf("incomplete messages of more than %d bytes: %w", r.limits.Partial, ErrLimit)
	case r.hold(wanted):
		return wanted, nil
	case least < wanted && r.hold(least):
		return least, nil
	default:
		return 0, fmt.Errorf("%d more bytes: %w", least, ErrBudget)
	}
}
