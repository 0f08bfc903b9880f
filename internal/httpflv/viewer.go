package httpflv

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

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
	turn    socket.Turn
	written atomic.Uint64
	// blocked is since when a write waits for the player, 0 if none does.
	blocked atomic.Int64
	// live says that the viewer has a log, and skipped and skips what it missed
	// because it was too slow.
	live           atomic.Bool
	skipped, skips atomic.Uint64
	// cause is why the viewer ends, nil as long as it does not.
	cause atomic.Pointer[ending]
	// done is closed when nothing is written any more, and gone when nothing is
	// read.
	done, gone chan struct{}
	waiting    *time.Timer // for the channel to go live
	pings      *time.Timer // of a WebSocket, else nil

	queued  atomic.Bool
	mu      sync.Mutex // guards control
	control []byte     // frames that wait for the writer

	flow // belongs to whoever has the turn
}

// ending is why a viewer ends.
type ending struct {
	reason stream.Reason
	detail error
}

func newViewer(s *Server, q request, addr netip.AddrPort, r *http.Request) *viewer {
	v := &viewer{
		server: s, request: q, addr: addr, agent: stream.ClientName(r.UserAgent()),
		id:    "http-" + strconv.FormatUint(s.nextID.Add(1), 10),
		began: time.Now(), started: s.now(), frames: wantsWebSocket(r), protocol: stream.ProtocolHTTPFLV,
		done: make(chan struct{}), gone: make(chan struct{}),
	}
	if v.frames {
		v.protocol = stream.ProtocolWSFLV
	}
	v.log = s.options.Log.With("id", v.id, "addr", addr.String())
	return v
}

// play serves a viewer, on the connection of its request if that is one of its own.
func (s *Server) play(w http.ResponseWriter, r *http.Request, v *viewer) {
	v.turn.Take() // whoever wakes it before it is ready leaves that for later
	if !v.subscribe() {
		s.refuse(w, v.addr.String(), stream.ReasonWrongKey)
		return
	}
	if !s.enter(v) {
		v.subscription.Close()
		s.refuse(w, v.addr.String(), ReasonShutdown)
		return
	}
	in, err := v.connect(w, r)
	if err != nil {
		v.subscription.Close()
		s.logRefusal(v.addr.String(), ReasonHandshake)
		s.leave(v)
		return
	}
	if v.request.start == stream.AtLive {
		v.subscription.Hurry()
	}
	v.begin()
	if in == nil { // the request is the only way to the viewer
		select {
		case <-r.Context().Done():
			v.end(v.departure())
			<-v.done
		case <-v.done:
		}
		close(v.gone)
		v.hangUp()
		return
	}
	s.running.Go(func() { v.read(in) })
	s.running.Go(func() { <-v.done; v.hangUp() })
}

func (v *viewer) subscribe() bool {
	if v.request.trusted {
		v.subscription = v.server.options.Registry.Watch(v.request.channel, v, v)
		return true
	}
	var err error
	v.subscription, err = v.server.options.Registry.Subscribe(v.request.channel, v.request.key, v, v)
	return err == nil
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
	v.waiting = time.AfterFunc(v.server.options.PlayWait, func() { v.end(ReasonPlayWait) })
	if v.frames {
		v.pings = time.AfterFunc(pingEach, v.ping)
	}
	if v.server.options.LogRequests {
		v.log.Info("play", "channel", v.request.channel, "key", maskKey(v.request.key), "protocol", string(v.protocol))
	}
	v.serve(false)
}

// departure is why a request of HTTP/2 ended, which does not say: a deadline that
// passes ends it as well.
func (v *viewer) departure() stream.Reason {
	if since := time.Duration(v.blocked.Load()); since != 0 && v.server.now()-since >= stallTimeout {
		return ReasonStalled
	}
	return ReasonClientClosed
}

// Kick implements [stream.Connection].
func (v *viewer) Kick(reason stream.Reason) { v.end(reason) }

// RequestReconnect implements [stream.Connection]: there is no way to ask for it.
func (v *viewer) RequestReconnect(string) bool { return false }

// end has the viewer end, for the first reason that is given. It does not block.
func (v *viewer) end(reason stream.Reason) { v.endWith(reason, nil) }

func (v *viewer) endWith(reason stream.Reason, detail error) {
	if v.cause.CompareAndSwap(nil, &ending{reason, detail}) {
		v.wake(false)
	}
}

// send queues a control frame.
func (v *viewer) send(code ws.OpCode, payload []byte) {
	v.mu.Lock()
	v.control = appendFrame(v.control, code, payload)
	v.queued.Store(true)
	flood := len(v.control) > maxChatter
	v.mu.Unlock()
	if flood {
		v.end(ReasonFlood)
	}
	v.wake(false)
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
	var err error
	if v.frames {
		err = v.listen(in)
	} else {
		err = v.ignore(in)
	}
	reason := readReason(err)
	v.endWith(reason, err)
	if reason == ReasonClientClosed && !v.frames || reason == ReasonReset {
		v.out.cut() // nobody waits for the rest
	}
}

// ignore reads what a player of plain HTTP has no reason to send.
func (v *viewer) ignore(in *bufio.Reader) error {
	total := in.Buffered()
	buffer := make([]byte, 64)
	for total <= maxChatter {
		n, err := v.out.conn.Read(buffer)
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
	defer v.server.leave(v)
	v.subscription.Close()
	v.waiting.Stop()
	if v.pings != nil {
		v.pings.Stop()
	}
	if v.out.conn != nil {
		linger := time.AfterFunc(lingerTimeout, v.out.cut)
		v.out.closeWrite()
		<-v.gone
		linger.Stop()
		_ = v.out.conn.Close()
	}
	v.logEnd()
}

// session describes the viewer.
func (v *viewer) session() stream.Session {
	return stream.Session{
		ID: v.id, Kind: stream.KindPlayer, Protocol: v.protocol,
		Channel: v.request.channel, Key: v.request.key,
		Address: v.addr, Client: v.agent, Started: v.began,
		Live: v.live.Load(), BytesOut: v.written.Load(),
		Skipped: v.skipped.Load(), Skips: v.skips.Load(),
	}
}

// plain are the reasons that the text of an error adds nothing to.
var plain = map[stream.Reason]bool{ReasonClientClosed: true, ReasonReset: true, ReasonStalled: true, ReasonPingTimeout: true}

// logEnd writes the last line of a viewer.
func (v *viewer) logEnd() {
	if !v.server.options.LogRequests {
		return
	}
	cause := v.cause.Load()
	attrs := []any{
		"role", string(stream.KindPlayer), "channel", v.request.channel, "reason", string(cause.reason),
		"duration", (v.server.now() - v.started).Round(time.Millisecond), "bytes_out", v.written.Load(),
	}
	if cause.detail != nil && !plain[cause.reason] {
		attrs = append(attrs, "detail", cause.detail.Error())
	}
	if n := v.skipped.Load(); n > 0 {
		attrs = append(attrs, "messages_skipped", n)
	}
	v.log.Info("end", attrs...)
}

// maskKey makes a key recognisable in the log without giving it away.
func maskKey(key string) string {
	const shown = 2
	if len(key) < 4*shown {
		return "***"
	}
	return key[:shown] + "***"
}
