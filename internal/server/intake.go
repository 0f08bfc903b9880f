package server

import (
	"io"
	"net"
)

// intake is the buffered input of a connection. It has a buffer only while there
// are bytes in it: what most connections do most of the time is wait, and then
// they have none. The buffer grows with the stream.
//
// It belongs to the connection's reading goroutine, and an error is its last.
type intake struct {
	owner intakeOwner
	input input
	// holds says that the input has to have a buffer while it waits: then it is
	// a small one.
	holds bool

	buffer *readBuffer // nil if there is none
	r, w   int         // what it holds
	err    error

	// class is the size that suits the stream, and small how many reads in a
	// row a smaller one would have done for.
	class, small int
	// full says that the last read got as much as it had room for: there may
	// be more.
	full bool
}

// intakeOwner is told of each read.
type intakeOwner interface {
	// settle comes before a read, which may block. Its error is that of the
	// read.
	settle() error
	// noteRead comes after it.
	noteRead()
	// rise lifts the deadline of a rest, before the first wait for bytes that
	// comes after it.
	rise()
}

// input is where an intake gets its bytes from.
type input interface {
	// read waits for bytes and puts them into p or, if that is nil, into the
	// room of the intake's buffer.
	read(in *intake, p []byte) (int, error)
}

// newIntake returns the intake of a connection. Reading is direct where that is
// possible; TLS and what a load balancer sends have layers of their own.
func newIntake(nc net.Conn, owner intakeOwner) *intake {
	if direct := newDirectInput(nc); direct != nil {
		return &intake{owner: owner, input: direct, class: firstClass}
	}
	return &intake{owner: owner, input: portableInput{nc}, holds: true, class: firstClass}
}

// Read implements io.Reader. What is longer than the buffer is read into its
// place.
func (in *intake) Read(p []byte) (int, error) {
	if in.r == in.w {
		if len(p) >= classSize(in.class) {
			in.release()
			n, err := in.receive(p)
			in.full = n == len(p)
			return n, err
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buffer.bytes[in.r:in.w])
	in.r += n
	return n, nil
}

// canRest reports whether rest can be used: an input that waits without reading.
func (in *intake) canRest() bool {
	_, ok := in.input.(interface{ rest() })
	return ok
}

// rest waits until the read deadline, until napBytes have come, or until the
// peer has closed. It reads nothing. The deadline, which may have passed then, does
// not hold for what is there; it is lifted before anything is waited for.
func (in *intake) rest() {
	in.release()
	in.input.(interface{ rest() }).rest()
}

// await waits for the next byte without taking it.
func (in *intake) await() error {
	if in.r < in.w {
		return nil
	}
	return in.fill()
}

// ReadByte implements io.ByteReader.
func (in *intake) ReadByte() (byte, error) {
	if in.r == in.w {
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	b := in.buffer.bytes[in.r]
	in.r++
	return b, nil
}

// Peek returns the next n bytes, at most those of the smallest buffer, without
// taking them. They are valid until the next read.
func (in *intake) Peek(n int) ([]byte, error) {
	var err error
	for in.w-in.r < n && err == nil {
		err = in.fill()
	}
	if in.buffer == nil {
		return nil, err
	}
	return in.buffer.bytes[in.r:min(in.r+n, in.w)], err
}

// Discard drops the next n bytes, and returns how many it dropped.
func (in *intake) Discard(n int) (int, error) {
	for left := n; ; {
		dropped := min(left, in.w-in.r)
		in.r += dropped
		left -= dropped
		if left == 0 {
			return n, nil
		}
		if err := in.fill(); err != nil {
			return n - left, err
		}
	}
}

// fill reads into the buffer, behind the bytes that are in it.
func (in *intake) fill() error {
	if in.r == in.w {
		in.r, in.w = 0, 0
		if in.buffer != nil && in.buffer.class != in.fitting() {
			in.release()
		}
	} else if in.r > 0 {
		in.w = copy(in.buffer.bytes, in.buffer.bytes[in.r:in.w])
		in.r = 0
	}
	n, err := in.receive(nil)
	if err != nil {
		return err
	}
	in.w += n
	in.adapt(n)
	return nil
}

// receive does one read.
func (in *intake) receive(p []byte) (int, error) {
	n := 0
	if in.err == nil {
		in.err = in.owner.settle()
	}
	if in.err == nil {
		n, in.err = in.input.read(in, p)
		in.owner.noteRead()
	}
	if n > 0 {
		return n, nil // an error comes next time
	}
	in.release()
	return 0, in.err
}

// room is where the buffer takes bytes; there is always some. It takes a buffer
// if there is none.
func (in *intake) room() []byte {
	if in.buffer == nil {
		in.buffer = takeBuffer(in.fitting())
	}
	return in.buffer.bytes[in.w:]
}

// release gives the buffer back if nothing is in it.
func (in *intake) release() {
	if in.buffer != nil && in.r == in.w {
		in.buffer.giveBack()
		in.buffer, in.r, in.w = nil, 0, 0
	}
}

// fitting is the class of the next buffer.
func (in *intake) fitting() int {
	if in.holds && !in.full {
		return 0
	}
	return in.class
}

// adapt chooses the class after a read of n bytes into the buffer.
func (in *intake) adapt(n int) {
	in.full = in.w == len(in.buffer.bytes)
	switch {
	case in.full:
		in.small = 0
		if in.buffer.class == in.class && in.class < len(bufferPools)-1 {
			in.class++
		}
	case n > classSize(in.class)/classRatio:
		in.small = 0
	case in.class > firstClass:
		if in.small++; in.small == patience {
			in.small = 0
			in.class--
		}
	}
}

// maxEmptyReads is how many reads in a row may bring neither bytes nor an error.
// It stops a broken connection from keeping its goroutine busy.
const maxEmptyReads = 100

// portableInput is any connection.
type portableInput struct{ nc net.Conn }

func (i portableInput) read(in *intake, p []byte) (int, error) {
	if p == nil {
		p = in.room()
	}
	for range maxEmptyReads {
		if n, err := i.nc.Read(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}
