package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	racers    = 50
	raceCount = 200
	// raceTime bounds the time for all races on a machine that is too slow for so many.
	raceTime = 15 * time.Second
	// raceLanes is how many races run at the same time, each on a server of its
	// own, since most of their time is spent on waiting.
	raceLanes = 4
)

// Of many publishers who want the same channel at the same time, all of whom a
// slow backend accepts, one gets it. The backend hears of the end of each start
// of the others, too.
func TestOnePublisherWinsEachRace(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		if e.Event == "start" {
			stage.Pause(t.Context(), rand.N(200*time.Millisecond))
		}
		b.Accept(w, e)
	})
	var servers []*stage.Server
	for range raceLanes {
		servers = append(servers, startCallbackServer(t, b, "PUBLISH_TAKEOVER=never"))
	}
	begin := time.Now()
	var races atomic.Int64
	var lanes sync.WaitGroup
	for _, s := range servers {
		lanes.Go(func() {
			for !t.Failed() && time.Since(begin) < raceTime {
				n := races.Add(1)
				if n > raceCount {
					races.Add(-1)
					return
				}
				key := fmt.Sprint(stage.CallbackKey, "-", n)
				if err := race(t, s, "channel", key); err != nil {
					t.Errorf("race %d: %v", n, err)
				}
				awaitStops(t, b, key)
			}
		})
	}
	lanes.Wait()
	took := time.Since(begin)
	starts, repeated := checkPairs(t, b)
	t.Logf("%d races of %d publishers took %v, the backend accepted %d of them", races.Load(), racers, took, starts)
	if starts < 2*int(races.Load()) || repeated != 0 {
		t.Errorf("%d starts in %d races, and %d stops more than those", starts, races.Load(), repeated)
	}
	if races.Load() < raceLanes*2 {
		t.Errorf("there was time for %d races only", races.Load())
	}
}

// errLost says that a publisher was told that the channel is taken.
var errLost = errors.New("lost the race")

// awaitStops waits until the starts with a key, of which no more will come, have
// stopped. The channel is free for the next race then.
func awaitStops(t *testing.T, b *stage.Backend, key string) {
	mine := func(d stage.Deed) bool { return d.Key == key }
	open := 0
	for _, d := range b.Ledger.All() {
		if mine(d) && d.Kind == stage.DeedAccepted {
			open++
		}
	}
	_, ok := b.Ledger.Await(2*stage.Soon, func(d stage.Deed) bool {
		if mine(d) && d.Kind == stage.DeedTaken {
			open--
		}
		return open == 0
	})
	if !ok {
		t.Errorf("%d starts of %s have no stop", open, key)
	}
}

// race has publishers connect, publish all at once, and wants one of them to
// win and the others to be told why they did not.
func race(t *testing.T, s *stage.Server, channel, key string) error {
	clients := make([]*stage.Client, racers)
	results := make([]error, racers)
	defer func() {
		for _, c := range clients {
			if c != nil {
				_ = c.Conn.Close()
			}
		}
	}()
	var running sync.WaitGroup
	start := make(chan struct{})
	var ready sync.WaitGroup
	for i := range racers {
		ready.Add(1)
		running.Go(func() {
			var err error
			clients[i], _, err = stage.Open(t, "", s.Addr, channel+"/"+key)
			ready.Done()
			if err != nil {
				results[i] = err
				return
			}
			<-start
			if err = clients[i].Publish(clients[i].Stream, key); err != nil {
				err = checkDenied(clients[i], err, rtmp.CodePublishBadName)
				if err == nil {
					err = errLost
				}
			}
			results[i] = err
		})
	}
	ready.Wait()
	close(start)
	running.Wait()
	winners := 0
	for _, err := range results {
		switch {
		case err == nil:
			winners++
		case !errors.Is(err, errLost):
			return err
		}
	}
	if winners != 1 {
		return fmt.Errorf("%d publishers won", winners)
	}
	return nil
}
