package server

import "github.com/AgustinSRG/rtmp-server/internal/stream"

// Stragglers returns the players that are behind, in no order. Media never waits for
// it.
func (s *Server) Stragglers() []stream.Straggler {
	var list []stream.Straggler
	for _, c := range s.open() {
		for _, a := range c.openAccounts() {
			if a.player == nil {
				continue
			}
			if one, ok := a.player.place.Straggler(a.player.subscription.Log(), c.endBehind); ok {
				list = append(list, one)
			}
		}
	}
	return list
}

// endBehind closes the connection of a player that is behind, unless what it holds is
// about to be freed.
func (c *conn) endBehind() bool {
	if c.ended() {
		return false
	}
	c.end(stream.ReasonBehind, nil)
	_ = c.nc.socket.Close() // it would hold all that until it has read a goodbye
	return true
}
