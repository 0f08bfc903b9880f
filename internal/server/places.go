package server

import (
	"container/list"
	"maps"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Newcomers are connections that have neither published nor played yet. They have
// acceptTimeout to do so: a flood of silent ones would take every place for as
// long. So they get newcomerShare of the places, and the next one beyond pushes
// the oldest out, which needed its place the least if it meant to use it.
const (
	newcomerShare = 4
	// minNewcomers keeps small servers open to crowds that come together.
	minNewcomers = 64
	// maxNewcomers bounds the memory for newcomers where the number of open files
	// is no bound: each takes about 10 KiB, with what the kernel needs.
	maxNewcomers = 16 << 10
)

// places are the connections that there are, and how many there may be.
type places struct {
	limit, newcomerLimit int // 0 for none
	taken                map[*conn]struct{}
	newcomers            list.List // of *conn, the oldest first
	guests               int       // places of other protocols
}

// Newcomers returns how many connections of one kind may be newcomers where there may
// be limit of all; 0 stands for any number.
func Newcomers(limit int) int {
	return min(max(limit/newcomerShare, minNewcomers), maxNewcomers, limit)
}

func newPlaces(limit int) places {
	return places{limit: limit, newcomerLimit: Newcomers(limit), taken: make(map[*conn]struct{})}
}

// enter takes a place, or reports that there is none. The newcomer that had to
// make room, if any, has none any more.
func (p *places) enter(c *conn) (evicted *conn, ok bool) {
	switch {
	case p.limit == 0:
	case p.newcomers.Len() >= p.newcomerLimit:
		evicted = p.newcomers.Front().Value.(*conn)
		p.leave(evicted)
	case len(p.taken)+p.guests >= p.limit:
		return nil, false
	}
	p.taken[c] = struct{}{}
	c.newcomer = p.newcomers.PushBack(c)
	return evicted, true
}

// settle makes a newcomer a connection like others.
func (p *places) settle(c *conn) {
	if c.newcomer != nil {
		p.newcomers.Remove(c.newcomer)
		c.newcomer = nil
	}
}

func (p *places) leave(c *conn) {
	p.settle(c)
	delete(p.taken, c)
}

// enter registers a connection, unless the server is stopping or full.
func (s *Server) enter(c *conn) error {
	evicted, err := s.assign(c)
	if evicted != nil {
		// Its peer would take a second to say goodbye, and a flood all descriptors.
		// Its own goroutine, once told, may be the first to close it.
		socket.ResetOnClose(evicted.nc.socket)
		evicted.end(stream.ReasonMadeRoom, nil)
		_ = evicted.nc.socket.Close()
	}
	return err
}

// assign gives the connection a place, and returns the one that has lost its own.
func (s *Server) assign(c *conn) (evicted *conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return nil, ErrServerClosed
	}
	evicted, ok := s.places.enter(c)
	if !ok {
		return nil, &refusal{reason: stream.ReasonFull}
	}
	s.running.Add(1)
	return evicted, nil
}

// leave ends what enter began.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	s.places.leave(c)
	c.addTo(&s.totals.ended[c.nc.traffic()])
	s.mu.Unlock()
	s.running.Done()
}

// accept notes that the connection publishes or plays.
func (c *conn) accept() {
	if c.accepted {
		return
	}
	c.accepted = true
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places.settle(c)
}

// open returns the connections, to which none is added once the server is
// stopping.
func (s *Server) open() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.places.taken))
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.places.taken) + s.places.guests
}
