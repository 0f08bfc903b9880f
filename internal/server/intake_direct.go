//go:build linux && !portable

package server

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// directInput reads from a TCP socket by itself, and waits for it with the poller
// of the runtime, so that a buffer is taken only for the moment of the read and
// not for the wait. Deadlines and closing work as they do for every read.
//
// A read that comes back short has emptied the socket, and yet the next one is
// tried before waiting: the end of the stream may have come along with the bytes
// and would not be announced again, and RawConn.Read forgets what was announced
// before it.
//
// After a rest nothing is to be waited for in most cases, and the deadline that
// ended it has passed: so the first read is none of the poller's, and the deadline
// is lifted only if that read finds nothing.
type directInput struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // attempt, a field since it is allocated

	// least is the low-water mark of the socket.
	least int
	doze  func(fd uintptr) bool // dozeOff, likewise
	dozed bool
	roomy bool // the socket has napRoom
	// rested says that the read deadline is that of a rest, and once reads
	// whatever it is.
	rested bool
	once   func(fd uintptr)

	// What follows is that of the read under way.

	in   *intake
	p    []byte
	n    int
	err  error
	done bool
}

// newDirectInput returns nil if the connection is not TCP alone.
func newDirectInput(nc net.Conn) input {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	i := &directInput{raw: raw}
	i.least, i.try, i.doze = 1, i.attempt, i.dozeOff
	i.once = func(fd uintptr) { i.done = i.attempt(fd) }
	return i
}

func (i *directInput) read(in *intake, p []byte) (int, error) {
	i.in, i.p, i.n, i.err, i.done = in, p, 0, nil, false
	var err error
	if i.rested {
		err = i.raw.Control(i.once)
		if err == nil && !i.done {
			i.rested = false
			in.owner.rise()
		}
	}
	if err == nil && !i.done {
		err = i.raw.Read(i.try)
	}
	i.p = nil
	if err == nil {
		err = i.err
	}
	return i.n, err
}

// attempt reads once, and reports false if it has to wait. The socket does not
// block, as none of package net does, so that the scheduler need not know of the
// call: its monitor, which every other call wakes, would do so all the time.
func (i *directInput) attempt(fd uintptr) bool {
	p := i.p
	if p == nil {
		p = i.in.room()
	}
	n, errno := receiveOnce(fd, p)
	for errno == syscall.EINTR {
		n, errno = receiveOnce(fd, p)
	}
	switch {
	case errno == syscall.EAGAIN && i.least > 1:
		i.least = 1 // the poller has to hear of any byte
		i.mark(fd)
		return i.attempt(fd)
	case errno == syscall.EAGAIN:
		i.in.release()
		return false
	case errno != 0:
		i.err = os.NewSyscallError("read", errno)
	case n == 0:
		i.err = io.EOF
	default:
		i.n = n
	}
	return true
}

// receiveOnce is one read.
func receiveOnce(fd uintptr, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p))) // #nosec G103 -- p is held by the caller
	return int(n), errno
}

// rest raises the low-water mark of the socket, so that the poller hears of the
// end and of much, but not of each packet. Reads that do not wait are not bound
// by the mark.
func (i *directInput) rest() {
	i.rested, i.dozed = true, false
	_ = i.raw.Read(i.doze) // the deadline is how it usually ends
}

// dozeOff is called before the wait and after it.
func (i *directInput) dozeOff(fd uintptr) bool {
	if i.dozed {
		return true
	}
	i.dozed = true
	if !i.roomy { // the kernel makes room for as much as it is to wait for
		i.roomy, i.least = true, napRoom
		i.mark(fd)
	}
	if i.least != napBytes {
		i.least = napBytes
		i.mark(fd)
	}
	return false
}

func (i *directInput) mark(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, i.least) // costs wake-ups only, if it fails
}
