package server

import (
	"sync/atomic"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// The protocols of a server, as places in its totals.
const (
	plainTraffic = iota
	secureTraffic
	protocols
)

var protocolNames = [protocols]stream.Protocol{stream.ProtocolRTMP, stream.ProtocolRTMPS}

// totals are what a server has moved. What open connections have moved is added
// when somebody asks.
type totals struct {
	accepted [protocols]atomic.Uint64
	// ended is of the connections that are over, and told what was said last; the
	// server's lock guards both.
	ended, told [protocols]stream.Traffic
}

func (t *transport) traffic() int {
	if t.secure != nil {
		return secureTraffic
	}
	return plainTraffic
}

func (t *transport) protocol() stream.Protocol {
	return protocolNames[t.traffic()]
}

// addTo counts what the connection has moved.
func (c *conn) addTo(t *stream.Traffic) {
	t.BytesIn += c.accounts.received.Load()
	t.BytesOut += c.out.written.Load()
	c.accounts.mu.Lock()
	defer c.accounts.mu.Unlock()
	closed := &c.accounts.closed
	t.MessagesIn += closed.MessagesIn
	t.MessagesOut += closed.MessagesOut
	t.Skipped += closed.Skipped
	t.Skips += closed.Skips
	for _, a := range c.accounts.open {
		t.Add(a.moved())
	}
}

// Traffic returns what the server has moved by RTMP and by RTMPS. No total ever
// falls.
func (s *Server) Traffic() []stream.Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.totals.ended
	for c := range s.places.taken {
		t := &all[c.nc.traffic()]
		t.Open++
		c.addTo(t)
	}
	for i := range all {
		t, told := &all[i], &s.totals.told[i]
		t.Protocol = protocolNames[i]
		t.Accepted = s.totals.accepted[i].Load()
		// Who had to make room has no place any more, and is not over yet.
		t.BytesIn, t.BytesOut = max(t.BytesIn, told.BytesIn), max(t.BytesOut, told.BytesOut)
		*told = *t
	}
	return all[:]
}
