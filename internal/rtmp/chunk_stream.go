package rtmp

// chunkStream is what a receiver remembers of one chunk stream: the fields
// that later headers leave out, and the message being assembled.
type chunkStream struct {
	id        uint32
	timestamp uint32
	delta     uint32
	length    uint32
	stream    uint32
	// extension is the extended timestamp field as it was on the wire, an
	// absolute value or a delta; continuation chunks repeat it.
	extension uint32
	kind      MessageType
	// extended says that the last header of type 0, 1 or 2 had an extended
	// timestamp. It cannot be derived from the value: some senders write the
	// marker with a small value behind it.
	extended bool
	// afterFull says that the last header was of type 0.
	afterFull bool

	// partial says that a message is being assembled: remaining counts its
	// missing bytes and frame holds those that arrived, behind the headroom
	// (nothing for a type that is drained, or before the first byte).
	partial   bool
	remaining uint32
	frame     []byte
	// since is the turn at which the message took from a budget first, 0 if it
	// did not.
	since uint64
}

// maxImpliedDelta is the longest first timestamp, in milliseconds, that is
// taken for a frame interval as well.
const maxImpliedDelta = 1000

// start advances the timestamp for the first chunk of a message.
//
// RTMP 1.0 section 5.3.1.2.4: after a type 0 header, the delta of a type 3
// header is the timestamp of the type 0 one. FMLE relies on that when it
// starts its audio. librtmp and nginx-rtmp, however, write type 3 for "the
// same timestamp again", which would double a large one; hence the bound.
func (s *chunkStream) start(format byte) {
	switch {
	case format == chunkSame && s.afterFull && s.timestamp > maxImpliedDelta:
		s.delta = 0
	case format != chunkFull:
		s.timestamp += s.delta
	}
	s.afterFull = format == chunkFull
	s.partial = true
	s.remaining = s.length
}

// abort drops the message being assembled. The header fields stay: the next
// message may build on them.
func (s *chunkStream) abort() {
	s.partial = false
	s.remaining = 0
	s.frame = nil
	s.since = 0
}
