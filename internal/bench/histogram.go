package bench

import (
	"math"
	"math/bits"
)

const (
	// subBits gives each power of two 32 buckets: an error of 3 % at most.
	subBits = 5
	// octaves reaches up to 2^35 µs, or nine hours.
	octaves = 30
)

// histogram counts times in microseconds in buckets of logarithmic width. The
// zero value is empty, and nothing in it allocates.
type histogram struct {
	buckets [(octaves + 1) << subBits]uint64
	count   uint64
	longest int64
}

// add counts one time; what is below 0 counts as 0.
func (h *histogram) add(us int64) {
	us = max(us, 0)
	h.count++
	h.longest = max(h.longest, us)
	h.buckets[bucketOf(uint64(us))]++
}

func bucketOf(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return min(shift<<subBits+int(v>>shift), (octaves+1)<<subBits-1)
}

// upper is the highest value of a bucket.
func upper(bucket int) int64 {
	if bucket < 2<<subBits {
		return int64(bucket)
	}
	shift := bucket>>subBits - 1
	return int64((bucket-shift<<subBits)+1)<<shift - 1
}

// merge adds what another histogram counted.
func (h *histogram) merge(o *histogram) {
	for i, n := range o.buckets {
		h.buckets[i] += n
	}
	h.count += o.count
	h.longest = max(h.longest, o.longest)
}

// quantile returns the time in milliseconds that the share q of all does not
// exceed.
func (h *histogram) quantile(q float64) float64 {
	rank := max(uint64(math.Ceil(q*float64(h.count))), 1)
	var seen uint64
	for i, n := range h.buckets {
		if seen += n; seen >= rank {
			return milliseconds(min(upper(i), h.longest))
		}
	}
	return milliseconds(h.longest)
}

// summary is nil if nothing was counted.
func (h *histogram) summary() *Latency {
	if h.count == 0 {
		return nil
	}
	return &Latency{P50: h.quantile(0.5), P99: h.quantile(0.99), Max: milliseconds(h.longest)}
}

func milliseconds(us int64) float64 { return float64(us) / 1000 }
