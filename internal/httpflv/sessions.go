package httpflv

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// newID names a session or a refusal. The letter keeps it apart from those of RTMP.
func (s *Server) newID() string { return "h" + strconv.FormatUint(s.nextID.Add(1), 10) }

// session describes the viewer as it is now.
func (v *viewer) session() stream.Session {
	s := v.moved()
	v.place.Compare(&s, v.subscription.Log())
	return s
}

// last is session at the end, when nothing is written any more.
func (v *viewer) last() stream.Session {
	s := v.moved()
	s.Lag = v.lag
	return s
}

// moved is session as far as it can be had at no cost for anybody.
func (v *viewer) moved() stream.Session {
	s := stream.Session{
		ID: v.id, Kind: stream.KindPlayer, Protocol: v.protocol,
		Channel: v.request.channel, Key: v.request.key,
		Address: v.addr, Client: v.agent, Started: v.began,
		BytesIn: v.received.Load(), BytesOut: v.written.Load(),
	}
	v.place.Count(&s)
	return s
}

// Sessions returns who plays at the moment, in no order. Media never waits for it.
func (s *Server) Sessions() []stream.Session {
	viewers := s.open()
	sessions := make([]stream.Session, len(viewers))
	for i, v := range viewers {
		sessions[i] = v.session()
	}
	return sessions
}

// Kick ends the viewer with this ID, and reports whether there was one that had not
// ended already.
func (s *Server) Kick(id string) bool {
	viewers := s.open()
	i := slices.IndexFunc(viewers, func(v *viewer) bool { return v.id == id })
	return i >= 0 && viewers[i].end(stream.ReasonKicked)
}

// tell reports the end of the viewer.
func (v *viewer) tell() {
	if v.server.options.Ended == nil {
		return
	}
	cause := v.cause.Load()
	end := stream.End{Session: v.last(), Ended: time.Now(), Reason: cause.reason, Detail: cause.text()}
	end.Started = end.Ended.Add(end.Started.Sub(end.Ended)) // by the same wall clock, which may have been set
	v.server.options.Ended(end)
}

// tellRefusal reports a request, or a connection, that came to nothing.
func (s *Server) tellRefusal(session stream.Session, reason stream.Reason) {
	if s.options.Ended == nil {
		return
	}
	session.ID, session.Kind, session.Started = s.newID(), stream.KindRefused, time.Now()
	s.options.Ended(stream.End{Session: session, Ended: session.Started, Reason: reason})
}

// refusedRequest is what there is to know of a request that is refused.
func refusedRequest(r *http.Request, addr netip.AddrPort, channel string) stream.Session {
	return stream.Session{Protocol: protocolOf(r), Channel: channel, Address: addr, Client: stream.ClientName(r.UserAgent())}
}

func protocolOf(r *http.Request) stream.Protocol {
	if wantsWebSocket(r) {
		return stream.ProtocolWSFLV
	}
	return stream.ProtocolHTTPFLV
}

// totals are what a server has moved by each protocol, but for the viewers there
// are, who are added when somebody asks. The server's lock guards them.
type totals [2]stream.Traffic

func newTotals() totals {
	return totals{{Protocol: stream.ProtocolHTTPFLV}, {Protocol: stream.ProtocolWSFLV}}
}

func (t *totals) of(p stream.Protocol) *stream.Traffic {
	if p == stream.ProtocolWSFLV {
		return &t[1]
	}
	return &t[0]
}

func (t *totals) add(s stream.Session) {
	of := t.of(s.Protocol)
	of.Add(s)
	of.BytesIn += s.BytesIn
	of.BytesOut += s.BytesOut
}

// Traffic returns what the server has moved by HTTP-FLV and by WebSocket. No total
// ever falls. The protocol of a connection is that of its first request; until that
// comes it is open, but not counted as accepted.
func (s *Server) Traffic() []stream.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.totals
	for v := range s.viewers {
		all.add(v.moved())
	}
	return all[:]
}

// connAccount counts one connection.
type connAccount struct {
	server   *Server
	protocol stream.Protocol
	known    sync.Once
}

// open counts the connection as HTTP-FLV for the time being.
func (a *connAccount) open(s *Server) {
	a.server, a.protocol = s, stream.ProtocolHTTPFLV
	s.mu.Lock()
	defer s.mu.Unlock()
	s.totals.of(a.protocol).Open++
}

// speaks says what the connection is for, which counts once.
func (a *connAccount) speaks(protocol stream.Protocol) {
	a.known.Do(func() {
		a.server.mu.Lock()
		defer a.server.mu.Unlock()
		a.server.totals.of(a.protocol).Open--
		a.protocol = protocol
		of := a.server.totals.of(protocol)
		of.Open++
		of.Accepted++
	})
}

func (a *connAccount) close() {
	a.speaks(stream.ProtocolHTTPFLV) // unless it is known
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.server.totals.of(a.protocol).Open--
}
