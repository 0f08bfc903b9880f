package server

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestGracesExpireEachAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGraces(time.Second)
		start := time.Now()
		var expired []time.Duration
		expire := func() { expired = append(expired, time.Since(start)) }
		g.begin(expire)
		time.Sleep(400 * time.Millisecond)
		g.begin(expire)
		g.begin(expire)
		time.Sleep(800 * time.Millisecond)
		synctest.Wait()
		g.end() // of two
		g.end()
		g.begin(expire)
		time.Sleep(time.Hour)
		synctest.Wait()
		const ms = time.Millisecond
		if want := []time.Duration{1000 * ms, 1200 * ms, 1200 * ms, 1200 * ms}; !slices.Equal(expired, want) {
			t.Errorf("expired after %v, want %v", expired, want)
		}
	})
}

func TestTheEndOfGracesWaitsForOneThatExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGraces(time.Second)
		var expired atomic.Bool
		g.begin(func() {
			time.Sleep(time.Minute)
			expired.Store(true)
		})
		time.Sleep(2 * time.Second)
		g.end()
		if !expired.Load() {
			t.Error("it did not")
		}
	})
}

// TestAServerThatStopsLeavesNoGrace has publishers cut off before and while the
// server stops, by either way to stop it.
func TestAServerThatStopsLeavesNoGrace(t *testing.T) {
	for name, stop := range map[string]func(*Server){
		"shutdown": func(s *Server) { _ = s.Shutdown(context.Background()) },
		"close":    func(s *Server) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options) { o.PublishGrace = time.Hour })
				defer f.stop()
				_, lost := f.publish("lost", "key")
				_, present := f.publish("present", "key")
				_ = lost.Close()
				synctest.Wait()
				if n := f.registry.Len(); n != 2 {
					t.Errorf("%d channels, want 2", n)
				}
				go func() {
					_ = drain(present)
					_ = present.Close()
				}()
				stop(f.Server)
				synctest.Wait()
				if n := f.registry.Len(); n != 0 {
					t.Errorf("%d channels left", n)
				}
			})
		})
	}
}

// TestAStopIsToldWhenTheConnectionIsLost has the authorizer hear at once of the
// end of a publication whose publisher may come back, and of the return.
func TestAStopIsToldWhenTheConnectionIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := &ledger{}
		f := newFixture(t, func(o *Options) { o.Authorizer, o.PublishGrace = accepted, time.Minute })
		defer f.stop()
		for i := range 3 {
			_, conn := f.publish("live", "key") // nor is the channel busy
			_ = conn.Close()
			synctest.Wait()
			if started, stopped := accepted.counts(); started != i+1 || stopped != i+1 {
				t.Errorf("%d starts and %d stops, want %d of each", started, stopped, i+1)
			}
		}
	})
}

// TestAPublisherThatComesAndGoesLeavesNothing has one do it for a while: its
// viewers hear of one end, and nothing piles up.
func TestAPublisherThatComesAndGoesLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.PublishGrace = 10 * time.Second })
		defer f.stop()
		player, watching := f.client("live")
		defer func() { _ = watching.Close() }()
		id, err := player.CreateStream()
		if err != nil {
			t.Fatal(err)
		}
		if err := player.Play(id, "key"); err != nil {
			t.Fatal(err)
		}
		ends := make(chan int, 1)
		go func() { ends <- countStatus(player, rtmp.CodePlayUnpublishNotify) }()
		for range 20 {
			_, conn := f.publish("live", "key")
			_ = conn.Close()
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		f.graces.mu.Lock()
		if n := len(f.graces.running); n != 0 {
			t.Errorf("%d graces left", n)
		}
		f.graces.mu.Unlock()
		_ = watching.Close()
		if n := <-ends; n != 1 {
			t.Errorf("the player heard of %d ends, want one", n)
		}
	})
}

// countStatus reads until the connection ends, and returns how often it was told
// of a status.
func countStatus(c *rtmp.Client, code string) (n int) {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return n
		}
		if m.Type != rtmp.TypeCommand {
			continue
		}
		command, err := rtmp.ParseCommand(m)
		if err != nil {
			return n
		}
		if status, _ := rtmp.ParseStatus(command); status.Code == code {
			n++
		}
	}
}
