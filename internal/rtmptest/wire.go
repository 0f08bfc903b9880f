package rtmptest

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"time"
)

// Link is how a network carries the bytes of one direction of a connection.
type Link struct {
	// Latency is what every byte takes, and Jitter what it may take beside that:
	// bytes never overtake each other.
	Latency, Jitter time.Duration
	// Window is how many bytes may be under way before a write waits; 0 means 64 KiB.
	Window int
	// Slice is the most that arrives in one piece; 0 means all that was written
	// together.
	Slice int
	// Seed makes sizes and delays the same each time.
	Seed uint64
}

const defaultWindow = 64 << 10

// slice is what arrives in one piece.
type slice struct {
	due   time.Time
	bytes []byte
}

// wire is one direction of a connection with a delay. Both ends are the same
// value: one reads it, the other writes it.
type wire struct {
	link   Link
	random *rand.Rand

	mu      sync.Mutex // guards what follows; nobody sleeps with it
	changed *sync.Cond
	slices  []slice
	size    int
	lastDue time.Time
	// ended says that the writer has closed it, and left that the reader has.
	ended, left bool
	// lost has bytes vanish, and cutAfter is how many more get through, -1 for
	// any number.
	lost         bool
	cutAfter     int
	cut          func()
	readUntil    time.Time
	writtenUntil time.Time
}

func newWire(l Link) *wire {
	if l.Window == 0 {
		l.Window = defaultWindow
	}
	w := &wire{link: l, random: rand.New(rand.NewPCG(l.Seed, 2)), cutAfter: -1}
	w.changed = sync.NewCond(&w.mu)
	return w
}

// wake has everybody look again.
func (w *wire) wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changed.Broadcast()
}

// wait returns at the next change, or at a time that is not zero.
func (w *wire) wait(until time.Time) {
	if !until.IsZero() {
		timer := time.AfterFunc(time.Until(until), w.wake)
		defer timer.Stop()
	}
	w.changed.Wait()
}

func passed(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// Write takes bytes as long as the window has room.
func (w *wire) Write(p []byte) (n int, err error) {
	w.mu.Lock()
	for err == nil && len(p) > 0 {
		switch room := w.link.Window - w.size; {
		case w.ended || w.left:
			err = io.ErrClosedPipe
		case passed(w.writtenUntil):
			err = os.ErrDeadlineExceeded
		case room <= 0:
			w.wait(w.writtenUntil)
		default:
			took := w.put(p[:min(room, len(p))])
			p, n = p[took:], n+took
		}
	}
	var cut func()
	if w.cutAfter == 0 {
		cut, w.cut = w.cut, nil
	}
	w.mu.Unlock()
	if cut != nil {
		cut()
	}
	return n, err
}

// put sends one slice on its way and returns its size.
func (w *wire) put(p []byte) int {
	if w.link.Slice > 0 {
		p = p[:min(len(p), 1+w.random.IntN(w.link.Slice))]
	}
	took := len(p)
	if w.cutAfter >= 0 {
		p = p[:min(len(p), w.cutAfter)]
		w.cutAfter -= len(p)
	}
	due := time.Now().Add(w.link.Latency)
	if w.link.Jitter > 0 {
		due = due.Add(time.Duration(w.random.Int64N(int64(w.link.Jitter))))
	}
	if due.Before(w.lastDue) {
		due = w.lastDue
	}
	w.lastDue = due
	w.slices = append(w.slices, slice{due, append([]byte(nil), p...)})
	w.size += len(p)
	w.changed.Broadcast()
	return took
}

// Read takes what has arrived, as much as there is.
func (w *wire) Read(p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch due := w.next(); {
		case w.left:
			return 0, io.ErrClosedPipe
		case passed(w.readUntil):
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case !due.IsZero() && !time.Now().Before(due):
			return w.get(p), nil
		case due.IsZero() && w.ended && !w.lost:
			return 0, io.EOF
		default:
			if due.IsZero() || !w.readUntil.IsZero() && w.readUntil.Before(due) {
				due = w.readUntil
			}
			w.wait(due)
		}
	}
}

// next returns when the next bytes arrive, zero if none do.
func (w *wire) next() (due time.Time) {
	if len(w.slices) > 0 && !w.lost {
		due = w.slices[0].due
	}
	return due
}

func (w *wire) get(p []byte) (n int) {
	now := time.Now()
	for n < len(p) && len(w.slices) > 0 && !now.Before(w.slices[0].due) {
		took := copy(p[n:], w.slices[0].bytes)
		n += took
		if w.slices[0].bytes = w.slices[0].bytes[took:]; len(w.slices[0].bytes) == 0 {
			w.slices = w.slices[1:]
		}
	}
	w.size -= n
	w.changed.Broadcast()
	return n
}

// lose has nothing arrive any more, not even the end: what is written stays under
// way until the window is full.
func (w *wire) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lost = true
	w.changed.Broadcast()
}

// breakAfter calls cut once so many more bytes were written, which is all that
// arrives.
func (w *wire) breakAfter(n int, cut func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cutAfter, w.cut = n, cut
}

// sender and receiver are the ends of a wire.
type (
	sender   struct{ *wire }
	receiver struct{ *wire }
)

var errWrongWay = errors.New("the wire does not go this way")

func (sender) Read([]byte) (int, error)    { return 0, errWrongWay }
func (receiver) Write([]byte) (int, error) { return 0, errWrongWay }

// Close lets what is under way arrive, and then the end.
func (s sender) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.changed.Broadcast()
	return nil
}

// Close has writes fail from now on.
func (r receiver) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.left = true
	r.slices, r.size = nil, 0
	r.changed.Broadcast()
	return nil
}

func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.readUntil = t
	w.changed.Broadcast()
	return nil
}

func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writtenUntil = t
	w.changed.Broadcast()
	return nil
}

// half is what Conn needs of one direction.
type half interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// PipeOver is [Pipe] over a network: up carries what the client sends, and down
// what the server does. Unlike with Pipe, a write does not wait for its reader,
// but for room in the window.
func PipeOver(client netip.AddrPort, up, down Link) (clientEnd, serverEnd *Conn) {
	upward, downward := newWire(up), newWire(down)
	clientEnd, serverEnd = newConns(client)
	clientEnd.in, clientEnd.out = receiver{downward}, sender{upward}
	serverEnd.in, serverEnd.out = receiver{upward}, sender{downward}
	clientEnd.up, clientEnd.down = upward, downward
	return clientEnd, serverEnd
}

// LoseUp has the network swallow what the client sends from now on, without a
// word to either end. It is for the client's end of [PipeOver].
func (c *Conn) LoseUp() { c.up.lose() }

// LoseDown is LoseUp for what the server sends.
func (c *Conn) LoseDown() { c.down.lose() }

// CutUp resets the connection once the client has sent so many more bytes, as
// likely as not in the midst of a message. As with LoseUp.
func (c *Conn) CutUp(n int) { c.up.breakAfter(n, c.sever) }

// CutDown is CutUp for what the server sends.
func (c *Conn) CutDown(n int) { c.down.breakAfter(n, c.sever) }

// sever is Reset by the network: both ends may read what has been sent, and find
// the connection broken then.
func (c *Conn) sever() {
	c.reset.Store(true)
	for _, w := range []*wire{c.up, c.down} {
		_ = sender{w}.Close()
	}
}
