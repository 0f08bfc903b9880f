package server

import (
	"net"
	"slices"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// maxBatch is how many bytes of media are gathered before they are
	// written, and the most that has to move within stallTimeout: a viewer may
	// be slow, as long as it takes 65 kB/s.
	maxBatch = 256 << 10
	// maxVector is the largest piece of one message in a write, and maxVectors
	// the most pieces; Linux takes 1,024 in one call.
	maxVector  = 64 << 10
	maxVectors = 256
)

// batch is what one turn of a writer writes. Batches are shared, so that a
// connection that has nothing to write costs none.
type batch struct {
	// vectors are all pieces, of size bytes together; they are not copied.
	vectors [][]byte
	size    int
	// pass says that it is part of a pass of the fan-out, which has pages or not.
	// shared is what others get as well in that pass, if it is in the batch.
	pass   bool
	pages  stream.Pages
	shared []byte
	// rest is what of them is in no step yet.
	rest [][]byte
	// step is what goes to the socket next: a part of the vectors, or TLS
	// records made of it. Writing consumes it.
	step net.Buffers

	plain, sealed []byte      // buffers for TLS
	record        [1][]byte   // the step if it is sealed
	direct        socket.Call // what a direct write needs
}

var batches = sync.Pool{New: func() any { return new(batch) }}

// recycle gives the batch back, without the messages it held.
func (b *batch) recycle() {
	b.reset()
	b.pages = nil
	batches.Put(b)
}

func (b *batch) reset() {
	clear(b.vectors)
	b.vectors, b.size, b.shared = b.vectors[:0], 0, nil
	b.rest, b.step, b.record[0] = nil, nil, nil
}

// add appends bytes to the batch; they are not copied.
func (b *batch) add(p []byte) {
	b.size += len(p)
	for piece := range slices.Chunk(p, maxVector) {
		b.vectors = append(b.vectors, piece)
	}
	b.rest = b.vectors
}

// addShared is add for what others get as well.
func (b *batch) addShared(p []byte) {
	b.add(p)
	b.shared = p
}

// common reports whether the batch is what others get as well, and nothing else. There
// is no more to be gathered in the pass then.
func (b *batch) common() bool { return len(b.shared) > 0 && len(b.shared) == b.size }

// pipe returns a pipe that has the bytes of the step, -1 if there is none.
func (b *batch) pipe() int {
	if b.pages == nil || !b.common() || len(b.step) != len(b.vectors) {
		return -1
	}
	return b.pages.Pipe(nil, b.shared, nil)
}

// full reports whether the batch should be written before more is gathered.
func (b *batch) full() bool { return b.size >= maxBatch || len(b.vectors) >= maxVectors }

// written reports whether everything went to the socket.
func (b *batch) written() bool { return len(b.rest) == 0 && len(b.step) == 0 }

// next makes the following part of the batch the step, small enough to tell a
// slow peer from one that stopped reading. What pages have, which is written without
// waiting, is one step. The step before must be written.
func (b *batch) next(nc *transport) error {
	n, size, most := 0, 0, maxBatch
	if b.pages != nil && nc.secure == nil && b.common() {
		most = b.size
	}
	for n < len(b.rest) && n < maxVectors && (n == 0 || size+len(b.rest[n]) <= most) {
		size += len(b.rest[n])
		n++
	}
	part := b.rest[:n:n]
	b.rest = b.rest[n:]
	if nc.secure == nil {
		b.step = part
		return nil
	}
	return b.seal(nc, part)
}

// seal makes TLS records of a part. It is gathered first, since a record for
// each small message would be half overhead.
func (b *batch) seal(nc *transport, part [][]byte) error {
	b.plain = b.plain[:0]
	for _, v := range part {
		b.plain = append(b.plain, v...)
	}
	var err error
	if b.sealed, err = nc.seal(b.plain, b.sealed[:0]); err != nil {
		return err
	}
	b.record[0] = b.sealed
	b.step = b.record[:]
	return nil
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
