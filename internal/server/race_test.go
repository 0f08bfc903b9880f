package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// slow is an Authorizer that takes up to 200 ms, and pairs starts with stops.
type slow struct {
	mu   sync.Mutex
	next int
	live map[string]bool // stream ids
	rand *rand.Rand
}

func (s *slow) Start(ctx context.Context, _ access.Request) (string, error) {
	s.mu.Lock()
	s.next++
	id := fmt.Sprint("stream-", s.next)
	pause := time.Duration(s.rand.IntN(200)) * time.Millisecond
	s.mu.Unlock()
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[id] = true
	return id, nil
}

func (s *slow) Stop(_ access.Request, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.live[id] {
		panic("stop of " + id + ", which has not started or was stopped before")
	}
	delete(s.live, id)
}

func (s *slow) unpaired() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// TestOnePublisherWinsTheRace has 50 publishers want one channel at the same
// time, 200 times: one gets it, the others are told that it is busy, and every
// start that was accepted has its stop.
func TestOnePublisherWinsTheRace(t *testing.T) {
	const rounds, publishers = 200, 50
	for round := range rounds {
		synctest.Test(t, func(t *testing.T) {
			authorizer := &slow{live: make(map[string]bool), rand: rand.New(rand.NewPCG(1, uint64(round)))}
			f := newFixture(t, func(o *Options) { o.Authorizer = authorizer })
			defer f.stop()
			var won, busy atomic.Int32
			var winner atomic.Pointer[rtmptest.Conn]
			var racing sync.WaitGroup
			for range publishers {
				racing.Go(func() {
					client, conn := f.client("live")
					id, err := client.CreateStream()
					if err != nil {
						t.Error(err)
						return
					}
					err = client.Publish(id, "key")
					var refused *rtmp.StatusError
					switch {
					case err == nil:
						won.Add(1)
						winner.Store(conn)
						return
					case errors.As(err, &refused) && refused.Status.Code == rtmp.CodePublishBadName:
						busy.Add(1)
					default:
						t.Errorf("round %d: %v", round, err)
					}
					_ = conn.Close()
				})
			}
			racing.Wait()
			synctest.Wait()
			if won.Load() != 1 || busy.Load() != publishers-1 || authorizer.unpaired() != 1 {
				t.Fatalf("round %d: %d winners, %d told busy, %d starts without a stop; want 1, %d and 1",
					round, won.Load(), busy.Load(), authorizer.unpaired(), publishers-1)
			}
			_ = winner.Load().Close()
			synctest.Wait()
			if n := authorizer.unpaired(); n != 0 {
				t.Fatalf("round %d: %d starts without a stop at the end", round, n)
			}
		})
	}
}
