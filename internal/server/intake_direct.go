//go:build linux && !portable

package server

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// directInput reads from a TCP socket by itself, and waits for it with the poller
// of the runtime, so that a buffer is taken only for the moment of the read and
// not for the wait. Deadlines and closing work as they do for every read.
//
// A read that comes back short has emptied the socket, and yet the next one is
// tried before waiting: the end of the stream may have come along with the bytes
// and would not be announced again, and RawConn.Read forgets what was announced
// before it.
type directInput struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // attempt, a field since it is allocated

	// least is the low-water mark of the socket.
	least  int
	doze   func(fd uintptr) bool // dozeOff, likewise
	rested bool

	// What follows is that of the read under way.

	in  *intake
	p   []byte
	n   int
	err error
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
	return i
}

func (i *directInput) read(in *intake, p []byte) (int, error) {
	i.in, i.p, i.n, i.err = in, p, 0, nil
	err := i.raw.Read(i.try)
	i.p = nil
	if err == nil {
		err = i.err
	}
	return i.n, err
}

// attempt reads once, and reports false if it has to wait. The socket does not
// block, as none of package net does.
func (i *directInput) attempt(fd uintptr) bool {
	p := i.p
	if p == nil {
		p = i.in.room()
	}
	n, err := syscall.Read(int(fd), p)
	for errors.Is(err, syscall.EINTR) {
		n, err = syscall.Read(int(fd), p)
	}
	switch {
	case errors.Is(err, syscall.EAGAIN) && i.least > 1:
		i.least = 1 // the poller has to hear of any byte
		i.mark(fd)
		return i.attempt(fd)
	case errors.Is(err, syscall.EAGAIN):
		i.in.release()
		return false
	case err != nil:
		i.err = os.NewSyscallError("read", err)
	case n == 0:
		i.err = io.EOF
	default:
		i.n = n
	}
	return true
}

// rest raises the low-water mark of the socket, so that the poller hears of the
// end and of much, but not of each packet. Reads that do not wait are not bound
// by the mark.
func (i *directInput) rest() {
	i.rested = false
	_ = i.raw.Read(i.doze) // the deadline is how it usually ends
}

// dozeOff is called before the wait and after it.
func (i *directInput) dozeOff(fd uintptr) bool {
	if i.rested {
		return true
	}
	i.rested = true
	if i.least != napBytes {
		i.least = napBytes
		i.mark(fd)
	}
	return false
}

func (i *directInput) mark(fd uintptr) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, i.least) // costs wake-ups only, if it fails
}
