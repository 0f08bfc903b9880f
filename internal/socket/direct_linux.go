//go:build linux && !portable

package socket

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Writer writes to a TCP socket without waiting: what the socket does not
// take at once is left. It spares the viewers a goroutine each, and the system
// calls the way through the scheduler, which costs more than the kernel needs
// for a small write. It belongs to whoever has the turn of the connection.
type Writer struct {
	raw syscall.RawConn
	// once and waiting are what raw runs; made once, or each write would
	// allocate them.
	once    func(fd uintptr)
	waiting func(fd uintptr) bool
	vectors []unix.Iovec
	// duct is what is sent in place of the vectors if it is not nil, so many bytes.
	duct  *pipe
	size  int
	n     int
	errno syscall.Errno
}

// Vectors is the memory of a direct write, apart from the Writer so that idle
// connections have none.
type Vectors struct{ iovecs []unix.Iovec }

// NewWriter returns nil for what is no TCP socket, as is any wrapper of one.
func NewWriter(nc net.Conn) *Writer {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	d := &Writer{raw: raw}
	d.waiting = d.try
	d.once = func(fd uintptr) { d.try(fd) }
	return d
}

// Write returns how many bytes the socket took, which are less than given if
// it is full. If it may wait, as long as the write deadline allows, the socket
// took at least one.
func (d *Writer) Write(step net.Buffers, memory *Vectors, wait bool) (int, error) {
	vectors := memory.iovecs[:0]
	for _, v := range step {
		piece := unix.Iovec{Base: unsafe.SliceData(v)} // #nosec G103 -- the slice stays in step
		piece.SetLen(len(v))
		vectors = append(vectors, piece)
	}
	memory.iovecs, d.vectors, d.n, d.errno = vectors, vectors, 0, 0
	var err error
	if wait {
		err = d.raw.Write(d.waiting)
	} else {
		err = d.raw.Control(d.once) // spares the poller, and has nothing to do with deadlines
	}
	clear(vectors)
	d.vectors = nil
	if err == nil && d.errno != 0 {
		err = os.NewSyscallError("write", d.errno)
	}
	return d.n, err
}

// spareDucts are those of the process.
var spareDucts ducts

// WritePipe is Write for a step that a pipe of [Pages] has as well; it does not wait.
// What cannot be sent from a pipe is written: a filter of system calls may refuse one
// and not the other, or there is no memory for what it needs.
func (d *Writer) WritePipe(pipe int, step net.Buffers, memory *Vectors) (int, error) {
	size := 0
	for _, v := range step {
		size += len(v)
	}
	duct := spareDucts.fill(pipe, size)
	if duct == nil {
		return d.Write(step, memory, false)
	}
	d.duct, d.size, d.n, d.errno = duct, size, 0, 0
	err := d.raw.Control(d.once)
	d.duct = nil
	if d.n == size {
		spareDucts.giveBack(duct)
		return size, nil
	}
	duct.close()
	if err == nil && d.errno == 0 {
		return d.n, nil
	}
	if err == nil {
		err = os.NewSyscallError("splice", d.errno)
	}
	n, again := d.Write(step, memory, false)
	if again != nil { // a socket tells of some errors once, here the first time
		return n, fmt.Errorf("%w, then %w", err, again)
	}
	return n, nil
}

// send writes one vector with a call of its own, which the kernel has less work
// with: it is what nearly all viewers get in a pass.
func (d *Writer) send(fd uintptr) (n uintptr, errno syscall.Errno) {
	if d.duct != nil {
		n, _, errno = syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(d.duct.from), 0,
			fd, 0, uintptr(d.size), unix.SPLICE_F_NONBLOCK)
		return n, errno
	}
	// The vectors and what they point to are held by d and the batch.
	if len(d.vectors) == 1 {
		v := &d.vectors[0]
		n, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(v.Base)), uintptr(v.Len), unix.MSG_NOSIGNAL, 0, 0) // #nosec G103
		return n, errno
	}
	n, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(d.vectors))), uintptr(len(d.vectors))) // #nosec G103
	return n, errno
}

// try makes the system call, and reports false if the socket is full. It never
// blocks, since the descriptor is non-blocking, so that the scheduler need not
// know of it.
func (d *Writer) try(fd uintptr) bool {
	for {
		n, errno := d.send(fd)
		switch errno {
		case 0:
			d.n = int(n)
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		default:
			d.errno = errno
		}
		return true
	}
}
