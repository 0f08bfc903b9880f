package server

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// account is what others may know of one publication or player of a connection,
// while it lasts.
type account struct {
	c *conn
	// known is what does not change.
	known stream.Session
	// One of these is set.
	publication *stream.Publication
	player      *player
}

// accounts are those of a connection.
type accounts struct {
	// received is how many bytes the reading goroutine had got when it last
	// waited for more.
	received atomic.Uint64

	mu   sync.Mutex // guards what follows
	open []*account
	// closed is what those moved that are over.
	closed stream.Traffic
}

// begin opens the account of what a message stream does from now on.
func (c *conn) begin(s *netStream, kind stream.Kind, p path, streamID string) {
	a := &account{c: c, publication: s.publication, player: s.player, known: c.known(kind)}
	a.known.ID += "." + strconv.FormatUint(uint64(s.id), 10)
	a.known.Channel, a.known.Key, a.known.StreamID = p.channel, p.key, streamID
	s.account = a
	c.accounts.mu.Lock()
	defer c.accounts.mu.Unlock()
	c.accounts.open = append(c.accounts.open, a)
}

// finish closes the account of a message stream.
func (c *conn) finish(s *netStream) {
	a := s.account
	s.account = nil
	if a == nil {
		return
	}
	c.accounts.received.Store(c.received())
	last := c.accounts.close(a)
	c.past.add(last)
	c.tell(last)
}

// close returns the last facts of an account.
func (as *accounts) close(a *account) stream.Session {
	as.mu.Lock()
	defer as.mu.Unlock()
	last := a.session() // not before, or a total could fall
	as.open = slices.DeleteFunc(as.open, func(other *account) bool { return other == a })
	as.closed.Add(last)
	return last
}

// known is what the connection says of each of its sessions.
func (c *conn) known(kind stream.Kind) stream.Session {
	return stream.Session{
		ID:       strconv.FormatUint(c.id, 10),
		Kind:     kind,
		Protocol: c.nc.protocol(),
		Channel:  c.channel,
		Address:  c.addr,
		Client:   c.client,
		Started:  c.server.at(c.server.now()),
	}
}

// tell reports the end of a session. One that ends while its connection goes on
// ends because the client wants it.
func (c *conn) tell(last stream.Session) {
	if c.server.options.Ended == nil {
		return
	}
	end := stream.End{Session: last, Ended: time.Now(), Reason: stream.ReasonClientClosed}
	end.Started = end.Ended.Add(last.Started.Sub(end.Ended)) // by the same wall clock, which may have been set
	if cause := c.cause.Load(); cause != nil {
		end.Reason = cause.reason
		if cause.telling() {
			end.Detail = cut(cause.detail.Error())
		}
	}
	c.server.options.Ended(end)
}

// tellRefusal reports a connection that came to nothing.
func (c *conn) tellRefusal() {
	s := c.known(stream.KindRefused)
	s.Started = c.server.at(c.started)
	s.BytesIn, s.BytesOut = c.received(), c.out.written.Load()
	c.tell(s)
}

// tellTurnedDown reports a connection for which there was no descriptor.
func (s *Server) tellTurnedDown(nc net.Conn, reason stream.Reason) {
	if s.options.Ended == nil {
		return
	}
	address, _ := netip.ParseAddrPort(nc.RemoteAddr().String())
	now := time.Now()
	s.options.Ended(stream.End{
		Session: stream.Session{Kind: stream.KindRefused, Address: address, Started: now},
		Ended:   now, Reason: reason,
	})
}

// session returns the facts as they are now.
func (a *account) session() stream.Session {
	s := a.moved()
	s.BytesIn, s.BytesOut = a.c.accounts.received.Load(), a.c.out.written.Load()
	if a.publication != nil {
		s.Live = true
		return s
	}
	a.player.place.Compare(&s, a.player.subscription.Log())
	return s
}

// moved is session as far as it can be had at no cost for anybody.
func (a *account) moved() stream.Session {
	s := a.known
	if a.publication != nil {
		s.MessagesIn, _ = a.publication.Log().Head()
		return s
	}
	a.player.place.Count(&s)
	return s
}

func (c *conn) openAccounts() []*account {
	c.accounts.mu.Lock()
	defer c.accounts.mu.Unlock()
	return slices.Clone(c.accounts.open)
}

// Sessions returns who publishes and plays at the moment, in no order. Media never
// waits for it.
func (s *Server) Sessions() []stream.Session {
	var sessions []stream.Session
	for _, c := range s.open() {
		for _, a := range c.openAccounts() {
			sessions = append(sessions, a.session())
		}
	}
	return sessions
}

// Kick ends the connection of the session with this ID, and reports whether there
// was one that had not ended already.
func (s *Server) Kick(id string) bool {
	for _, c := range s.open() {
		for _, a := range c.openAccounts() {
			if a.known.ID == id && !c.ended() {
				c.end(stream.ReasonKicked, nil)
				return true
			}
		}
	}
	return false
}
