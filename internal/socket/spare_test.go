package socket

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// descriptors is a process that may have only so many files open.
type descriptors struct {
	free int
	// waits says that accepting fails only once somebody comes, as it does not on
	// Linux.
	waits bool
}

func (d *descriptors) take() error {
	if d.free == 0 {
		return syscall.EMFILE
	}
	d.free--
	return nil
}

// Close implements io.Closer for every file that is open.
func (d *descriptors) Close() error {
	d.free++
	return nil
}

func (d *descriptors) open() (io.Closer, error) {
	if err := d.take(); err != nil {
		return nil, err
	}
	return d, nil
}

// scarceListener has conns wait that need a descriptor each.
type scarceListener struct {
	net.Listener
	files *descriptors
	conns []net.Conn
}

var errNobody = errors.New("nobody waits")

func (l *scarceListener) Accept() (net.Conn, error) {
	if len(l.conns) == 0 && (l.files.waits || l.files.free > 0) {
		return nil, errNobody
	}
	if err := l.files.take(); err != nil {
		return nil, err
	}
	nc := l.conns[0]
	l.conns = l.conns[1:]
	return &scarceConn{nc, l.files}, nil
}

type scarceConn struct {
	net.Conn
	files *descriptors
}

func (c *scarceConn) Close() error { return c.files.Close() }

func TestConnectionsAreRefusedWithoutDescriptors(t *testing.T) {
	for _, waits := range []bool{false, true} {
		d := &descriptors{free: 3, waits: waits}
		l := &scarceListener{files: d, conns: make([]net.Conn, 6)}
		spare := Spare{open: d.open}
		var accepted []net.Conn
		refused := 0
		accept := func() error {
			nc, err := spare.Accept(l, func(nc net.Conn) {
				refused++
				_ = nc.Close()
			})
			if err == nil {
				accepted = append(accepted, nc)
			}
			return err
		}
		for range 2 { // beside the one held back
			if err := accept(); err != nil {
				t.Fatal(err)
			}
		}
		if err := accept(); !errors.Is(err, errNobody) || refused != 4 {
			t.Errorf("%d connections refused, and then %v; want 4", refused, err)
		}
		if d.free != 0 || spare.held == nil {
			t.Errorf("%d descriptors are free, one held back: %v", d.free, spare.held != nil)
		}
		l.conns = make([]net.Conn, 1)
		_ = accepted[0].Close()
		if err := accept(); err != nil || refused != 4 {
			t.Errorf("with a free descriptor: %v", err)
		}
		if !spare.Release() || spare.Release() {
			t.Error("the spare file is not there, or there twice")
		}
	}
}
