package server

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// spareFile is a descriptor that is held back for when the process has none left.
// Giving it up makes room to accept the connection that waits, and to refuse it:
// it would wait for nothing otherwise, and all that come later behind it.
type spareFile struct {
	open func() (io.Closer, error)
	held io.Closer // nil if there is none
}

// openNull opens what costs nothing but its descriptor.
func openNull() (io.Closer, error) { return os.Open(os.DevNull) }

// take reports whether a descriptor is held.
func (f *spareFile) take() bool {
	if f.held == nil {
		if file, err := f.open(); err == nil {
			f.held = file
		}
	}
	return f.held != nil
}

// release reports whether a descriptor was held.
func (f *spareFile) release() bool {
	if f.held == nil {
		return false
	}
	_ = f.held.Close()
	f.held = nil
	return true
}

// accept returns the next connection for which there is a descriptor, and has
// those refused for which there is none.
func (f *spareFile) accept(l net.Listener, refuse func(net.Conn)) (net.Conn, error) {
	for {
		f.take()
		nc, err := l.Accept()
		if !outOfFiles(err) || !f.release() {
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
