package server

import "sync"

// Read buffers come in classes, each classRatio times the size of the one
// before. The smallest is what a connection holds that has to have one while it
// waits.
const (
	smallestBuffer = 1 << 10
	classRatio     = 4
	// firstClass is that of a new connection, and the least that a stream falls
	// back to.
	firstClass = 1
	// patience is how many small reads in a row it takes for a smaller buffer:
	// about a second of a stream.
	patience = 64
)

// bufferPools hold the buffers of each class that nobody reads into: 1, 4, 16
// and 64 KiB.
var bufferPools [4]sync.Pool

// classSize is the size of the buffers of a class.
func classSize(class int) int { return smallestBuffer << (2 * class) }

type readBuffer struct {
	bytes []byte
	class int
}

func takeBuffer(class int) *readBuffer {
	if b, ok := bufferPools[class].Get().(*readBuffer); ok {
		return b
	}
	return &readBuffer{make([]byte, classSize(class)), class}
}

func (b *readBuffer) giveBack() { bufferPools[b.class].Put(b) }
