package simulation

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// peer is a client: a publisher or a player, one at a time on its connection.
type peer struct {
	w      *world
	name   string
	kind   client
	conn   *rtmptest.Conn
	client *rtmp.Client
	// orders are carried out by the one goroutine that writes: two of them
	// would wait for each other at a lock, which stops the virtual time.
	orders chan func() error
	gone   chan struct{}

	// What follows is guarded by world.mu.

	ended, vanished, stalled bool
	mute, deaf               bool // the network has lost one direction
	stalledAt                time.Time
	asked                    bool     // to connect anew
	channels                 []string // that it has been on
	streams                  uint32
	source                   *source  // nil for a player
	viewing                  *viewing // nil for a publisher
}

func (w *world) newPeer(kind client) *peer {
	p := &peer{
		w: w, name: fmt.Sprintf("peer-%d", len(w.peers)), kind: kind,
		orders: make(chan func() error, 1<<12), gone: make(chan struct{}), streams: 1,
	}
	w.peers = append(w.peers, p)
	return p
}

// address is one of its own for each peer.
func (p *peer) address() netip.Addr {
	for i, other := range p.w.peers {
		if other == p {
			return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		}
	}
	panic("a stranger")
}

// run connects, says first, and reads until the connection ends.
func (p *peer) run(first ...rtmp.Message) {
	defer p.end()
	options := rtmp.ConnectOptions{TCURL: "rtmp://example.com", Extra: p.kind.announces()}
	if _, err := p.client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		return
	}
	if _, err := p.client.Connect(options); err != nil {
		return
	}
	p.send(first...)
	go p.write()
	if p.source != nil {
		go p.stream()
	}
	for {
		m, err := p.client.ReadMessage()
		if err != nil {
			return
		}
		p.receive(m)
	}
}

func (p *peer) end() {
	_ = p.conn.Close()
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.ended = true
	if p.source != nil {
		p.source.over = true
	}
	if p.viewing != nil {
		p.viewing.over = true
	}
	close(p.gone)
}

func (p *peer) send(messages ...rtmp.Message) {
	for _, m := range messages {
		p.orders <- func() error { return p.client.WriteMessage(m) }
	}
}

func (p *peer) write() {
	for {
		select {
		case order := <-p.orders:
			if order() != nil {
				return
			}
		case <-p.gone:
			return
		}
	}
}

// stream publishes, one moment after the other.
func (p *peer) stream() {
	p.w.mu.Lock()
	interval := p.source.interval
	p.w.mu.Unlock()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.tick(1)
		case <-p.gone:
			return
		}
	}
}

// tick publishes so many moments at once.
func (p *peer) tick(n int) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	s := p.source
	for i := range n {
		if !s.live || s.over || s.hushed || p.vanished || p.w.frozen {
			return
		}
		p.excuse()
		p.send(s.tick(time.Now())...)
		if i > 0 {
			s.base += uint32(s.interval.Milliseconds())
		}
	}
}

func (p *peer) receive(m rtmp.Message) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	switch m.Type {
	case rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData:
		if v := p.viewing; v != nil && m.Stream == p.streams {
			v.receive(m)
		} else if v == nil {
			p.w.violate("%s publishes and was sent %v", p.name, m.Type)
		}
	case rtmp.TypeCommand:
		command, err := rtmp.ParseCommand(m)
		if err != nil {
			p.w.violate("%s: %v", p.name, err)
			return
		}
		if s, ok := rtmp.ParseStatus(command); ok && command.Name == rtmp.CommandOnStatus {
			p.w.note("%s hears %s", p.name, s.Code)
			p.asked = p.asked || s.Code == rtmp.CodeReconnectRequest
			if m.Stream == p.streams {
				p.status(s)
			}
		}
	}
}

func (p *peer) status(s rtmp.Status) {
	if p.publishes() && s.Code == rtmp.CodePublishBadName && !p.replaceable() {
		p.w.violate("%s was replaced", p.name)
	}
	switch {
	case p.source != nil && s.Code == rtmp.CodePublishStart:
		p.source.live, p.source.heard = true, time.Now()
	case p.source != nil && (s.Level == rtmp.LevelError || s.Code == rtmp.CodeUnpublishSuccess):
		p.source.over = true
	case p.viewing == nil:
	case s.Code == rtmp.CodePlayStart:
		p.viewing.started = true
	case s.Code == rtmp.CodeUnpauseNotify:
		p.viewing.resuming = false
	case s.Code == rtmp.CodePlayPublishNotify:
		p.viewing.live = true
	case s.Code == rtmp.CodePlayUnpublishNotify:
		p.viewing.live = false
	case s.Level == rtmp.LevelError:
		p.viewing.over = true
	}
}

// replaceable reports whether another publisher may take over.
func (p *peer) replaceable() bool {
	switch p.w.settings.Takeover {
	case stream.TakeoverAlways:
		return true
	case stream.TakeoverIdle:
		return p.asked || p.idleAt(time.Now()) || time.Now().Before(p.source.excused)
	default:
		return p.asked
	}
}

// idleAt reports whether the server may have missed the publisher's media for too
// long: what is under way is as good as not sent.
func (p *peer) idleAt(now time.Time) bool {
	return now.Sub(p.source.heard) > stream.IdleAfter-p.w.settings.Network.Jitter
}

// excuse comes before media: if it was missed, the publisher may hear so a while
// behind it.
func (p *peer) excuse() {
	if now := time.Now(); p.idleAt(now) {
		p.source.excused = now.Add(p.w.settings.Network.round())
	}
}

// publishes reports whether the peer has a channel, as far as it knows.
func (p *peer) publishes() bool {
	return p.source != nil && p.source.live && !p.source.over && !p.ended
}

func (p *peer) plays() bool {
	return p.viewing != nil && p.viewing.started && !p.viewing.over && !p.ended
}

// open returns the commands that open a message stream and say what it is for.
func (p *peer) open(name string, args ...any) []rtmp.Message {
	return []rtmp.Message{
		rtmp.Command{Name: "createStream", Transaction: 9}.Message(0),
		rtmp.Command{Name: name, Args: args}.Message(p.streams),
	}
}

func (p *peer) publishCommands(s step) []rtmp.Message {
	p.w.lastSource++
	p.channels = append(p.channels, s.channel)
	p.source = newSource(p.w.lastSource, s, p.streams)
	p.w.sources[p.source.id] = p.source
	p.w.authorizer.prepare(p.address(), s.verdict)
	p.w.note("%s publishes source %d", p.name, p.source.id)
	commands := p.open("publish", s.channel+"/"+s.key, "live")
	if p.source.eager {
		commands = append(commands, p.source.tick(time.Now())...)
	}
	return commands
}

func (p *peer) playCommands(s step) []rtmp.Message {
	p.channels = append(p.channels, s.channel)
	p.viewing = &viewing{
		w: p.w, name: p.name, channel: s.channel, key: s.key, query: s.query, kind: p.kind, atLive: s.query == "?cache=no",
		past: make(map[uint32]bool), tracks: make(map[trackID]*received), clocks: make(map[string]uint32),
	}
	return p.open("play", s.channel+"/"+s.key+s.query, -2000.0)
}

// stop ends what the client does with a word.
func (p *peer) stop(leave bool) {
	if p.source != nil {
		p.source.over = true
	} else {
		p.viewing.over = true
	}
	p.send(rtmp.Command{Name: "deleteStream", Args: []any{float64(p.streams)}}.Message(0))
	if leave {
		p.orders <- p.conn.Close
	}
}

// again has a client that has stopped start anew on the next message stream.
func (p *peer) again(s step) {
	p.streams++
	if p.source != nil {
		p.send(p.publishCommands(s)...)
	} else {
		p.send(p.playCommands(s)...)
	}
}

// setPaused loosens what the viewer is owed: it goes on at the live edge.
func (p *peer) setPaused(paused bool) {
	p.viewing.paused, p.viewing.resuming, p.viewing.atLive = paused, !paused, true
	p.viewing.loosen()
	p.send(rtmp.Command{Name: "pause", Args: []any{paused, 0.0}}.Message(p.streams))
}

func (p *peer) newHeaders(kind media.Kind) {
	if s := p.source; s.begun {
		p.send(s.newHeaders(kind)...)
	}
}

// zeros makes handshakes the same in every run.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
