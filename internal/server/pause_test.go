package server

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestAPauseOfTheProcessCostsNobodyTheSession moves the clock of the server on,
// as if the process had been stopped for a minute.
func TestAPauseOfTheProcessCostsNobodyTheSession(t *testing.T) {
	for _, test := range []struct {
		name  string
		comes bool // whether media waited in the kernel
	}{{"media waits", true}, {"nothing comes", false}} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				client, nc := f.client("live")
				defer func() { _ = nc.Close() }()
				id, err := client.CreateStream()
				if err != nil {
					t.Fatal(err)
				}
				if err := client.Publish(id, "key"); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				c := f.open()[0]
				c.watch.mu.Lock()
				c.server.epoch = c.server.epoch.Add(-time.Minute)
				c.watch.mu.Unlock()
				c.watch.check()
				if c.ended() {
					t.Fatal("the session ended at once")
				}
				if test.comes {
					c.watch.media.Store(int64(c.server.now()))
				}
				time.Sleep(reprieve + time.Second)
				if c.ended() == test.comes {
					t.Errorf("the session ended: %v", c.ended())
				}
			})
		})
	}
}
