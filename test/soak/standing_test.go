package soak

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The standing channels are live all the time, of 0.8 Mbit/s each, for players to
// come and go.
const (
	standingChannels = 6
	standingKey      = "standing-key"
	standingEvery    = 20 * time.Millisecond
)

func standingName(n int) string { return fmt.Sprintf("standing-%d", n) }

// standing are their publishers.
type standing struct {
	soak    *soak
	stop    context.CancelFunc
	running sync.WaitGroup
}

func startStanding(s *soak) *standing {
	s.Helper()
	ctx, stop := context.WithCancel(context.Background())
	all := &standing{soak: s, stop: stop}
	s.Cleanup(all.finish)
	for n := range standingChannels {
		g, err := s.stays(false)
		if err == nil {
			err = g.publish(standingName(n), standingKey)
		}
		if err != nil {
			s.Fatal(err)
		}
		all.running.Go(func() { // what the server says
			for {
				if _, err := g.ReadMessage(); err != nil {
					return
				}
			}
		})
		all.running.Go(func() {
			defer func() { _ = g.conn.Close() }()
			for i := 0; stage.Pause(ctx, standingEvery); i++ {
				if err := g.WriteMessage(stage.NumberedMessage(g.stream, i)); err != nil {
					s.Errorf("the publisher of %s: %v", standingName(n), err)
					return
				}
			}
		})
	}
	return all
}

// stays connects one of those who stay.
func (s *soak) stays(secure bool) (*guest, error) {
	addr := s.server.Addr
	if secure {
		addr = s.secure
	}
	conn, err := s.dial(context.Background(), resident, addr)
	if err != nil {
		return nil, err
	}
	s.Cleanup(func() { _ = conn.Close() })
	return s.greet(conn, secure)
}

// finish has all of them leave.
func (a *standing) finish() {
	a.stop()
	a.running.Wait()
}
