package server

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

const (
	// maxBatch is how many bytes of media are gathered before they are
	// written, and the most that has to move within stallTimeout: a viewer may
	// be slow, as long as it takes 65 kB/s.
	maxBatch = 256 << 10
	// maxVector is the largest piece of one message in a write, and maxVectors
	// the most pieces; Linux takes 1,024 in one call.
	maxVector  = 64 << 10
	maxVectors = 256
	// deadlineSlack is how old a write deadline may get before it is renewed:
	// setting it for each write is measurable.
	deadlineSlack = time.Second
	// orderSize is about what an order takes that waits for the writer. Orders
	// count as answers, or a flood of those without one, as receiveAudio(false),
	// would pile up behind a peer that does not read.
	orderSize = 64
)

// writer owns the writing side of a connection's socket. Other goroutines hand
// it answers and orders; its own, in run, writes them, and the media of the
// connection's players.
type writer struct {
	c *conn
	// wake has room for one element: there may be something to do.
	wake chan struct{}
	// written counts the bytes that the socket took.
	written atomic.Uint64

	mu        sync.Mutex // guards what follows
	chunkSize int
	control   []byte
	orders    []func()
	closed    bool

	// What follows belongs to run.

	players []*player
	spare   []byte // the other half of control's double buffer
	vectors [][]byte
	size    int
	step    net.Buffers // a field, or each write would allocate it
	// waiting says that no player has anything to play.
	waiting bool
	// deadlineSet is when the write deadline was last renewed.
	deadlineSet time.Duration
}

func newWriter(c *conn) *writer {
	return &writer{c: c, wake: make(chan struct{}, 1), chunkSize: rtmp.DefaultChunkSize}
}

// send queues messages. It does not block; a peer that lets too many answers
// pile up is cut off.
func (w *writer) send(messages ...rtmp.Message) { w.sendThen(nil, messages...) }

// sendThen queues messages, and something for the writing goroutine to do when
// it has taken them: what media follows them is changed at exactly that point.
func (w *writer) sendThen(order func(), messages ...rtmp.Message) {
	if size := w.queue(order, messages); size > maxControlQueue {
		w.c.end(ReasonControlQueue, nil)
	}
	w.notify()
}

// queue returns the size of everything that waits.
func (w *writer) queue(order func(), messages []rtmp.Message) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		w.control = rtmp.AppendMessage(w.control, m, w.chunkSize)
		if m.Type == rtmp.TypeSetChunkSize {
			w.chunkSize = w.c.server.options.ChunkSize
		}
	}
	if order != nil {
		w.orders = append(w.orders, order)
	}
	return len(w.control) + orderSize*len(w.orders)
}

// close has run return once everything queued is written.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.notify()
}

func (w *writer) notify() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run writes until close, or until the socket fails.
func (w *writer) run() {
	defer w.isolate()
	for {
		closed := w.gather()
		if len(w.vectors) > 0 {
			if err := w.flush(); err != nil {
				w.c.end(writeReason(err), err)
				_ = w.c.nc.socket.Close()
				return
			}
			continue
		}
		if closed {
			return
		}
		<-w.wake
	}
}

// isolate keeps a panic within the connection that caused it.
func (w *writer) isolate() {
	if p := recover(); p != nil {
		w.c.logPanic(p)
		_ = w.c.nc.socket.Close()
	}
}

// gather collects what there is to write: answers first, then the media of
// each player.
func (w *writer) gather() (closed bool) {
	w.vectors, w.size = w.vectors[:0], 0
	w.mu.Lock()
	control, orders := w.control, w.orders
	w.control, w.orders = w.spare[:0], nil
	closed = w.closed
	w.mu.Unlock()

	w.spare = control
	w.add(control)
	for _, do := range orders {
		do()
	}
	waiting := len(w.players) > 0
	for _, p := range w.players {
		p.fill(w)
		waiting = waiting && p.waiting()
	}
	if waiting != w.waiting {
		w.waiting = waiting
		w.c.watch.wait(waiting)
	}
	return closed
}

// add appends bytes to the batch; they are not copied.
func (w *writer) add(b []byte) {
	w.size += len(b)
	for len(b) > maxVector {
		w.vectors = append(w.vectors, b[:maxVector])
		b = b[maxVector:]
	}
	if len(b) > 0 {
		w.vectors = append(w.vectors, b)
	}
}

// addMessages appends messages of the writer's own, in order with the media.
func (w *writer) addMessages(messages ...rtmp.Message) {
	for _, m := range messages {
		w.add(rtmp.AppendMessage(nil, m, w.c.server.options.ChunkSize))
	}
}

// full reports whether the batch should be written before more is gathered.
func (w *writer) full() bool { return w.size >= maxBatch || len(w.vectors) >= maxVectors }

// flush writes the batch, in steps that are small enough to tell a slow peer
// from one that stopped reading.
func (w *writer) flush() error {
	for rest := w.vectors; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && n < maxVectors && size+len(rest[n]) <= maxBatch {
			size += len(rest[n])
			n++
		}
		now := w.c.server.now()
		if w.deadlineSet == 0 || now-w.deadlineSet >= deadlineSlack {
			w.deadlineSet = now
			if err := w.c.nc.SetWriteDeadline(time.Now().Add(stallTimeout)); err != nil {
				return err
			}
		}
		w.step = net.Buffers(rest[:n:n])
		written, err := w.c.nc.writeBatch(&w.step)
		w.written.Add(uint64(written))
		w.c.watch.written.Store(int64(w.c.server.now()))
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}
