package httpflv

import (
	"container/list"
	"net/http"

	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// newcomers are the connections that have had no viewer yet, the oldest first. A
// flood of silent ones would take every place until requestTimeout has passed for
// each. So only so many of them may be there, and the next one beyond pushes the
// oldest out, which needed its place the least if it meant to use it. The server's
// lock guards them.
type newcomers struct {
	limit int // 0 for none
	list  list.List
}

// welcome makes a connection a newcomer, and has the oldest make room if there are
// too many.
func (s *Server) welcome(p *peer) {
	oldest := s.line(p)
	if oldest == nil {
		return
	}
	if !oldest.told.Swap(true) { // or its request was told of
		s.turnAway(oldest.RemoteAddr().String(), stream.ReasonMadeRoom)
	}
	socket.ResetOnClose(oldest.Conn)
	_ = oldest.Close()
}

// line puts a connection behind the others, and returns the first of the line if
// that has to go.
func (s *Server) line(p *peer) (oldest *peer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.newcomers.limit == 0 {
		return nil
	}
	if s.newcomers.list.Len() >= s.newcomers.limit {
		oldest = s.newcomers.list.Front().Value.(*peer)
		s.settle(oldest)
	}
	p.newcomer = s.newcomers.list.PushBack(p)
	return oldest
}

// settle makes a newcomer a connection like others; the lock is held.
func (s *Server) settle(p *peer) {
	if p.newcomer != nil {
		s.newcomers.list.Remove(p.newcomer)
		p.newcomer = nil
	}
}

// settleFor says that the connection of a request has a viewer.
func (s *Server) settleFor(r *http.Request) {
	if p, ok := r.Context().Value(peerKey{}).(*peer); ok {
		p.noLonger()
	}
}

// noLonger takes the connection out of the line.
func (p *peer) noLonger() {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.server.settle(p)
}
