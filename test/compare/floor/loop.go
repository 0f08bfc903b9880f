//go:build linux

package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/internal/bench"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// ringSize holds some 50 s of the stream: a player that is further behind than
// that is lost.
const ringSize = 16 << 20

// player is a socket and how far into the stream it got, in bytes.
type player struct {
	fd   int
	sent uint64
}

// loop makes the stream and writes it to all players. From when everybody
// joined, it allocates nothing.
type loop struct {
	stream  *bench.Stream
	headers []rtmp.Message
	// interval is what the times of writing are multiples of; 0: each message
	// has its own.
	interval time.Duration
	expected int
	stopped  atomic.Bool

	mu      sync.Mutex // guards arrived and joined
	arrived []int
	joined  int
	// waiting says that arrived is not empty, without the lock.
	waiting atomic.Bool

	// What follows belongs to run.

	players []player
	ring    []byte
	tail    uint64 // bytes made so far
	scratch []byte
}

// newLoop returns a loop with the default stream of the load generator, which
// writes once in a batch on average. Once so many players joined as are
// expected, garbage is not collected any more.
func newLoop(batch time.Duration, expected int) (*loop, error) {
	stream, err := bench.NewStream(bench.Defaults())
	if err != nil {
		return nil, err
	}
	interval, err := intervalFor(batch)
	if err != nil {
		return nil, err
	}
	l := &loop{
		stream: stream, headers: stream.Headers(), interval: interval, expected: expected,
		ring: make([]byte, ringSize), scratch: make([]byte, 0, 1<<20),
	}
	for i := range l.headers {
		l.headers[i] = addressed(l.headers[i])
	}
	return l, nil
}

// addressed puts a message on its way to players.
func addressed(m rtmp.Message) rtmp.Message {
	m.Stream, m.ChunkStream = streamID, rtmp.ChunkStreamFor(m.Type)
	return m
}

// add hands a socket over; the loop closes it.
func (l *loop) add(fd int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.arrived = append(l.arrived, fd)
	l.waiting.Store(true)
	if l.joined++; l.joined == l.expected {
		debug.SetGCPercent(-1)
	}
}

// stop has run return; the sockets are closed by then.
func (l *loop) stop() { l.stopped.Store(true) }

// run makes and writes the stream until stop.
func (l *loop) run() {
	runtime.LockOSThread()
	defer l.closeAll()
	start := time.Now()
	for !l.stopped.Load() {
		next := writeTime(l.stream.Due(), l.interval)
		for wait := next - time.Since(start); wait > 0; wait = next - time.Since(start) {
			sleep(wait) // may end early: the runtime sends signals
		}
		l.makeOne()
		for l.interval > 0 && writeTime(l.stream.Due(), l.interval) <= next {
			l.makeOne()
		}
		l.writeAll()
	}
}

// makeOne puts the next message of the stream into the ring.
func (l *loop) makeOne() {
	m := addressed(l.stream.Next(time.Now()))
	l.scratch = rtmp.AppendMessage(l.scratch[:0], m, chunkSize)
	for rest := l.scratch; len(rest) > 0; {
		n := copy(l.ring[l.tail%ringSize:], rest)
		rest = rest[n:]
		l.tail += uint64(n)
	}
}

// writeAll gives each player everything up to the tail that its socket takes.
func (l *loop) writeAll() {
	kept := l.players[:0]
	for _, p := range l.players {
		if l.write(&p) {
			kept = append(kept, p)
		} else {
			_ = unix.Close(p.fd)
		}
	}
	l.players = kept
	if l.waiting.Load() {
		l.welcome()
	}
}

// welcome takes the players that joined. They start with the next message.
func (l *loop) welcome() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, fd := range l.arrived {
		l.players = append(l.players, player{fd, l.tail})
	}
	l.arrived = l.arrived[:0]
	l.waiting.Store(false)
}

// write is false if the player is lost. It needs one call, but for where the
// ring ends.
func (l *loop) write(p *player) bool {
	if l.tail-p.sent > ringSize-1<<20 {
		return false
	}
	for p.sent < l.tail {
		from := p.sent % ringSize
		b := l.ring[from:min(ringSize, from+l.tail-p.sent)]
		// Going through the scheduler would cost more than many a server does.
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(p.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return true
		case errno != 0:
			return false
		default:
			p.sent += uint64(n)
			if int(n) < len(b) {
				return true
			}
		}
	}
	return true
}

func (l *loop) closeAll() {
	l.welcome()
	for _, p := range l.players {
		_ = unix.Close(p.fd)
	}
}

// sleep has the thread sleep without the runtime knowing: it would wake others
// to take its place.
func sleep(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}
