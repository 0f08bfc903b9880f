package bench

import (
	"encoding/binary"
	"fmt"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

const (
	// headSize is how much of a message is looked at: enough for every control
	// message and for the marker of audio and video.
	headSize = 64
	// maxCommand is the longest command that is put together. It stops a server
	// from making thousands of players hold 16 MiB each.
	maxCommand = 64 << 10
	// maxChunkStreams is how many chunk streams a server may use; those in use
	// today need up to 6. It keeps a player small.
	maxChunkStreams = 8
	// maxHeader is the longest chunk header: basic, message, extended timestamp.
	maxHeader = 3 + 11 + 4
	// extended announces an extended timestamp, RTMP 1.0 section 5.3.1.3.
	extended = 0xFFFFFF
)

// arrival is a complete message.
type arrival struct {
	kind   rtmp.MessageType
	length uint32
	// payload is all of a command and the first headSize bytes of anything
	// else, valid until the next call.
	payload []byte
}

// chunkParser finds the messages in a stream of chunks that comes in pieces of
// any size. Unlike [rtmp.Reader] it neither blocks nor keeps what nobody looks
// at.
type chunkParser struct {
	size   uint32       // of the chunks
	at     *chunkStream // whose payload comes next; nil before a header
	left   uint32       // payload of that chunk still to come
	count  int          // chunk streams in use
	begun  int          // bytes in header
	header [maxHeader]byte

	streams [maxChunkStreams]chunkStream
}

type chunkStream struct {
	id        uint32
	length    uint32
	remaining uint32
	kind      rtmp.MessageType
	extended  bool
	partial   bool
	head      [headSize]byte
	command   []byte
}

func (c *chunkParser) reset() { *c = chunkParser{size: rtmp.DefaultChunkSize} }

// next consumes the first n bytes of in. It reports true if they completed a
// message.
func (c *chunkParser) next(in []byte) (m arrival, n int, complete bool, err error) {
	if c.at == nil {
		if n, err = c.readHeader(in); err != nil || c.at == nil {
			return arrival{}, n, false, err
		}
	}
	s := c.at
	chunk := in[n:]
	if uint32(len(chunk)) > c.left {
		chunk = chunk[:c.left]
	}
	n += len(chunk)
	c.left -= uint32(len(chunk))
	whole := len(chunk) == int(s.length)
	if !whole {
		s.keep(chunk)
	}
	s.remaining -= uint32(len(chunk))
	if c.left > 0 {
		return arrival{}, n, false, nil
	}
	c.at = nil
	if s.remaining > 0 {
		return arrival{}, n, false, nil
	}
	m = arrival{kind: s.kind, length: s.length, payload: chunk}
	switch {
	case !whole:
		m.payload = s.kept()
	case !isCommand(s.kind):
		m.payload = chunk[:min(len(chunk), headSize)]
	}
	s.abort()
	return m, n, true, c.apply(m)
}

// keep remembers what of a chunk will be looked at.
func (s *chunkStream) keep(chunk []byte) {
	if isCommand(s.kind) {
		s.command = append(s.command, chunk...)
	} else if have := s.length - s.remaining; have < headSize {
		copy(s.head[have:], chunk)
	}
}

func (s *chunkStream) kept() []byte {
	if isCommand(s.kind) {
		return s.command
	}
	return s.head[:min(s.length, headSize)]
}

func (s *chunkStream) abort() { s.partial, s.command = false, nil }

func isCommand(t rtmp.MessageType) bool { return t == rtmp.TypeCommand || t == rtmp.TypeCommandAMF3 }

// apply carries out the two messages that steer the chunk layer itself.
func (c *chunkParser) apply(m arrival) error {
	if m.kind != rtmp.TypeSetChunkSize && m.kind != rtmp.TypeAbort {
		return nil
	}
	value, err := rtmp.ParseUint32(rtmp.Message{Type: m.kind, Payload: m.payload})
	if err != nil {
		return err
	}
	if m.kind == rtmp.TypeAbort {
		if s := c.lookup(value); s != nil {
			s.abort()
		}
		return nil
	}
	if value == 0 || value > 1<<31-1 {
		return fmt.Errorf("set chunk size to %d: %w", value, rtmp.ErrProtocol)
	}
	c.size = value
	return nil
}

// readHeader consumes bytes of a chunk header and sets c.at at the end of it.
func (c *chunkParser) readHeader(in []byte) (n int, err error) {
	if c.begun == 0 {
		if n, err = c.parseHeader(in); n > 0 || err != nil {
			return n, err
		}
	}
	for n < len(in) {
		c.header[c.begun] = in[n]
		c.begun++
		n++
		if done, err := c.parseHeader(c.header[:c.begun]); done > 0 || err != nil {
			c.begun = 0
			return n, err
		}
	}
	return n, nil
}

var messageHeaderSize = [4]int{11, 7, 3, 0}

// parseHeader returns the length of the header at the start of b, or 0 if b is
// too short for it.
func (c *chunkParser) parseHeader(b []byte) (int, error) {
	format, id, at := b[0]>>6, uint32(b[0]&0x3F), 1
	if id <= 1 {
		at += 1 + int(id)
		if len(b) < at {
			return 0, nil
		}
		if id == 1 {
			id = uint32(b[2]) << 8
		}
		id += 64 + uint32(b[1])
	}
	fields := b[at:]
	if at += messageHeaderSize[format]; len(b) < at {
		return 0, nil
	}
	s, err := c.open(format, id)
	if err != nil {
		return 0, err
	}
	long := s.extended
	if format < 3 {
		long = uint24(fields) == extended
	}
	// A header of type 3 repeats the extended timestamp, as the specification
	// says and every server does: players rely on it.
	if long {
		if at += 4; len(b) < at {
			return 0, nil
		}
	}
	s.extended = long
	if format <= 1 {
		s.length, s.kind = uint24(fields[3:]), rtmp.MessageType(fields[6])
	}
	return at, c.begin(s)
}

// open finds or makes the state of a chunk stream.
func (c *chunkParser) open(format byte, id uint32) (*chunkStream, error) {
	if s := c.lookup(id); s != nil {
		if s.partial && format != 3 {
			return nil, fmt.Errorf("header of type %d within a message on chunk stream %d: %w", format, id, rtmp.ErrProtocol)
		}
		return s, nil
	}
	if format > 1 {
		return nil, fmt.Errorf("first header on chunk stream %d is of type %d: %w", id, format, rtmp.ErrProtocol)
	}
	if c.count == maxChunkStreams {
		return nil, fmt.Errorf("chunk stream %d is one more than %d: %w", id, maxChunkStreams, rtmp.ErrLimit)
	}
	s := &c.streams[c.count]
	c.count++
	s.id = id
	return s, nil
}

func (c *chunkParser) lookup(id uint32) *chunkStream {
	for i := range c.streams[:c.count] {
		if c.streams[i].id == id {
			return &c.streams[i]
		}
	}
	return nil
}

// begin expects the payload of the chunk whose header was read.
func (c *chunkParser) begin(s *chunkStream) error {
	if !s.partial {
		s.partial, s.remaining = true, s.length
		if isCommand(s.kind) && s.length > maxCommand {
			return fmt.Errorf("command of %d bytes, at most %d: %w", s.length, maxCommand, rtmp.ErrLimit)
		}
	}
	c.at, c.left = s, min(c.size, s.remaining)
	return nil
}

func uint24(b []byte) uint32 {
	return uint32(b[2]) | uint32(binary.BigEndian.Uint16(b))<<8
}
