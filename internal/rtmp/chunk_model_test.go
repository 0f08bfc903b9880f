package rtmp

import (
	"encoding/binary"
	"io"
	"maps"
	"slices"
)

// model reads chunks by the letter of RTMP 1.0 section 5.3, a second time and
// from a slice that holds all of them. What it knows beyond the letter is what
// [Reader] promises: limits, and tolerance for three kinds of senders.
type model struct {
	rest      []byte
	limits    Limits
	chunkSize uint32
	streams   map[uint32]*modelStream
	// repeats is whether continuation chunks repeat an extended timestamp; nil as
	// long as none told.
	repeats  *bool
	messages []Message
	// received and chunks are what the methods of that name of Reader return.
	received, chunks int
}

// modelStream is a chunk stream in the words of section 5.3.
type modelStream struct {
	timestamp, delta, extension, length, stream uint32
	kind                                        MessageType
	extended, afterFull                         bool
	payload                                     []byte
	missing                                     uint32
}

// modelDecode reads to the end or to the first failure, which is one of io.EOF,
// io.ErrUnexpectedEOF, ErrProtocol and ErrLimit. It does not know of
// Limits.Partial.
func modelDecode(b []byte, limits Limits) (m *model, failure error) {
	m = &model{rest: b, limits: limits, chunkSize: 128, streams: map[uint32]*modelStream{}}
	for failure == nil {
		failure = m.chunk()
	}
	return m, failure
}

// take returns the next n bytes, or nil if there are less.
func (m *model) take(n int) []byte {
	if len(m.rest) < n {
		return nil
	}
	b := m.rest[:n:n]
	m.rest = m.rest[n:]
	m.received += n
	return b
}

func (m *model) chunk() error {
	if len(m.rest) == 0 {
		return io.EOF
	}
	format, id, err := m.basicHeader()
	if err != nil {
		return err
	}
	m.chunks++
	s := m.streams[id]
	switch {
	case s != nil && s.missing > 0 && format != 3, s == nil && format > 1:
		return ErrProtocol
	case s == nil && len(m.streams) == MaxChunkStreams:
		return ErrLimit
	case s == nil:
		s = &modelStream{}
		m.streams[id] = s
	}
	field, err := m.messageHeader(s, format)
	if err != nil {
		return err
	}
	if s.missing == 0 {
		s.begin(format, field)
		if int(s.length) > m.limits.payload(s.kind) {
			return ErrLimit
		}
	}
	return m.payload(s, id)
}

// basicHeader is section 5.3.1.1.
func (m *model) basicHeader() (format byte, id uint32, err error) {
	first := m.take(1)[0]
	switch first & 63 {
	case 0:
		if b := m.take(1); b != nil {
			return first >> 6, 64 + uint32(b[0]), nil
		}
	case 1:
		if b := m.take(2); b != nil {
			return first >> 6, 64 + uint32(b[0]) + 256*uint32(b[1]), nil
		}
	default:
		return first >> 6, uint32(first & 63), nil
	}
	return 0, 0, io.ErrUnexpectedEOF
}

// messageHeader is sections 5.3.1.2 and 5.3.1.3. It returns the timestamp or the
// delta of the header, or the one that a type 3 header stands for.
func (m *model) messageHeader(s *modelStream, format byte) (field uint32, err error) {
	if format == 3 {
		return m.repeated(s)
	}
	b := m.take([]int{11, 7, 3}[format])
	if b == nil {
		return 0, io.ErrUnexpectedEOF
	}
	field = uint32(b[0])<<16 + uint32(b[1])<<8 + uint32(b[2])
	if format < 2 {
		s.length = uint32(b[3])<<16 + uint32(b[4])<<8 + uint32(b[5])
		s.kind = MessageType(b[6])
	}
	if format < 1 {
		s.stream = binary.LittleEndian.Uint32(b[7:])
	}
	s.extended = field == 0xFFFFFF
	if s.extended {
		if b = m.take(4); b == nil {
			return 0, io.ErrUnexpectedEOF
		}
		field = binary.BigEndian.Uint32(b)
		s.extension = field
	}
	return field, nil
}

// repeated is the extended timestamp of a type 3 header. The letter wants it on
// every such chunk; old librtmp and OBS omit it, and gortmplib writes zeros. The
// first chunk that continues a message shows which kind of sender it is.
func (m *model) repeated(s *modelStream) (uint32, error) {
	if !s.extended {
		return s.delta, nil
	}
	if m.repeats == nil && s.missing > 0 {
		known := len(m.rest) >= 4 &&
			slices.Contains([]uint32{s.extension, s.timestamp, 0}, binary.BigEndian.Uint32(m.rest))
		m.repeats = &known
	}
	if m.repeats != nil && !*m.repeats {
		return s.delta, nil
	}
	b := m.take(4)
	if b == nil {
		return 0, io.ErrUnexpectedEOF
	}
	// The sender may repeat an absolute timestamp, or write a delta of its own.
	if value := binary.BigEndian.Uint32(b); s.missing == 0 && value != s.extension {
		s.extension = value
		return value, nil
	}
	return s.delta, nil
}

func (s *modelStream) begin(format byte, field uint32) {
	switch {
	case format == 0:
		s.timestamp = field
	case format == 3 && s.afterFull && s.timestamp > 1000:
		field = 0 // a departure from the letter: see maxImpliedDelta
	default:
		s.timestamp += field
	}
	s.delta = field
	s.afterFull = format == 0
	s.missing = s.length
	s.payload = nil
}

// payload is section 5.3.2: what a chunk holds, up to the chunk size.
func (m *model) payload(s *modelStream, id uint32) error {
	n := min(m.chunkSize, s.missing)
	b := m.take(min(int(n), len(m.rest)))
	s.payload = append(s.payload, b...)
	s.missing -= uint32(len(b))
	switch {
	case len(b) < int(n):
		return io.ErrUnexpectedEOF
	case s.missing > 0:
		return nil
	}
	whole := message(s.kind, id, s.stream, s.timestamp, s.payload)
	switch {
	case s.kind == TypeAggregate:
		parts, err := modelSplit(whole, m.limits)
		m.messages = append(m.messages, parts...)
		return err
	case !s.kind.Known():
		whole.Payload = nil
	}
	if err := m.control(whole); err != nil {
		return err
	}
	m.messages = append(m.messages, whole)
	return nil
}

// control is sections 5.4.1 and 5.4.2.
func (m *model) control(c Message) error {
	if c.Type != TypeSetChunkSize && c.Type != TypeAbort {
		return nil
	}
	if len(c.Payload) < 4 {
		return ErrProtocol
	}
	value := binary.BigEndian.Uint32(c.Payload)
	if c.Type == TypeAbort {
		if s := m.streams[value]; s != nil {
			s.missing = 0
		}
		return nil
	}
	if value < 1 || value > 0x7FFFFFFF {
		return ErrProtocol
	}
	m.chunkSize = value
	return nil
}

// modelSplit is section 7.1.6, with the timestamps of FLV tags.
func modelSplit(whole Message, limits Limits) (parts []Message, err error) {
	held := map[MessageType]int{TypeAudio: limits.Audio, TypeVideo: limits.Video, TypeData: limits.Data, TypeDataAMF3: limits.Data}
	b := whole.Payload
	for shift := uint32(0); len(b) > 0; {
		if len(b) < 11 {
			return nil, ErrProtocol
		}
		kind, size := MessageType(b[0]), int(b[1])<<16+int(b[2])<<8+int(b[3])
		timestamp := uint32(b[7])<<24 + uint32(b[4])<<16 + uint32(b[5])<<8 + uint32(b[6])
		b = b[11:]
		switch {
		case size > len(b), !slices.Contains(slices.Collect(maps.Keys(held)), kind):
			return nil, ErrProtocol
		case size > held[kind], len(parts) == 256:
			return nil, ErrLimit
		}
		if parts == nil {
			shift = whole.Timestamp - timestamp
		}
		parts = append(parts, message(kind, whole.ChunkStream, whole.Stream, timestamp+shift, b[:size]))
		b = b[size:]
		b = b[min(4, len(b)):]
	}
	return parts, nil
}
