package faults

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	racers = 50
	// raceLanes is how many races run at the same time, each for a channel of its
	// own, since most of their time is spent on waiting.
	raceLanes = 5
)

// C8: of many publishers who want the same channel at the same time, all of whom a
// slow backend accepts, one gets it. The backend hears of the end of each start of
// the others, too. internal/server has it under the race detector.
func TestOnePublisherWinsEachRace(t *testing.T) {
	t.Parallel()
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		if e.Event == "start" && e.Channel != stage.CanaryChannel {
			stage.Pause(t.Context(), rand.N(200*time.Millisecond))
		}
		b.Accept(w, e)
	})
	f := begin(t, "C8", "CALLBACK_URL="+b.URL, "JWT_SECRET="+stage.CallbackSecret, "PUBLISH_TAKEOVER=never", "KEY_GUESSES_PER_MINUTE=0")
	rounds := f.scale(3, 160)
	crowd(raceLanes, func(lane int) {
		for n := range rounds {
			channel := fmt.Sprintf("race-%d-%d", lane, n)
			if err := f.race(channel); err != nil {
				f.Errorf("race %d of lane %d: %v", n, lane, err)
			}
		}
	})
	f.figure("races", rounds*raceLanes)
	f.figure("publishers in each", racers)
	starts, err := stopped(b)
	if err != nil {
		f.Error(err)
	}
	f.figure("starts that the backend accepted", starts)
	if starts < 2*rounds*raceLanes {
		f.Errorf("there was no race: %d starts", starts)
	}
}

// stopped waits until each start of a race that a backend accepted has stopped, and
// wants no stop without a start and no stop twice. It returns how many there were.
func stopped(b *stage.Backend) (starts int, err error) {
	mine := func(d stage.Deed) bool { return d.Channel != stage.CanaryChannel }
	for _, d := range b.Ledger.All() {
		if mine(d) && d.Kind == stage.DeedAccepted {
			starts++
		}
	}
	open, stops := make(map[string]string), 0
	_, ok := b.Ledger.Await(2*stage.Soon, func(d stage.Deed) bool {
		switch {
		case !mine(d):
		case d.Kind == stage.DeedAccepted:
			open[d.ID] = d.Channel
		case open[d.ID] != d.Channel:
			err = fmt.Errorf("a stop of %s, which does not run", d.Channel)
		default:
			delete(open, d.ID)
			stops++
		}
		return stops == starts
	})
	if !ok && err == nil {
		err = fmt.Errorf("%d of %d starts have no stop", len(open), starts)
	}
	return starts, err
}

// errLost says that a publisher was told that the channel is taken.
var errLost = errors.New("lost the race")

// race has publishers connect, publish all at once, and wants one of them to win
// and the others to be told why they did not.
func (f *fault) race(channel string) error {
	clients := make([]*attacker, racers)
	results := make([]error, racers)
	var ready, running sync.WaitGroup
	start := make(chan struct{})
	ready.Add(racers)
	for i := range racers {
		running.Go(func() {
			clients[i], results[i] = f.line(i, channel)
			ready.Done()
			<-start
			if results[i] != nil {
				return
			}
			err := clients[i].Publish(clients[i].Stream, "key")
			var refused *rtmp.StatusError
			if errors.As(err, &refused) && refused.Status.Code == rtmp.CodePublishBadName && clients[i].isClosed() {
				err = errLost
			}
			results[i] = err
		})
	}
	ready.Wait()
	close(start)
	running.Wait()
	winners := 0
	for i, err := range results {
		if clients[i] != nil {
			_ = clients[i].Conn.Close()
		}
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

// line brings a client to where it can publish.
func (f *fault) line(n int, channel string) (*attacker, error) {
	a, err := f.attack(n, asNewcomer)
	if err != nil {
		return nil, err
	}
	if _, err = a.Connect(rtmp.ConnectOptions{App: channel}); err == nil {
		a.Stream, err = a.CreateStream()
	}
	return a, err
}
