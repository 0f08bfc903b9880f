package socket

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Spare is a descriptor that is held back for when the process has none left.
// Giving it up makes room to accept the connection that waits, and to refuse it:
// it would wait for nothing otherwise, and all that come later behind it. It belongs
// to one goroutine.
type Spare struct {
	open func() (io.Closer, error)
	held io.Closer // nil if there is none
}

// NewSpare returns one that takes its descriptor when it is used first.
func NewSpare() *Spare { return &Spare{open: openNull} }

// openNull opens what costs nothing but its descriptor.
func openNull() (io.Closer, error) { return os.Open(os.DevNull) }

// take reports whether a descriptor is held.
func (f *Spare) take() bool {
	if f.held == nil {
		if file, err := f.open(); err == nil {
			f.held = file
		}
	}
	return f.held != nil
}

// Release gives the descriptor up, and reports whether one was held.
func (f *Spare) Release() bool {
	if f.held == nil {
		return false
	}
	_ = f.held.Close()
	f.held = nil
	return true
}

// Accept returns the next connection for which there is a descriptor, and has
// those refused, and closed, for which there is none.
func (f *Spare) Accept(l net.Listener, refuse func(net.Conn)) (net.Conn, error) {
	for {
		f.take()
		nc, err := l.Accept()
		if !outOfFiles(err) || !f.Release() {
			return nc, err
		}
		// This may take until somebody comes: Linux fails without that, too.
		nc, err = l.Accept()
		if f.take() || err != nil {
			return nc, err
		}
		refuse(nc)
	}
}

// outOfFiles reports whether the process, or the system, has no descriptors left.
func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
