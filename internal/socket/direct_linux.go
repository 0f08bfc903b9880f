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
// for a small write. It belongs to whoever has the turn of the connection, and is
// kept by value, beside what else that finds there. The zero value writes nothing.
type Writer struct {
	raw syscall.RawConn
	// descriptor is where package net keeps the descriptor: a hint for
	// [Writer.Fetch], and nothing else relies on it.
	descriptor uintptr
}

// Call is the memory of a direct write, apart from the Writer: idle connections have
// none, and a pass finds all of it in the processor's cache. It is for one write after
// the other, of any Writer. The zero value is ready.
type Call struct {
	// once and waiting are what a Writer's raw runs; made once, or each write would
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

// NewWriter returns the zero value for what is no TCP socket, as is any wrapper of
// one.
func NewWriter(nc net.Conn) Writer {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return Writer{}
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return Writer{}
	}
	return Writer{raw: raw, descriptor: *(*uintptr)(unsafe.Pointer(tcp))} // #nosec G103 -- its first word, whatever that is
}

// Exists reports whether there is a way to write.
func (w *Writer) Exists() bool { return w.raw != nil }

// Write returns how many bytes the socket took, which are less than given if
// it is full. If it may wait, as long as the write deadline allows, the socket
// took at least one.
func (w *Writer) Write(step net.Buffers, c *Call, wait bool) (int, error) {
	vectors := c.vectors[:0]
	for _, v := range step {
		piece := unix.Iovec{Base: unsafe.SliceData(v)} // #nosec G103 -- the slice stays in step
		piece.SetLen(len(v))
		vectors = append(vectors, piece)
	}
	c.vectors = vectors
	err := c.run(w.raw, wait)
	clear(vectors)
	if err == nil && c.errno != 0 {
		err = os.NewSyscallError("write", c.errno)
	}
	return c.n, err
}

// run makes the call on a socket.
func (c *Call) run(raw syscall.RawConn, wait bool) error {
	if c.once == nil {
		c.waiting = c.try
		c.once = func(fd uintptr) { c.try(fd) }
	}
	c.n, c.errno = 0, 0
	if wait {
		return raw.Write(c.waiting)
	}
	return raw.Control(c.once) // spares the poller, and has nothing to do with deadlines
}

// spareDucts are those of the process.
var spareDucts ducts

// WritePipe is Write for a step that a pipe of [Pages] has as well; it does not wait.
// What cannot be sent from a pipe is written: a filter of system calls may refuse one
// and not the other, or there is no memory for what it needs.
func (w *Writer) WritePipe(pipe int, step net.Buffers, c *Call) (int, error) {
	size := 0
	for _, v := range step {
		size += len(v)
	}
	duct := spareDucts.fill(pipe, size)
	if duct == nil {
		return w.Write(step, c, false)
	}
	c.duct, c.size = duct, size
	err := c.run(w.raw, false)
	c.duct = nil
	if c.n == size {
		spareDucts.giveBack(duct)
		return size, nil
	}
	duct.close()
	if err == nil && c.errno == 0 {
		return c.n, nil
	}
	if err == nil {
		err = os.NewSyscallError("splice", c.errno)
	}
	n, again := w.Write(step, c, false)
	if again != nil { // a socket tells of some errors once, here the first time
		return n, fmt.Errorf("%w, then %w", err, again)
	}
	return n, nil
}

// send writes one vector with a call of its own, which the kernel has less work
// with: it is what nearly all viewers get in a pass.
func (c *Call) send(fd uintptr) (n uintptr, errno syscall.Errno) {
	if c.duct != nil {
		n, _, errno = syscall.RawSyscall6(unix.SYS_SPLICE, uintptr(c.duct.from), 0,
			fd, 0, uintptr(c.size), unix.SPLICE_F_NONBLOCK)
		return n, errno
	}
	// The vectors and what they point to are held by c and the batch.
	if len(c.vectors) == 1 {
		v := &c.vectors[0]
		n, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, fd,
			uintptr(unsafe.Pointer(v.Base)), uintptr(v.Len), unix.MSG_NOSIGNAL, 0, 0) // #nosec G103
		return n, errno
	}
	n, _, errno = syscall.RawSyscall(syscall.SYS_WRITEV, fd,
		uintptr(unsafe.Pointer(unsafe.SliceData(c.vectors))), uintptr(len(c.vectors))) // #nosec G103
	return n, errno
}

// try makes the system call, and reports false if the socket is full. It never
// blocks, since the descriptor is non-blocking, so that the scheduler need not
// know of it.
func (c *Call) try(fd uintptr) bool {
	for {
		n, errno := c.send(fd)
		switch errno {
		case 0:
			c.n = int(n)
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return false
		default:
			c.errno = errno
		}
		return true
	}
}

// Fetch has the processor fetch what a write needs of the socket, see [Fetch].
func (w *Writer) Fetch() { fetch(w.descriptor, unsafe.Sizeof(w.descriptor)) }
