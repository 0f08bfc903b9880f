//go:build linux

package main

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
)

// writeTime is when a frame that is due at some time is written: at the next
// multiple of the interval, or at once without one.
func writeTime(due, interval time.Duration) time.Duration {
	if interval <= 0 {
		return due
	}
	return (due + interval - 1) / interval * interval
}

// batchTime is how long the schedule of a stream is looked at.
const batchTime = 2 * time.Minute

// intervalFor returns the interval with which the mean time between two writes
// of the default stream is the given one. It is shorter than that: there are
// multiples of a short interval at which nothing is due.
func intervalFor(batch time.Duration) (time.Duration, error) {
	stream, err := bench.NewStream(bench.Defaults())
	if err != nil {
		return 0, err
	}
	var due []time.Duration
	for stream.Due() < batchTime {
		due = append(due, stream.Due())
		stream.Next(time.Time{})
	}
	if batch <= batchTime/time.Duration(len(due)) {
		return 0, nil
	}
	low, high := time.Duration(0), batch
	for high-low > 10*time.Microsecond {
		middle := (low + high) / 2
		if meanBatch(due, middle) < batch {
			low = middle
		} else {
			high = middle
		}
	}
	return high, nil
}

// meanBatch is the mean time between two writes.
func meanBatch(due []time.Duration, interval time.Duration) time.Duration {
	writes, last := time.Duration(0), time.Duration(-1)
	for _, d := range due {
		if at := writeTime(d, interval); at != last {
			writes, last = writes+1, at
		}
	}
	return batchTime / writes
}
