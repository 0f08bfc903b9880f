package server

import (
	"container/list"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// conn is one connection. Its fields belong to the reading goroutine, but for
// those that say otherwise.
type conn struct {
	server  *Server
	id      uint64
	nc      *transport
	started time.Duration
	// addr is the client's address, and log names it. Behind a load balancer
	// both are known once identify has read who the client is.
	identified bool
	addr       netip.AddrPort
	log        *slog.Logger
	// release gives back the place among the connections of the address.
	release func()
	// accepted says that the connection has published or played, and newcomer is
	// its place among those that have not, which the server's lock guards.
	accepted bool
	newcomer *list.Element

	// ctx ends when the connection has to.
	ctx    context.Context
	cancel context.CancelFunc
	// cause is why the connection ends: the first one given counts. Any
	// goroutine may give one, through end.
	cause atomic.Pointer[cause]
	// interrupted is closed once reading was interrupted because of the cause.
	interrupted chan struct{}

	// reconnect says whether the client can be asked to connect anew, or was.
	// Any goroutine may ask.
	reconnect atomic.Uint32

	out   *writer
	watch *watchdog

	in     *intake
	reader *rtmp.Reader
	// holding is the reader, for whoever looks what it holds.
	holding atomic.Pointer[rtmp.Reader]
	acks    rtmp.AckWindow
	// readAt is when the last bytes were read from the socket, the time of
	// arrival of the messages they complete.
	readAt time.Duration
	// chunks is how many chunks chunkBudget has been charged for.
	chunks      uint64
	chunkBudget bucket
	// messages is how many messages came that messageBudget has not been
	// charged for.
	messages      int
	messageBudget bucket
	// pingBudget and startBudget are nil until the client pings or starts: those
	// who wait in thousands do neither.
	pingBudget  *rate.Limiter
	startBudget *rate.Limiter
	chatter     chatter
	bitrate     bitrate
	// ignored counts messages of unknown types and media without a
	// publication.
	ignored uint64
	// repaired is what was wrong with the timestamps of publications that ended.
	repaired stream.Repairs

	// spoke says that the client has sent something, and connected that it has said
	// connect.
	spoke, connected bool
	// orderly says that the client has said that it ends.
	orderly bool
	// closing says that the streams end because the connection does.
	closing bool
	app     string
	// capabilities are what the client announced in connect.
	capabilities rtmp.Capabilities
	// role and channel are what the client asked for last, for the connection's
	// last line in the log.
	role, channel string
	streams       map[uint32]*netStream
	// publishing are those of the streams that have a publication.
	publishing []*netStream
	// client is how the program named itself in connect.
	client   string
	accounts accounts
	past     past
	// played says that the writer's own player is taken.
	played bool
	// lastStream is the message stream id that was handed out last.
	lastStream uint32
}

func newConn(s *Server, nc *transport) *conn {
	c := &conn{
		server:      s,
		id:          s.nextID.Add(1),
		nc:          nc,
		started:     s.now(),
		release:     func() {},
		interrupted: make(chan struct{}),
		readAt:      s.now(),
		streams:     make(map[uint32]*netStream),
	}
	c.log = s.log.With("id", c.id)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.out = newWriter(c)
	c.watch = newWatchdog(c)
	return c
}

// serve runs the connection from accept to its last line in the log.
func (c *conn) serve() {
	defer func() { c.release() }()
	defer c.logEnd()
	defer c.cancel()
	defer c.watch.stop()
	defer func() { _ = c.nc.socket.Close() }()
	defer c.isolate()

	c.in = newIntake(c.nc.Conn, c)
	if err := c.open(c.in); err != nil {
		c.fail(err)
		return
	}
	c.reader = rtmp.NewReader(c.in, rtmp.UnacceptedLimits)
	c.reader.SetBudget(c.server.incomplete.budget)
	c.holding.Store(c.reader)
	defer c.reader.Close()
	if c.nc.records != nil {
		c.nc.records.hold()
	}
	c.readMessages()
	c.reader.Close() // others may need the memory before the peer has left
	c.farewell()
	c.hangUp()
}

// open does everything that comes before the first message.
func (c *conn) open(r io.Reader) error {
	if err := c.identify(); err != nil {
		return err
	}
	if err := socket.Tune(c.nc.socket, unreachableTimeout); err != nil {
		c.log.Debug("socket options not set", "error", err)
	}
	if err := c.secure(); err != nil {
		return err
	}
	return c.handshake(r)
}

// handshake is the one time that this goroutine writes to the socket, so that
// the connection's end has to interrupt it there as well.
func (c *conn) handshake(r io.Reader) error {
	stop := context.AfterFunc(c.ctx, func() { _ = c.nc.SetWriteDeadline(longAgo) })
	defer stop()
	if err := c.in.await(); err != nil { // who says nothing costs no memory for it
		return err
	}
	c.spoke = true
	hs, err := rtmp.AcceptHandshake(r, c.nc, rtmp.HandshakeOptions{Random: rand.Reader})
	if err != nil {
		return err
	}
	c.log.Debug("handshake done", "scheme", hs.Scheme.String())
	c.watch.enter(phaseUnaccepted)
	return nil
}

// settle implements intakeOwner. Before a read, which may block, it does what the
// bytes so far call for, since nothing complete is left of them: it wakes the
// viewers of what was published, acknowledges what was received, has the answers
// written, and charges for the chunks.
func (c *conn) settle() error {
	if c.reader == nil {
		return nil
	}
	for _, s := range c.publishing {
		s.publication.Flush()
	}
	c.accounts.received.Store(c.reader.Received())
	c.acknowledge()
	if c.out.queued.Load() {
		c.out.flush()
	}
	if !c.charge() {
		return errFlood
	}
	if err := c.chargeBitrate(); err != nil {
		return err
	}
	if c.server.options.MaxWriteDelay > 0 {
		return c.takeNap()
	}
	return nil
}

// chunkBudget and messageBudget are those of each connection.
var (
	chunkBudget   = perSecond(chunkRate, chunkBurst)
	messageBudget = perSecond(messageRate, messageBurst)
)

// charge takes what came since the last time from the budgets, and reports whether
// they allow it.
func (c *conn) charge() bool {
	chunks, messages := c.reader.Chunks(), c.messages
	n := int(chunks - c.chunks)
	c.chunks, c.messages = chunks, 0
	return c.chunkBudget.takeAll(c.readAt, n, chunkBudget) && c.messageBudget.takeAll(c.readAt, messages, messageBudget)
}

// noteRead implements intakeOwner.
func (c *conn) noteRead() {
	c.readAt = c.server.now()
	c.watch.read.Store(int64(c.readAt))
}

// errFlood says that a peer sends more chunks, messages, or commands that start
// something, per second than any real client.
var errFlood = errors.New("too many chunks or messages a second")

func (c *conn) acknowledge() {
	if sequence, due := c.acks.Due(c.reader.Received()); due {
		c.out.send(rtmp.Acknowledgement(sequence))
	}
}

// readMessages carries out what the peer sends until the connection ends. It
// waits for the next message right here, where the stack is shallow enough for
// half of it to be given back.
func (c *conn) readMessages() {
	for !c.ended() {
		var err error
		if !c.reader.Pending() {
			err = c.in.await()
		}
		if err == nil {
			err = c.readMessage()
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

func (c *conn) readMessage() error {
	m, err := c.reader.ReadMessage()
	if err != nil {
		return err
	}
	// An aggregate may hold a million messages, all read at once.
	if c.messages++; c.messages == messagesAtOnce && !c.charge() {
		return errFlood
	}
	c.acknowledge()
	faultinject.At(faultinject.Read, c.channel)
	return c.dispatch(m)
}

// refusal ends a connection for a reason that is the peer's own doing and that
// it was told of.
type refusal struct {
	reason stream.Reason
	detail error
}

func (r *refusal) Error() string { return string(r.reason) }

// fail ends the connection because of err.
func (c *conn) fail(err error) {
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		c.end(refused.reason, refused.detail)
	case errors.Is(err, errFlood):
		c.end(stream.ReasonFlood, nil)
	case errors.Is(err, access.ErrProxyHeader):
		c.end(stream.ReasonProxyHeader, err)
	case c.reader == nil && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		c.end(ReasonProbe, nil) // some health checks leave with a reset
	default:
		c.end(readReason(err), err)
	}
}

// cause is why a connection ends.
type cause struct {
	reason stream.Reason
	// detail says more, for the log; it may be nil.
	detail error
}

// telling reports whether the detail says more than the reason.
func (c *cause) telling() bool {
	return c.detail != nil && c.reason != stream.ReasonClientClosed && c.reason != stream.ReasonReset && c.reason != stream.ReasonStalled
}

// allow takes one out of a budget, which it makes first if there is none yet.
func allow(budget **rate.Limiter, limit rate.Limit, burst int) bool {
	if *budget == nil {
		*budget = rate.NewLimiter(limit, burst)
	}
	return (*budget).Allow()
}

// longAgo is a deadline that interrupts whoever reads or writes.
var longAgo = time.Unix(1, 0)

// end asks the connection to end for the given reason, unless it has one
// already. It may be called from any goroutine and does not block: it
// interrupts the reading one, which does the rest.
func (c *conn) end(reason stream.Reason, detail error) {
	if !c.cause.CompareAndSwap(nil, &cause{reason, detail}) {
		return
	}
	c.cancel()
	_ = c.nc.SetReadDeadline(longAgo)
	close(c.interrupted)
}

// ended reports whether the connection was asked to end.
func (c *conn) ended() bool { return c.cause.Load() != nil }

// Kick implements stream.Connection. A player that waited with another key than that
// of the publisher who came has tried one.
func (c *conn) Kick(reason stream.Reason) {
	if reason == stream.ReasonWrongKey {
		c.noteWrongKey()
	}
	c.end(reason, nil)
}

// Silent implements stream.Publisher.
func (c *conn) Silent() time.Duration {
	faultinject.At(faultinject.Registry, c.channel)
	return c.server.now() - time.Duration(c.watch.media.Load())
}
