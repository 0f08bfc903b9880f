package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// bitrateWindow is how long a publisher may send at twice the bitrate that it is
// granted, or how many seconds of it at once: encoders that were held up send what
// they have.
const bitrateWindow = 5 * time.Second

// bitrate measures what a connection sends, in the bucket of Options.MaxBitrate.
type bitrate struct {
	bucket bucket
	// received is how much of what came was charged for.
	received uint64
	// since is when the bucket was full for the last time, and bytes what came
	// from then on.
	since time.Duration
	bytes uint64
}

// chargeBitrate takes what came since the last time out of the budget for it. It
// is called once for each read, whatever the number of messages.
func (c *conn) chargeBitrate() error {
	limit, b, now := c.server.options.MaxBitrate, &c.bitrate, c.readAt
	if limit == 0 {
		return nil
	}
	n := c.reader.Received() - b.received
	b.received += n
	if time.Duration(b.bucket) <= now {
		b.since, b.bytes = now, 0
	}
	b.bytes += n
	const bitsByte, nsMicrosecond = 8, 1000 // a microsecond a bit is 1 Mbit/s
	cost := time.Duration(n) * bitsByte * nsMicrosecond / time.Duration(limit)
	if b.bucket.spend(now, cost, bitrateWindow) {
		return nil
	}
	return c.refuseBitrate(b.rate(now), limit)
}

// rate is the average, in Mbit/s, since the bucket was full, or over a second if it
// was so later: what comes at once would have no rate.
func (b *bitrate) rate(now time.Duration) float64 {
	elapsed := max(now-b.since, time.Second)
	const megabits = 8 / 1e6 // in a byte
	return float64(b.bytes) * megabits / elapsed.Seconds()
}

// refuseBitrate tells the client, which is closed then: it would send as much
// again.
func (c *conn) refuseBitrate(rate float64, limit int) error {
	text := fmt.Sprintf("%.1f Mbit/s, at most %d are allowed", rate, limit)
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		if c.streams[id].publication != nil {
			c.out.send(rtmp.OnStatus(id, failure(rtmp.CodePublishDenied, "Bitrate too high: "+text+".")))
		}
	}
	return &refusal{ReasonBitrate, errors.New(text)}
}
