package stream

import "sync/atomic"

// head is how far a publication has got: the latest timestamp of its frames, and
// when it arrived. It is one word, so that the next publication reads both of
// one frame, even while this one is still appended to.
type head struct{ word atomic.Uint64 }

// The word of a head is the timestamp, a bit that says that there is one, and the
// arrival in milliseconds modulo 2^31.
const (
	headSet     = 1 << 31
	headArrival = headSet - 1
)

func (h *head) set(time, arrival int64) {
	h.word.Store(uint64(uint32(time))<<32 | headSet | uint64(arrival)&headArrival)
}

// get returns what was set, if anything was; h may be nil.
func (h *head) get() (timestamp uint32, arrival int64, ok bool) {
	if h == nil {
		return 0, 0, false
	}
	word := h.word.Load()
	return uint32(word >> 32), int64(word & headArrival), word&headSet != 0
}

// since returns the milliseconds from the arrival of a head to now. They may be
// negative: two publishers' messages arrive on different goroutines.
func since(arrival, now int64) int64 {
	const unused = 64 - 31
	return (now - arrival) << unused >> unused
}
