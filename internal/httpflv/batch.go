package httpflv

import (
	"slices"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// batch is what one turn of a viewer writes. Batches are shared, so that a viewer
// who has nothing to be written costs none.
type batch struct {
	// vectors are all pieces, of size bytes together; they are not copied. The
	// first is left free for front.
	vectors [][]byte
	size    int
	// front is what goes before the media: the header of an answer, or of a frame.
	front []byte
	// pass says that it is part of a pass of the fan-out, which has pages or not.
	// shared is what others get as well in that pass, between front and end, if the
	// batch is that and nothing else.
	pass        bool
	pages       stream.Pages
	shared, end []byte
	// rest is what is in no step yet, and step what goes to the socket next.
	// Writing consumes it.
	rest, step [][]byte

	plain  []byte // for TLS, which makes its records of one text
	direct socket.Call
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// recycle gives the batch back, without the tags it held.
func (b *batch) recycle() {
	b.reset()
	b.pages = nil
	batches.Put(b)
}

func (b *batch) reset() {
	clear(b.vectors)
	b.vectors, b.front, b.size = append(b.vectors[:0], nil), b.front[:0], 0
	b.rest, b.step = nil, nil
	b.shared, b.end = nil, nil
}

// add appends bytes to the batch; they are not copied.
func (b *batch) add(p []byte) {
	b.size += len(p)
	for piece := range slices.Chunk(p, maxPiece) {
		b.vectors = append(b.vectors, piece)
	}
}

// addShared is add for what others get as well.
func (b *batch) addShared(p []byte) {
	b.add(p)
	b.shared = p
}

// endWith adds the end of what is shared, which others get as well.
func (b *batch) endWith(p []byte) {
	b.add(p)
	b.end = p
}

// common reports whether the batch is what others get as well, and nothing else. There
// is no more to be gathered in the pass then.
func (b *batch) common() bool { return len(b.shared) > 0 && len(b.shared)+len(b.end) == b.size }

// pipe returns a pipe that has the bytes of the step, -1 if there is none.
func (b *batch) pipe() int {
	if b.pages == nil || !b.common() || !b.whole() {
		return -1
	}
	return b.pages.Pipe(b.front, b.shared, b.end)
}

// whole reports whether the step is all of the batch, and nothing is written yet.
func (b *batch) whole() bool {
	return len(b.rest) == 0 && (len(b.step) == len(b.vectors) || len(b.front) == 0 && len(b.step) == len(b.vectors)-1)
}

// seal puts front where it belongs. Nothing may be added afterwards.
func (b *batch) seal() {
	b.vectors[0] = b.front
	b.rest = b.vectors
	if len(b.front) == 0 {
		b.rest = b.vectors[1:]
	}
}

// full reports whether the batch should be written before more is gathered.
func (b *batch) full() bool { return b.size >= maxBatch || len(b.vectors) >= maxPieces }

// written reports whether everything went to the socket.
func (b *batch) written() bool { return len(b.rest) == 0 && len(b.step) == 0 }

// next makes the following part of the batch the step, unless there is one: small
// enough to tell a slow peer from one that stopped reading. What pages have, which is
// written without waiting, is one step.
func (b *batch) next() {
	if len(b.step) > 0 {
		return
	}
	n, size, most := 0, 0, maxBatch
	if b.pages != nil && b.common() {
		most = len(b.front) + b.size
	}
	for n < len(b.rest) && n < maxPieces && (n == 0 || size+len(b.rest[n]) <= most) {
		size += len(b.rest[n])
		n++
	}
	b.step, b.rest = b.rest[:n:n], b.rest[n:]
}

// text returns the step in one piece.
func (b *batch) text() []byte {
	b.plain = b.plain[:0]
	for _, p := range b.step {
		b.plain = append(b.plain, p...)
	}
	return b.plain
}

// consume takes n written bytes off the step.
func (b *batch) consume(n int) {
	for n > 0 {
		if n < len(b.step[0]) {
			b.step[0] = b.step[0][n:]
			return
		}
		n -= len(b.step[0])
		b.step[0] = nil
		b.step = b.step[1:]
	}
}
