package rtmp

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// modelStream is a chunk stream in the words of RTMP 1.0 section 5.3.
type modelStream struct {
	timestamp, delta, length, stream uint32
	kind                             MessageType
	extended, afterFull              bool
	payload                          []byte
	missing                          int
}

// modelDecode reads a complete stream of chunks by the letter of the
// specification. It has no limits, no tolerance and no mercy: it panics on
// anything wrong.
func modelDecode(b []byte) []Message {
	var messages []Message
	streams := map[uint32]*modelStream{}
	chunkSize := 128
	for len(b) > 0 {
		format, id, n := b[0]>>6, uint32(b[0]&63), 1
		switch id {
		case 0:
			id, n = 64+uint32(b[1]), 2
		case 1:
			id, n = 64+uint32(b[1])+256*uint32(b[2]), 3
		}
		b = b[n:]
		if streams[id] == nil {
			streams[id] = &modelStream{}
		}
		s := streams[id]

		field := uint32(0)
		if format < 3 {
			field = uint32(b[0])<<16 + uint32(b[1])<<8 + uint32(b[2])
			s.extended = field == 0xFFFFFF
		}
		if format < 2 {
			s.length = uint32(b[3])<<16 + uint32(b[4])<<8 + uint32(b[5])
			s.kind = MessageType(b[6])
		}
		if format < 1 {
			s.stream = binary.LittleEndian.Uint32(b[7:])
		}
		b = b[[]int{11, 7, 3, 0}[format]:]
		if s.extended {
			field = binary.BigEndian.Uint32(b)
			b = b[4:]
		}

		if s.missing == 0 {
			switch format {
			case 0:
				s.timestamp, s.delta = field, field
			case 1, 2:
				s.delta = field
				s.timestamp += s.delta
			case 3:
				// The one departure from the letter: see maxImpliedDelta.
				if s.afterFull && s.timestamp > 1000 {
					s.delta = 0
				}
				s.timestamp += s.delta
			}
			s.afterFull = format == 0
			s.missing = int(s.length)
			s.payload = nil
		}
		n = min(chunkSize, s.missing)
		s.payload = append(s.payload, b[:n]...)
		s.missing -= n
		b = b[n:]
		if s.missing > 0 {
			continue
		}

		m := message(s.kind, id, s.stream, s.timestamp, s.payload)
		switch s.kind {
		case TypeSetChunkSize:
			chunkSize = int(binary.BigEndian.Uint32(s.payload))
		case TypeAbort:
			if aborted := streams[binary.BigEndian.Uint32(s.payload)]; aborted != nil {
				aborted.missing = 0
			}
		case 99:
			m.Payload = nil
		}
		messages = append(messages, m)
	}
	return messages
}

// modelEncoder writes chunks with every type of header as its input says.
type modelEncoder struct {
	in        []byte
	out       []byte
	chunkSize int
	streams   map[uint32]*modelSender
}

type modelSender struct {
	known, extended bool
	extension       uint32
	length, missing int
}

var (
	modelIDs        = []uint32{2, 3, 4, 63, 64, 319, 320, 65599}
	modelTypes      = []MessageType{TypeAudio, TypeVideo, TypeData, TypeCommand, 99}
	modelTimestamps = []uint32{0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0xFFFFFFF0, 0xFFFFFFFF, 1000, 1001}
	modelChunkSizes = []int{1, 2, 64, 127, 128, 129, 1000, 0x7FFFFFFF}
)

func (e *modelEncoder) next() int {
	if len(e.in) == 0 {
		return 0
	}
	v := e.in[0]
	e.in = e.in[1:]
	return int(v)
}

// modelEncode turns fuzz input into chunks that follow the specification.
func modelEncode(in []byte) []byte {
	e := &modelEncoder{in: in, chunkSize: DefaultChunkSize, streams: map[uint32]*modelSender{}}
	for len(e.in) > 0 && len(e.out) < 1<<16 {
		op := e.next()
		id := modelIDs[op>>2&7]
		s := e.streams[id]
		if s == nil {
			s = &modelSender{}
			e.streams[id] = s
		}
		switch {
		case op>>5 == 7 && s.missing == 0:
			e.control(id, s, op)
		case s.missing == 0:
			e.start(id, s, op)
		default:
			e.basicHeader(3, id)
			if s.extended {
				e.out = binary.BigEndian.AppendUint32(e.out, s.extension)
			}
			e.payload(s)
		}
	}
	// What is left incomplete is completed, so that the model gets whole
	// messages.
	for _, id := range modelIDs {
		for s := e.streams[id]; s != nil && s.missing > 0; {
			e.basicHeader(3, id)
			if s.extended {
				e.out = binary.BigEndian.AppendUint32(e.out, s.extension)
			}
			e.payload(s)
		}
	}
	return e.out
}

// start begins a message with the type of header in the low bits of op, as far
// as the chunk stream has one to build on.
func (e *modelEncoder) start(id uint32, s *modelSender, op int) {
	format := op & 3
	if !s.known {
		format &= 1
	}
	timestamp := uint32(e.next())
	marked := timestamp&0x40 != 0 // an extension whatever the value
	if timestamp&0x80 != 0 {
		timestamp = modelTimestamps[timestamp&7]
	}
	e.basicHeader(format, id)
	if format < 3 {
		s.extended = marked || timestamp >= 0xFFFFFF
		s.extension = timestamp
		if s.extended {
			timestamp = 0xFFFFFF
		}
		e.out = append(e.out, byte(timestamp>>16), byte(timestamp>>8), byte(timestamp))
	}
	if format < 2 {
		length := e.next()
		if length&0x80 != 0 {
			length = (length & 0x7F) * 7
		}
		s.length = length
		e.out = append(e.out, 0, byte(length>>8), byte(length), byte(modelTypes[e.next()%len(modelTypes)]))
	}
	if format < 1 {
		e.out = append(e.out, byte(e.next()), 0, byte(e.next()), 1)
	}
	if s.extended {
		e.out = binary.BigEndian.AppendUint32(e.out, s.extension)
	}
	s.known = true
	s.missing = s.length
	e.payload(s)
}

// control sends a Set Chunk Size or an Abort in one chunk.
func (e *modelEncoder) control(id uint32, s *modelSender, op int) {
	choice := e.next() & 7
	if e.chunkSize < 4 {
		return // it would take several chunks
	}
	kind, value := TypeSetChunkSize, uint32(modelChunkSizes[choice])
	if op&1 != 0 {
		kind, value = TypeAbort, modelIDs[choice]
	}
	e.basicHeader(0, id)
	e.out = append(e.out, 0, 0, 0, 0, 0, 4, byte(kind), 0, 0, 0, 0)
	e.out = binary.BigEndian.AppendUint32(e.out, value)
	// Nothing may inherit the type: other payloads are no valid chunk sizes.
	*s = modelSender{}
	if kind == TypeSetChunkSize {
		e.chunkSize = modelChunkSizes[choice]
	} else if aborted := e.streams[value]; aborted != nil {
		aborted.missing = 0
	}
}

func (e *modelEncoder) basicHeader(format int, id uint32) {
	f := byte(format << 6)
	switch {
	case id < 64:
		e.out = append(e.out, f|byte(id))
	case id < 320 && len(e.out)%2 == 0:
		e.out = append(e.out, f, byte(id-64))
	default:
		e.out = append(e.out, f|1, byte(id-64), byte((id-64)>>8))
	}
}

func (e *modelEncoder) payload(s *modelSender) {
	n := min(e.chunkSize, s.missing)
	for range n {
		e.out = append(e.out, byte(len(e.out)*5+3))
	}
	s.missing -= n
}

var modelSeeds = []string{
	"",
	"04 00 05 00 01 00",             // one message of type 0
	"09 10 FF 01 09 06 14 0B 0A 05", // types 1, 2 and 3 on a fresh stream
	"0C 83 FF 01 01 02 0C 10 82 90 00 0F 10 0F 0F",   // two messages interleaved, extended
	"E0 02 08 C5 7F 01 01 01 08 E1 02 08 0B 00 0B",   // chunk size, then an abort
	"E4 00 08 1A 0C 01 01 01 0B 0B 0B 0B 0B 0B 0B",   // chunk size 1
	"10 45 30 01 01 01 13 13 13 14 45 30 01 01 01",   // two-byte ids in both forms
	"1C C4 FF 04 01 01 1F 1F 1D C5 90 04 1F 1E 86",   // three-byte ids, drained
	"08 1A 02 00 01 01 0B 0B 08 E9 02 00 01 01 0B",   // timestamps that type 3 repeats
	"0C 85 10 01 01 01 0E 84 0F 0D 83 10 01 0F 0F0F", // deltas around the wrap
}

// Two readers of the same specification, written apart, must agree.
func FuzzReaderAgreesWithTheModel(f *testing.F) {
	for _, seed := range modelSeeds {
		f.Add(unhex(seed))
	}
	random := rand.NewChaCha8([32]byte{})
	for range 200 {
		seed := make([]byte, 100)
		if _, err := random.Read(seed); err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		stream := modelEncode(in)
		want := modelDecode(stream)
		r := readerOf(stream, AcceptedLimits)
		got, err := readAll(r)
		if !sameMessages(got, want) || !errors.Is(err, io.EOF) {
			t.Errorf("%x:\ngot%s\nwant%s\nthen %v", stream, describe(got), describe(want), err)
		}
		if r.Received() != uint64(len(stream)) || r.held != 0 {
			t.Errorf("received %d of %d bytes, holds %d", r.Received(), len(stream), r.held)
		}
	})
}
