package rtmp

import "encoding/binary"

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
