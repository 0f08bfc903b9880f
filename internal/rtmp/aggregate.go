package rtmp

import "fmt"

const (
	// aggregateTagHeader is type(1) size(3) timestamp(3+1) stream id(3), the
	// layout of an FLV tag header; aggregateBackPointer follows every part.
	aggregateTagHeader   = 11
	aggregateBackPointer = 4

	// maxAggregateParts bounds the messages of one aggregate. It stops the
	// peer that packs a million empty parts into one message.
	maxAggregateParts = 256
)

// splitAggregate returns the messages within an aggregate (RTMP 1.0 section
// 7.1.6). Their timestamps count from that of the aggregate; their payloads
// share its memory. Each is held to the limit of its own type, as the whole was
// to that of video.
func splitAggregate(m Message, limits Limits) ([]Message, error) {
	var parts []Message
	var first uint32
	for b := m.Payload; len(b) > 0; {
		if len(b) < aggregateTagHeader {
			return nil, fmt.Errorf("aggregate ends within a part header: %w", ErrProtocol)
		}
		kind, size := MessageType(b[0]), int(uint24(b[1:]))
		// 24 low bits first, then the 8 high ones, as in an FLV tag: so do
		// FMLE and all readers, whatever the figure of the specification says.
		timestamp := uint24(b[4:]) | uint32(b[7])<<24
		b = b[aggregateTagHeader:]
		switch {
		case size > len(b):
			return nil, fmt.Errorf("aggregate part of %d bytes with %d left: %w", size, len(b), ErrProtocol)
		case kind != TypeAudio && kind != TypeVideo && kind != TypeData && kind != TypeDataAMF3:
			return nil, fmt.Errorf("%v within an aggregate: %w", kind, ErrProtocol)
		case size > limits.payload(kind):
			return nil, fmt.Errorf("%v message of %d bytes within an aggregate: %w", kind, size, ErrLimit)
		case len(parts) == maxAggregateParts:
			return nil, fmt.Errorf("aggregate of more than %d parts: %w", maxAggregateParts, ErrLimit)
		}
		if len(parts) == 0 {
			first = timestamp
		}
		parts = append(parts, Message{
			Type:        kind,
			ChunkStream: m.ChunkStream,
			Stream:      m.Stream,
			Timestamp:   m.Timestamp + timestamp - first,
			Payload:     b[:size:size],
		})
		b = b[size:]
		// The last back pointer may be missing: nginx-rtmp accepts that too.
		b = b[min(aggregateBackPointer, len(b)):]
	}
	return parts, nil
}
