package httpflv

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// viewer is one who plays: a place on a channel, and a cursor while the channel is
// live. Like the writer of a connection of RTMP it has no goroutine that writes:
// whoever wakes it writes what there is, as far as that goes without waiting.
type viewer struct {
	server  *Server
	request request
	id      string
	addr    netip.AddrPort
	agent   string
	began   time.Time
	started time.Duration
	log     *slog.Logger

	out      outlet // once attached is set, which the server's lock guards
	attached bool
	protocol stream.Protocol
	frames   bool // it is a WebSocket
	chunked  bool // the body is in chunks, as of HTTP/1.1
	// subscription does not change once the turn was given for the first time.
	subscription *stream.Subscription

	// turn is who may write: one at a time. It is never given back at the end.
	turn socket.Turn
	// received is what came behind the request, and written what was sent, above TLS.
	received, written atomic.Uint64
	// blocked is since when a write waits for the player, 0 if none does.
	blocked atomic.Int64
	// place is what others may know of how far it has got.
	place stream.Place
	// cause is why the viewer ends, nil as long as it does not.
	cause atomic.Pointer[ending]
	// done is closed when nothing is written any more, and gone when nothing is
	// read.
	done, gone chan struct{}
	// dropped is closed to have the answer cut to a request of HTTP/2, which nobody may
	// touch any more once its handler has returned.
	dropped chan struct{}
	drop    sync.Once
	waiting *time.Timer // for the channel to go live
	pings   *time.Timer // of a WebSocket, else nil

	queued  atomic.Bool
	mu      sync.Mutex // guards control
	control []byte     // frames that wait for the writer

	flow // belongs to whoever has the turn
}

func newViewer(s *Server, q request, addr netip.AddrPort, r *http.Request) *viewer {
	v := &viewer{
		server: s, request: q, addr: addr, agent: stream.ClientName(r.UserAgent()),
		id:    s.newID(),
		began: time.Now(), started: s.now(), frames: wantsWebSocket(r), protocol: protocolOf(r),
		done: make(chan struct{}), gone: make(chan struct{}), dropped: make(chan struct{}),
	}
	v.log = s.options.Log.With("id", v.id, "addr", addr.String())
	return v
}

// play serves a viewer, on the connection of its request if that is one of its own.
func (s *Server) play(w http.ResponseWriter, r *http.Request, v *viewer) {
	v.turn.Take() // whoever wakes it before it is ready leaves that for later
	refuse := func(reason stream.Reason) { s.refuse(w, refusedRequest(r, v.addr, v.request.channel), reason) }
	if reason := v.subscribe(); reason != "" {
		refuse(reason)
		return
	}
	if !s.enter(v) {
		v.subscription.Close()
		refuse(stream.ReasonShutdown)
		return
	}
	begun := false
	defer func() {
		if !begun {
			v.abandon()
		}
	}()
	in, err := v.connect(w, r)
	if err != nil {
		begun = true
		v.undo()
		s.noteRefusal(refusedRequest(r, v.addr, v.request.channel), ReasonHandshake)
		return
	}
	s.settleFor(r)
	if v.request.start == stream.AtLive {
		v.subscription.Hurry()
	}
	v.begin()
	begun = true
	if in == nil { // the request is the only way to the viewer
		select {
		case <-r.Context().Done():
			v.end(v.departure())
		case <-v.dropped:
			v.out.cut()
		case <-v.done:
		}
		<-v.done
		close(v.gone)
		v.hangUp()
		return
	}
	s.running.Go(func() { v.read(in) })
	s.running.Go(func() { <-v.done; v.hangUp() })
}

// subscribe returns why the viewer may not play, if it may not.
func (v *viewer) subscribe() (refused stream.Reason) {
	o := &v.server.options
	if v.request.trusted {
		v.subscription = o.Registry.Watch(v.request.channel, v, v)
		return ""
	}
	if !o.Guesses.Allow(v.addr.Addr()) {
		return stream.ReasonGuessing
	}
	var err error
	if v.subscription, err = o.Registry.Subscribe(v.request.channel, v.request.key, v, v); err != nil {
		o.Guesses.Wrong(v.addr.Addr())
		return stream.ReasonWrongKey
	}
	return ""
}

// abandon ends a viewer that was never served, because of a panic.
func (v *viewer) abandon() {
	v.end(stream.ReasonInternal)
	v.stopTimers()
	v.undo()
	if v.attached {
		v.out.cut()
	}
	v.say()
}

// cut ends the way to a viewer at once, whoever writes to it.
func (v *viewer) cut() {
	if v.out.conn == nil {
		v.drop.Do(func() { close(v.dropped) })
	} else {
		v.out.cut()
	}
}

// undo forgets a viewer that was never served.
func (v *viewer) undo() {
	defer v.server.running.Done()
	v.subscription.Close()
	v.server.leave(v)
}

// connect takes the connection over from net/http, and returns what is read from
// it; nil for HTTP/2, where that cannot be done.
func (v *viewer) connect(w http.ResponseWriter, r *http.Request) (*bufio.Reader, error) {
	if v.frames {
		conn, in, err := upgrade(w, r)
		if err != nil {
			return nil, err
		}
		v.server.attach(v, connOutlet(conn))
		return in, nil
	}
	v.head = w.Header().Clone()
	mediaHeader(v.head)
	if r.ProtoMajor > 1 {
		v.server.attach(v, answerOutlet(w))
		return nil, nil
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	v.chunked = r.ProtoAtLeast(1, 1)
	v.server.attach(v, connOutlet(conn))
	return buffered.Reader, nil
}

// begin gives the turn for the first time, in that it uses it.
func (v *viewer) begin() {
	v.waiting = time.AfterFunc(v.server.options.PlayWait, v.contained(func() { v.end(stream.ReasonPlayWait) }))
	if v.frames {
		v.pings = time.AfterFunc(pingEach, v.contained(v.ping))
	}
	v.logStep("play", "channel", v.request.channel, "key", maskKey(v.request.key), "protocol", string(v.protocol))
	v.serve(false, nil)
}

// departure is why a request of HTTP/2 ended, which does not say: a deadline that
// passes ends it as well.
func (v *viewer) departure() stream.Reason {
	if since := time.Duration(v.blocked.Load()); since != 0 && v.server.now()-since >= stallTimeout {
		return stream.ReasonStalled
	}
	return stream.ReasonClientClosed
}

// Kick implements [stream.Connection]. One that waited with another key than that
// of the publisher who came has tried one.
func (v *viewer) Kick(reason stream.Reason) {
	if reason == stream.ReasonWrongKey {
		v.server.options.Guesses.Wrong(v.addr.Addr())
	}
	v.end(reason)
}

// RequestReconnect implements [stream.Connection]: there is no way to ask for it.
func (v *viewer) RequestReconnect(string) bool { return false }

// end has the viewer end, for the first reason that is given, and reports whether
// this is the one. It does not block.
func (v *viewer) end(reason stream.Reason) bool { return v.endWith(reason, nil) }

func (v *viewer) endWith(reason stream.Reason, detail error) bool {
	first := v.cause.CompareAndSwap(nil, &ending{reason, detail})
	if first {
		v.wake(false, nil)
	}
	return first
}

// send queues a control frame.
func (v *viewer) send(code ws.OpCode, payload []byte) {
	v.mu.Lock()
	v.control = appendFrame(v.control, code, payload)
	v.queued.Store(true)
	flood := len(v.control) > maxChatter
	v.mu.Unlock()
	if flood {
		v.end(stream.ReasonFlood)
	}
	v.wake(false, nil)
}

// takeControl returns the frames that wait.
func (v *viewer) takeControl(dst []byte) []byte {
	if !v.queued.Load() {
		return dst
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	dst = append(dst, v.control...)
	v.control = v.control[:0]
	v.queued.Store(false)
	return dst
}

func (v *viewer) ping() {
	if v.cause.Load() == nil {
		v.pings.Reset(pingEach)
		v.send(ws.OpPing, nil)
	}
}

// read waits for the viewer to leave.
func (v *viewer) read(in *bufio.Reader) {
	defer close(v.gone)
	defer v.contain()
	faultinject.At(faultinject.Read, v.request.channel)
	var err error
	if v.frames {
		err = v.listen(in)
	} else {
		err = v.ignore(in)
	}
	reason := readReason(err)
	v.endWith(reason, err)
	if reason == stream.ReasonClientClosed && !v.frames || reason == stream.ReasonReset {
		v.out.cut() // nobody waits for the rest
	}
}

// ignore reads what a player of plain HTTP has no reason to send.
func (v *viewer) ignore(in *bufio.Reader) error {
	total := in.Buffered()
	buffer := make([]byte, 64)
	for total <= maxChatter {
		n, err := v.out.conn.Read(buffer)
		v.received.Add(uint64(n))
		if err != nil {
			return err
		}
		total += n
	}
	return errFlood
}

// hangUp gives the viewer a moment to close from its side, or a reset could
// overtake what it has not read.
func (v *viewer) hangUp() {
	defer v.server.running.Done()
	defer v.contain()
	defer v.say()
	defer v.server.leave(v)
	v.subscription.Close()
	v.stopTimers()
	if v.out.conn != nil {
		linger := time.AfterFunc(lingerTimeout, v.out.cut)
		v.out.closeWrite()
		<-v.gone
		linger.Stop()
		_ = v.out.conn.Close()
	}
}

func (v *viewer) stopTimers() {
	for _, timer := range []*time.Timer{v.waiting, v.pings} {
		if timer != nil {
			timer.Stop()
		}
	}
}
