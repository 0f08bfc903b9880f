//go:build linux && !portable

package socket

import (
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// pipe is a pipe of the kernel, for the sake of the pages that it keeps bytes in: what
// is written to it can be referred to by other pipes, and by sockets.
type pipe struct {
	from, to int // the ends
	// size is how many bytes it takes.
	size int
}

func newPipe() (*pipe, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	p := &pipe{from: ends[0], to: ends[1]}
	// It is 64 KiB, but for users who have many pipes already.
	size, err := unix.FcntlInt(uintptr(p.to), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		p.close()
		return nil, os.NewSyscallError("fcntl", err)
	}
	p.size = size
	return p, nil
}

// reserve has the pipe take so many bytes at least. Who is not root gets a megabyte,
// if nothing else is configured.
func (p *pipe) reserve(size int) error {
	if size <= p.size {
		return nil
	}
	granted, err := unix.FcntlInt(uintptr(p.to), unix.F_SETPIPE_SZ, size)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	p.size = granted
	return nil
}

func (p *pipe) close() {
	_ = unix.Close(p.from)
	_ = unix.Close(p.to)
}

// ducts are pipes between one that has bytes and a socket. The socket takes them out
// of the duct, and they stay in the other for the next viewer.
type ducts struct {
	mu sync.Mutex
	// idle are those that are not in use, all of them empty: no more than there were
	// in use at the same time.
	idle []*pipe
}

// fill returns a duct that has the next bytes of a pipe, or nil if that cannot be done.
func (d *ducts) fill(source, size int) *pipe {
	duct := d.take()
	if duct == nil {
		return nil
	}
	if duct.reserve(size) == nil {
		// It does not wait, so that the scheduler need not know of it.
		n, _, errno := syscall.RawSyscall6(unix.SYS_TEE, uintptr(source), uintptr(duct.to), uintptr(size), unix.SPLICE_F_NONBLOCK, 0, 0)
		if errno == 0 && n == uintptr(size) {
			return duct
		}
	}
	duct.close()
	return nil
}

func (d *ducts) take() *pipe {
	if duct := d.takeIdle(); duct != nil {
		return duct
	}
	duct, err := newPipe()
	if err != nil {
		return nil // there are other ways
	}
	return duct
}

func (d *ducts) takeIdle() *pipe {
	d.mu.Lock()
	defer d.mu.Unlock()
	last := len(d.idle) - 1
	if last < 0 {
		return nil
	}
	duct := d.idle[last]
	d.idle = d.idle[:last]
	return duct
}

// giveBack takes a duct back that the socket has emptied; any other has to be closed.
func (d *ducts) giveBack(duct *pipe) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, duct)
}
