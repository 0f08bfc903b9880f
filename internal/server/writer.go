package server

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/connerr"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	// deadlineSlack is how old a write deadline may get before it is renewed:
	// setting it for each write is measurable.
	deadlineSlack = time.Second
	// orderSize is about what an order takes that waits for the writer. Orders
	// count as answers, or a flood of those without one, as receiveAudio(false),
	// would pile up behind a peer that does not read.
	orderSize = 64
	// controlBatch is how many bytes of answers wait at most for the reading
	// goroutine to come to the end of what it has read.
	controlBatch = 4 << 10
)

// writer owns the writing side of a connection's socket. Other goroutines hand
// it answers and orders. It has no goroutine of its own: whoever wakes it while
// nobody else does takes the turn and writes what there is, as far as that goes
// without waiting. When the socket is full, or cannot be written without
// waiting, a goroutine gets the turn, until everything is written.
type writer struct {
	c *conn
	// server and nc, a copy, are those of the connection, beside what writing needs as
	// well: with thousands of viewers each pass finds nothing of one in the
	// processor's cache.
	server *Server
	nc     transport
	// turn is who may write: one at a time.
	turn socket.Turn
	// queued says that there are answers, orders, or the end, to save viewers
	// the lock.
	queued atomic.Bool
	// written counts the bytes that the socket took, at writtenAt for the last
	// time on the server's clock.
	written   atomic.Uint64
	writtenAt atomic.Int64
	// done is closed when the last byte was written after close, or the socket
	// failed. The turn is never given back then.
	done chan struct{}

	mu        sync.Mutex // guards what follows
	chunkSize int
	control   []byte
	orders    []func()
	closed    bool

	// What follows belongs to whoever has the turn.

	players []*player
	// first is the memory of the first player, here for the same reason.
	first player
	// missed is what players that are gone missed because they were too slow.
	missed stream.Skipped
	// waiting says that no player has anything to play.
	waiting bool
	// deadlineSet is when the write deadline was last renewed, 0 if there is
	// none.
	deadlineSet time.Duration
}

func newWriter(c *conn) *writer {
	return &writer{c: c, server: c.server, nc: *c.nc, done: make(chan struct{}), chunkSize: rtmp.DefaultChunkSize}
}

// send queues messages for the next flush. It does not block; a peer that lets
// too many answers pile up is cut off.
func (w *writer) send(messages ...rtmp.Message) { w.sendThen(nil, messages...) }

// sendThen queues messages, and something to do when they have been taken: what
// media follows them is changed at exactly that point.
func (w *writer) sendThen(order func(), messages ...rtmp.Message) {
	switch size := w.queue(order, messages); {
	case size > maxControlQueue:
		w.c.end(ReasonControlQueue, nil)
	case size > controlBatch:
		w.flush()
	}
}

// queue returns the size of everything that waits.
func (w *writer) queue(order func(), messages []rtmp.Message) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range messages {
		w.control = rtmp.AppendMessage(w.control, m, w.chunkSize)
		if m.Type == rtmp.TypeSetChunkSize {
			w.chunkSize = w.server.options.ChunkSize
		}
	}
	if order != nil {
		w.orders = append(w.orders, order)
	}
	w.queued.Store(true)
	return len(w.control) + orderSize*len(w.orders)
}

// close has done closed once everything queued is written.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	w.queued.Store(true)
	w.mu.Unlock()
	w.flush()
}

// Wake implements stream.Viewer: it writes what there is, or has whoever is
// writing look again. It never waits for the peer.
func (w *writer) Wake(pages stream.Pages) { w.wake(true, pages) }

// Expect implements stream.Viewer.
func (w *writer) Expect() { socket.Fetch(w) }

// flush is Wake for everything that is not a pass of the fan-out.
func (w *writer) flush() { w.wake(false, nil) }

func (w *writer) wake(pass bool, pages stream.Pages) {
	if w.turn.Take() {
		w.serve(pass, pages)
	}
}

// serve uses the turn for one batch, or hands it to a goroutine.
func (w *writer) serve(pass bool, pages stream.Pages) {
	defer w.isolate()
	b := batches.Get().(*batch)
	b.pass, b.pages = pass, pages
	w.nc.direct.Fetch()
	for {
		closed := w.gather(b)
		more := b.full() && !b.common()
		switch err := w.writeNow(b); {
		case err != nil:
			w.fail(err)
			return
		case !b.written() || more:
			b.pages = nil
			w.server.running.Go(func() { w.drain(b) })
			return
		case closed:
			b.recycle()
			close(w.done)
			return
		case w.turn.Give():
			b.recycle()
			return
		}
	}
}

// writeNow writes as much of the batch as the socket takes without waiting.
func (w *writer) writeNow(b *batch) error {
	if !w.nc.direct.Exists() {
		return nil
	}
	for !b.written() {
		if len(b.step) == 0 {
			if err := b.next(&w.nc); err != nil {
				return err
			}
		}
		n, err := w.nc.writeNow(b)
		w.count(n)
		if err != nil || len(b.step) > 0 {
			return err
		}
	}
	return nil
}

// drain writes until nothing is left, and waits for the socket where it has to.
func (w *writer) drain(b *batch) {
	defer w.isolate()
	for {
		if err := w.writeAll(b); err != nil {
			w.fail(err)
			return
		}
		closed := w.gather(b)
		switch {
		case !b.written():
		case closed:
			b.recycle()
			close(w.done)
			return
		case w.turn.Give():
			b.recycle()
			return
		}
	}
}

// writeAll writes the batch step by step.
func (w *writer) writeAll(b *batch) error {
	for !b.written() {
		if len(b.step) == 0 {
			if err := b.next(&w.nc); err != nil {
				return err
			}
		}
		if err := w.renewDeadline(); err != nil {
			return err
		}
		n, err := w.nc.write(b)
		w.count(n)
		if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && w.late() {
			err = w.tryAgain(b)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lastTry is how long a peer has that seems to have stalled.
const lastTry = time.Second

// late reports whether the deadline was noticed late: the process was stopped, or
// its machine suspended, and the socket may well have room by now.
func (w *writer) late() bool {
	return w.server.now() > w.deadlineSet+stallTimeout+lateTimer
}

// tryAgain writes once more after the deadline.
func (w *writer) tryAgain(b *batch) error {
	w.deadlineSet = 0
	if err := w.nc.SetWriteDeadline(time.Now().Add(lastTry)); err != nil {
		return err
	}
	n, err := w.nc.write(b)
	w.count(n)
	return err
}

func (w *writer) count(n int) {
	if n > 0 {
		w.written.Add(uint64(n))
		w.writtenAt.Store(int64(w.server.now()))
	}
}

func (w *writer) renewDeadline() error {
	now := w.server.now()
	if w.deadlineSet != 0 && now-w.deadlineSet < deadlineSlack {
		return nil
	}
	w.deadlineSet = now
	return w.nc.SetWriteDeadline(time.Now().Add(stallTimeout))
}

// fail ends the connection because its socket failed.
func (w *writer) fail(err error) {
	w.c.end(connerr.WriteReason(err), err)
	_ = w.nc.socket.Close()
	close(w.done)
}

// gather collects what there is to write: answers first, then the media of
// each player.
func (w *writer) gather(b *batch) (closed bool) {
	b.reset()
	if w.queued.Load() {
		closed = w.takeQueued(b)
	}
	waiting := len(w.players) > 0
	for _, p := range w.players {
		p.fill(w, b)
		waiting = waiting && p.waiting()
	}
	if waiting != w.waiting {
		w.waiting = waiting
		w.c.watch.wait(waiting)
	}
	return closed
}

// remove takes a player off. The memory of the first one stays: it must not hold
// on to a log, which goes on.
func (w *writer) remove(leaving *player) {
	w.players = slices.DeleteFunc(w.players, func(p *player) bool { return p == leaving })
	leaving.dropCursor()
	w.missed.Messages += leaving.missed.Messages
	w.missed.Bytes += leaving.missed.Bytes
}

// totalMissed is what the players of the connection missed because they were
// too slow, once the writer is done.
func (w *writer) totalMissed() stream.Skipped {
	select {
	case <-w.done:
		for len(w.players) > 0 {
			w.remove(w.players[0])
		}
		return w.missed
	default:
		return stream.Skipped{}
	}
}

// takeQueued adds the answers and carries out the orders.
func (w *writer) takeQueued(b *batch) (closed bool) {
	w.mu.Lock()
	control, orders := w.control, w.orders
	w.control, w.orders = nil, nil
	closed = w.closed
	w.queued.Store(closed)
	w.mu.Unlock()

	b.add(control)
	for _, do := range orders {
		do()
	}
	return closed
}

// addMessages appends messages of the writer's own, in order with the media.
func (w *writer) addMessages(b *batch, messages ...rtmp.Message) {
	for _, m := range messages {
		b.add(rtmp.AppendMessage(nil, m, w.server.options.ChunkSize))
	}
}
