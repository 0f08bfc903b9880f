package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// crowdBuffer is what one read of the crowd takes; all members share it, so
	// that it stays in the cache of the processor.
	crowdBuffer = 256 << 10
	// crowdReads is how many full reads a member gets in a turn, so that one
	// with a large backlog does not starve the others.
	crowdReads = 4
	// crowdEvents is how many events are asked for at once.
	crowdEvents = 1024
	// minReceiveBuffer holds a batch of the slowest stream.
	minReceiveBuffer = 256 << 10
)

// crowd is the players that read on a tick, all in one event loop.
//
// While they join they wake on each event, so that the time it takes is that of
// the server; from then on the loop looks at them once a tick.
type crowd struct {
	run     *run
	tally   *tally
	address unix.Sockaddr
	family  int
	receive int // size of the receive buffer

	// joining and playing are the epoll instances.
	joining, playing int
	members          []*member
	joiners, absent  []*member
	buf, out         []byte
	events           []unix.EpollEvent

	mu      sync.Mutex // guards newcomers
	waiting []*seat
	ended   chan struct{}
}

// member is a seat with its socket.
type member struct {
	*seat
	slot      int32
	fd        int // -1 without a connection
	connected bool
	unsent    []byte
	deadline  time.Time // of joining, or the time of the next attempt
}

// newCrowd starts the event loop, which ends with ctx.
func (r *run) newCrowd(ctx context.Context, t *tally) (group, error) {
	address, err := net.ResolveTCPAddr("tcp", r.addr)
	if err != nil {
		return nil, err
	}
	c := &crowd{
		run: r, tally: t,
		// A batch has to fit into the buffer although it is read up to a tick
		// late, or the server would wait for room, and pay for it: a second of
		// the stream is more than any batch. The kernel by itself begins with
		// 64 KiB.
		receive: max(minReceiveBuffer, r.options.Bitrate/8),
		buf:     make([]byte, crowdBuffer),
		events:  make([]unix.EpollEvent, crowdEvents),
		ended:   make(chan struct{}),
	}
	if ip := address.IP.To4(); ip != nil {
		c.family, c.address = unix.AF_INET, &unix.SockaddrInet4{Port: address.Port, Addr: [4]byte(ip)}
	} else {
		c.family, c.address = unix.AF_INET6, &unix.SockaddrInet6{Port: address.Port, Addr: [16]byte(address.IP.To16())}
	}
	if c.joining, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	if c.playing, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		_ = unix.Close(c.joining)
		return nil, os.NewSyscallError("epoll_create", err)
	}
	go c.loop(ctx)
	return c, nil
}

// join has a seat taken on the next tick.
func (c *crowd) join(_ context.Context, s *seat) {
	c.mu.Lock()
	c.waiting = append(c.waiting, s)
	c.mu.Unlock()
}

// leave waits until all are gone, after the context ended.
func (c *crowd) leave() { <-c.ended }

func (c *crowd) loop(ctx context.Context) {
	defer close(c.ended)
	next := time.Now()
	for ctx.Err() == nil {
		c.admit()
		c.recall(time.Now())
		c.turn()
		if next = next.Add(c.run.options.Tick); time.Now().After(next) {
			next = time.Now()
		}
		c.rest(next)
	}
	for _, m := range c.members {
		if m.fd >= 0 {
			_ = unix.Close(m.fd)
		}
	}
	_ = unix.Close(c.joining)
	_ = unix.Close(c.playing)
}

// admit begins the connections of the newcomers.
func (c *crowd) admit() {
	c.mu.Lock()
	newcomers := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, s := range newcomers {
		m := &member{seat: s, slot: int32(len(c.members)), fd: -1}
		c.members = append(c.members, m)
		c.open(m)
	}
}

// recall connects those again whose pause is over, and gives up on those whose
// time to join is.
func (c *crowd) recall(now time.Time) {
	due := func(m *member) bool { return now.After(m.deadline) }
	for _, m := range take(&c.absent, due) {
		c.open(m)
	}
	for _, m := range take(&c.joiners, due) {
		c.close(m, os.ErrDeadlineExceeded)
	}
}

// take removes those from a list that meet a condition, and returns them.
func take(list *[]*member, condition func(*member) bool) []*member {
	var taken []*member
	*list = slices.DeleteFunc(*list, func(m *member) bool {
		if condition(m) {
			taken = append(taken, m)
			return true
		}
		return false
	})
	return taken
}

// open begins a connection.
func (c *crowd) open(m *member) {
	m.opened = c.run.clock.now()
	m.connected, m.unsent = false, nil
	m.deadline = time.Now().Add(c.run.joinTimeout)
	if err := c.connect(m); err != nil {
		c.close(m, err)
		return
	}
	c.joiners = append(c.joiners, m)
}

func (c *crowd) connect(m *member) error {
	fd, err := unix.Socket(c.family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	m.fd = fd
	// The kernel grants no more than net.core.rmem_max, and that is as well.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, c.receive)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err := unix.Connect(fd, c.address); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return os.NewSyscallError("connect", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLOUT, Fd: m.slot}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(c.joining, unix.EPOLL_CTL_ADD, fd, &event))
}

// turn reads once from everyone who has something.
func (c *crowd) turn() {
	for range len(c.members)/crowdEvents + 1 {
		if !c.poll(c.playing, 0) {
			return
		}
	}
}

// rest waits for the next tick, awake for those who join.
func (c *crowd) rest(next time.Time) {
	for {
		left := time.Until(next)
		if len(c.joiners) == 0 {
			time.Sleep(left)
			return
		}
		c.poll(c.joining, max(left, 0))
		if left <= 0 {
			return
		}
	}
}

// poll handles what an epoll instance has within a time, and reports whether
// there may be more.
func (c *crowd) poll(epoll int, wait time.Duration) bool {
	ms := (wait + time.Millisecond - 1) / time.Millisecond
	n, err := unix.EpollWait(epoll, c.events, int(ms))
	if err != nil {
		return errors.Is(err, unix.EINTR)
	}
	for _, event := range c.events[:n] {
		m := c.members[event.Fd]
		if m.fd < 0 {
			continue
		}
		if err := c.handle(m); err != nil {
			c.joiners = slices.DeleteFunc(c.joiners, func(j *member) bool { return j == m })
			c.close(m, err)
		}
	}
	return n == len(c.events)
}

func (c *crowd) handle(m *member) error {
	if !m.connected {
		return c.greet(m)
	}
	for range crowdReads {
		n, err := unix.Read(m.fd, c.buf)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			return nil
		case err != nil:
			return os.NewSyscallError("read", err)
		case n == 0:
			return io.EOF
		}
		if err := c.feed(m, c.buf[:n]); err != nil {
			return err
		}
		if n < len(c.buf) {
			return nil
		}
	}
	return nil
}

// greet begins the handshake once the connection stands.
func (c *crowd) greet(m *member) error {
	code, err := unix.GetsockoptInt(m.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if code != 0 {
		return os.NewSyscallError("connect", unix.Errno(code))
	}
	m.connected = true
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: m.slot}
	if err := unix.EpollCtl(c.joining, unix.EPOLL_CTL_MOD, m.fd, &event); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	return c.write(m, m.start(c.out[:0]))
}

func (c *crowd) feed(m *member, in []byte) error {
	now := c.run.clock.now()
	c.tally.mu.Lock()
	out, err := m.feed(now, in, c.out[:0], c.tally)
	c.tally.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.write(m, out); err != nil || !m.joined || m.seen {
		return err
	}
	c.run.roster.join(m.seat, now)
	c.joiners = slices.DeleteFunc(c.joiners, func(j *member) bool { return j == m })
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: m.slot}
	return os.NewSyscallError("epoll_ctl", errors.Join(
		unix.EpollCtl(c.joining, unix.EPOLL_CTL_DEL, m.fd, nil),
		unix.EpollCtl(c.playing, unix.EPOLL_CTL_ADD, m.fd, &event)))
}

// write sends out, which is c.out or behind it, and what an earlier write left:
// a socket that takes nothing has more to read soon, and is tried again then.
func (c *crowd) write(m *member, out []byte) error {
	c.out = out
	if len(m.unsent) > 0 {
		m.unsent = append(m.unsent, out...)
		out = m.unsent
	}
	if len(out) == 0 {
		return nil
	}
	n, err := unix.Write(m.fd, out)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return os.NewSyscallError("write", err)
	}
	m.unsent = append([]byte(nil), out[max(n, 0):]...)
	return nil
}

// close ends a connection that has failed.
func (c *crowd) close(m *member, err error) {
	if m.fd >= 0 {
		_ = unix.Close(m.fd)
		m.fd = -1
	}
	if pause, again := c.run.roster.lose(m.seat, err); again {
		m.deadline = time.Now().Add(pause)
		c.absent = append(c.absent, m)
	}
}
