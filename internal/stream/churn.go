package stream

import (
	"bytes"
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

const (
	// churnRate and churnBurst bound how many headers of a log change per second:
	// metadata, sequence headers and what completes them. They stop the publisher
	// that has everything laid out anew for newcomers, and every player start its
	// decoders again, with each message. A stream of sixteen tracks has some fifty
	// at its start; encoders that repeat theirs with each keyframe change nothing.
	churnRate, churnBurst = 10, 100
	// maxMetadata bounds the metadata, which each newcomer gets: it stops the
	// publisher that sends a megabyte of it and then has thousands join. OBS and
	// FFmpeg send some hundred bytes; a long string of AMF0 begins at 64 KiB.
	maxMetadata = 128 << 10
)

// churn is how often the headers of a log change: the time at which its budget is
// full again.
type churn time.Duration

// allow takes one change out of the budget, or reports that it is used up.
func (c *churn) allow(now time.Duration) bool {
	const each = time.Second / churnRate
	full := max(time.Duration(*c), now) + each
	if full-now > churnBurst*each {
		return false
	}
	*c = churn(full)
	return true
}

// admit reports whether a header may be added: it is the one that holds already,
// or there have not been too many changes. Others are left out rather than the
// publisher closed: a real encoder repeats its headers, so that its viewers miss a
// moment and not the stream.
func (l *Log) admit(h header, now time.Duration) bool {
	if l.headers.holds(h) || l.churn.allow(now) {
		return true
	}
	l.excess.Add(1)
	return false
}

// describes reports whether messages of a type are kept for newcomers.
func describes(t media.PacketType) bool {
	return t == media.SequenceHeader || t == media.ChannelConfig || t == media.Metadata
}

// holds reports whether the set has this very header.
func (hs headers) holds(h header) bool {
	i, found := slices.BinarySearchFunc(hs, h, header.compare)
	return found && bytes.Equal(hs[i].payload, h.payload)
}

// Excess returns how many headers of the publisher were left out, since they
// changed too often or were too long.
func (l *Log) Excess() uint64 { return l.excess.Load() }
