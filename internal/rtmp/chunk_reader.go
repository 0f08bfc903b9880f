package rtmp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Source is the buffered input of a [Reader]; *bufio.Reader is one. Peek is
// asked for 11 bytes at most, and what it returns is used before the next call
// that reads.
type Source interface {
	io.Reader
	io.ByteReader
	Peek(n int) ([]byte, error)
	Discard(n int) (int, error)
}

// Reader reassembles messages from the chunks of one direction of a
// connection. It applies Set Chunk Size and Abort by itself, before it reads
// the next chunk, and then returns them like any other message.
//
// A Reader is not safe for concurrent use.
type Reader struct {
	src       Source
	limits    Limits
	chunkSize uint32
	streams   []*chunkStream
	dialect   dialect
	// held is the memory of all incomplete messages, bounded by limits.Partial.
	held  int
	share share
	// shown is the most memory that a complete message took, up to maxShown.
	shown    int
	received uint64
	chunks   uint64
	// parts are the sub-messages of the last aggregate that were not returned
	// yet.
	parts []Message
}

// dialect tells whether a sender repeats the extended timestamp in
// continuation chunks, as the specification wants and librtmp before 2.4 and
// OBS before 30.1 do not.
type dialect uint8

const (
	dialectUnknown dialect = iota
	dialectRepeats
	dialectOmits
)

// NewReader returns a Reader of the chunks that follow in src. It must be the
// same source that the handshake read from, since clients send their first
// chunks together with the end of the handshake.
func NewReader(src Source, limits Limits) *Reader {
	return &Reader{src: src, limits: limits, chunkSize: DefaultChunkSize}
}

// SetLimits replaces the limits. A message that is already being assembled
// keeps the length that its header was granted.
func (r *Reader) SetLimits(limits Limits) { r.limits = limits }

// Received returns the number of bytes that chunks took so far, the figure
// that an Acknowledgement carries modulo 2^32.
func (r *Reader) Received() uint64 { return r.received }

// Chunks returns the number of chunks read so far, a measure of the work that
// a peer causes whatever the size of its chunks.
func (r *Reader) Chunks() uint64 { return r.chunks }

// Pending reports whether ReadMessage has a message to return without reading:
// what is left of an aggregate.
func (r *Reader) Pending() bool { return len(r.parts) > 0 }

// ReadMessage returns the next complete message; an aggregate is returned as
// the messages it is made of. The payload of a message whose type is not
// [MessageType.Known] was drained and is nil.
//
// The error is io.EOF when the stream ends between two chunks,
// io.ErrUnexpectedEOF when it ends within one, an error that wraps
// [ErrProtocol], [ErrLimit] or [ErrBudget], or that of the underlying reader. After an error
// the Reader must not be used again.
func (r *Reader) ReadMessage() (Message, error) {
	for {
		if len(r.parts) > 0 {
			m := r.parts[0]
			r.parts = r.parts[1:]
			return m, nil
		}
		s, err := r.readChunk()
		if err != nil {
			return Message{}, err
		}
		if s.remaining > 0 {
			continue
		}
		m := r.finish(s)
		if m.Type == TypeAggregate {
			if r.parts, err = splitAggregate(m, r.limits); err != nil {
				return Message{}, err
			}
			continue
		}
		return m, r.apply(m)
	}
}

func (r *Reader) finish(s *chunkStream) Message {
	m := Message{
		Type:        s.kind,
		ChunkStream: s.id,
		Stream:      s.stream,
		Timestamp:   s.timestamp,
		frame:       s.frame,
	}
	if len(s.frame) > 0 {
		m.Payload = s.frame[headroom:]
	}
	r.shown = min(max(r.shown, len(s.frame)), maxShown)
	r.drop(s)
	return m
}

// drop forgets the message being assembled on s.
func (r *Reader) drop(s *chunkStream) {
	r.hold(-cap(s.frame), true)
	begun := s.since != 0
	s.abort()
	if begun {
		r.noteOldest()
	}
}

// apply carries out the two messages that steer the chunk layer itself.
func (r *Reader) apply(m Message) error {
	switch m.Type {
	case TypeSetChunkSize:
		size, err := ParseUint32(m)
		if err != nil {
			return err
		}
		if size == 0 || size > 1<<31-1 {
			return fmt.Errorf("set chunk size to %d: %w", size, ErrProtocol)
		}
		r.chunkSize = size
	case TypeAbort:
		id, err := ParseUint32(m)
		if err != nil {
			return err
		}
		if s := r.lookup(id); s != nil {
			r.drop(s)
		}
	}
	return nil
}

// readChunk reads one chunk and returns its chunk stream, whose message is
// complete when no bytes of it remain.
func (r *Reader) readChunk() (*chunkStream, error) {
	format, id, err := r.readBasicHeader()
	if err != nil {
		return nil, err
	}
	r.chunks++
	s, err := r.open(format, id)
	if err != nil {
		return nil, err
	}
	if err := r.readMessageHeader(s, format); err != nil {
		return nil, err
	}
	if !s.partial {
		s.start(format)
		if limit := r.limits.payload(s.kind); int64(s.length) > int64(limit) {
			return nil, fmt.Errorf("%v message of %d bytes on chunk stream %d, at most %d: %w",
				s.kind, s.length, s.id, limit, ErrLimit)
		}
	}
	return s, r.readPayload(s, min(r.chunkSize, s.remaining))
}

func (r *Reader) readBasicHeader() (format byte, id uint32, err error) {
	first, err := r.src.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	r.received++
	format, id = first>>6, uint32(first&0x3F)
	if id > 1 {
		return format, id, nil
	}
	b, err := r.take(int(id) + 1)
	if err != nil {
		return 0, 0, err
	}
	id = 64 + uint32(b[0])
	if len(b) == 2 {
		id += uint32(b[1]) << 8
	}
	return format, id, nil
}

func (r *Reader) lookup(id uint32) *chunkStream {
	for _, s := range r.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

// open finds or makes the state of a chunk stream. The first header on a
// stream may be of type 1, as librtmp sends it on the control stream; types 2
// and 3 have nothing to build on.
func (r *Reader) open(format byte, id uint32) (*chunkStream, error) {
	if s := r.lookup(id); s != nil {
		if s.partial && format != chunkSame {
			return nil, fmt.Errorf("header of type %d within a message on chunk stream %d: %w", format, id, ErrProtocol)
		}
		return s, nil
	}
	if format > chunkSameStream {
		return nil, fmt.Errorf("first header on chunk stream %d is of type %d: %w", id, format, ErrProtocol)
	}
	if len(r.streams) == MaxChunkStreams {
		return nil, fmt.Errorf("chunk stream %d is one more than %d: %w", id, MaxChunkStreams, ErrLimit)
	}
	s := &chunkStream{id: id}
	r.streams = append(r.streams, s)
	return s, nil
}

var messageHeaderSize = [4]int{chunkFull: 11, chunkSameStream: 7, chunkSameLength: 3, chunkSame: 0}

func (r *Reader) readMessageHeader(s *chunkStream, format byte) error {
	if format == chunkSame {
		return r.readRepeatedExtension(s)
	}
	b, err := r.take(messageHeaderSize[format])
	if err != nil {
		return err
	}
	value := uint24(b)
	if format <= chunkSameStream {
		s.length, s.kind = uint24(b[3:]), MessageType(b[6])
	}
	if format == chunkFull {
		s.stream = binary.LittleEndian.Uint32(b[7:])
	}
	s.extended = value == extendedTimestamp
	if s.extended {
		if b, err = r.take(4); err != nil {
			return err
		}
		value = binary.BigEndian.Uint32(b)
		s.extension = value
	}
	s.delta = value
	if format == chunkFull {
		s.timestamp = value
	}
	return nil
}

// readRepeatedExtension consumes the extended timestamp of a type 3 header, if
// this sender writes one. The first continuation chunk decides for the whole
// connection: a sender that repeats the field writes the extension itself, the
// absolute timestamp, or zeros (gortmplib); anything else is payload already.
func (r *Reader) readRepeatedExtension(s *chunkStream) error {
	if !s.extended || r.dialect == dialectOmits {
		return nil
	}
	if s.partial && r.dialect == dialectUnknown {
		b, err := r.src.Peek(4)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(b) < 4 || !s.repeatedBy(binary.BigEndian.Uint32(b)) {
			r.dialect = dialectOmits
			return nil
		}
		r.dialect = dialectRepeats
	}
	b, err := r.take(4)
	if err != nil {
		return err
	}
	if value := binary.BigEndian.Uint32(b); !s.partial && value != s.extension {
		s.extension, s.delta = value, value
	}
	return nil
}

func (s *chunkStream) repeatedBy(value uint32) bool {
	return value == s.extension || value == s.timestamp || value == 0
}

// readPayload reads the next n bytes of the message on s.
func (r *Reader) readPayload(s *chunkStream, n uint32) error {
	if !s.kind.Known() {
		discarded, err := r.src.Discard(int(n))
		r.received += uint64(discarded)
		s.remaining -= uint32(discarded)
		return noEOF(err)
	}
	for n > 0 {
		if err := r.grow(s); err != nil {
			return err
		}
		have := len(s.frame)
		room := min(int(n), cap(s.frame)-have)
		got, err := io.ReadFull(r.src, s.frame[have:have+room])
		s.frame = s.frame[:have+got]
		s.remaining -= uint32(got)
		r.received += uint64(got)
		if err != nil {
			return noEOF(err)
		}
		n -= uint32(got)
	}
	return nil
}

// grow makes room for at least one more byte of the message on s, even if the
// limits set none aside. It doubles, so that what is held stays in proportion
// to what arrived; and it sets aside at once as much, over all messages, as one
// of this peer has taken before, so that the keyframes of an established
// publisher are not moved as they grow.
func (r *Reader) grow(s *chunkStream) error {
	if len(s.frame) < cap(s.frame) {
		return nil
	}
	whole := headroom + int(s.length)
	least := min(whole, max(headroom+1, r.limits.Upfront, 2*cap(s.frame)))
	size := min(whole, max(least, r.shown-r.held+cap(s.frame)))
	more, err := r.reserve(size-cap(s.frame), least-cap(s.frame))
	if err != nil {
		return err
	}
	frame := make([]byte, max(headroom, len(s.frame)), cap(s.frame)+more)
	copy(frame, s.frame)
	s.frame = frame
	r.begin(s)
	return nil
}

// take returns the next n header bytes, valid until the next read.
func (r *Reader) take(n int) ([]byte, error) {
	b, err := r.src.Peek(n)
	if err != nil {
		return nil, noEOF(err)
	}
	r.received += uint64(n)
	_, err = r.src.Discard(n)
	return b, err
}
