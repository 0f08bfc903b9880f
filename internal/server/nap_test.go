package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// TestPublishersNapWhileNobodyWatches has a message each 10 ms, as far as the
// server takes them: writes wait for it here.
func TestPublishersNapWhileNobodyWatches(t *testing.T) {
	const every, messages = 10 * time.Millisecond, 20
	for name, c := range map[string]struct {
		delay   time.Duration
		watched bool
		want    time.Duration // between two reads
	}{
		"nobody watches":    {100 * time.Millisecond, false, unwatchedNap},
		"somebody watches":  {100 * time.Millisecond, true, every},
		"delay is unwanted": {0, false, every},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, func(o *Options) { o.MaxWriteDelay = c.delay })
				defer f.stop()
				publisher, conn := f.publish("live", "key")
				defer func() { _ = conn.Close() }()
				if c.watched {
					s, err := f.registry.Subscribe("live", "key", session(nil), nobody{})
					if err != nil {
						t.Fatal(err)
					}
					defer s.Close()
				}
				served := f.only()
				var first time.Duration
				for i := range messages {
					time.Sleep(every)
					if err := publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{0xaf, 1, 2}}); err != nil {
						t.Fatal(err)
					}
					synctest.Wait()
					if i == 4 {
						first = time.Duration(served.watch.media.Load())
					}
				}
				mean := (time.Duration(served.watch.media.Load()) - first) / (messages - 5)
				if mean < c.want-napGrid || mean > c.want {
					t.Errorf("reads are %v apart, want %v", mean, c.want)
				}
			})
		})
	}
}

// TestNapsEndWithTheConnection kills a publisher in its nap.
func TestNapsEndWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(o *Options) { o.MaxWriteDelay = 100 * time.Millisecond })
		defer f.stop()
		publisher, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		for range 3 {
			if err := publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{0xaf, 1, 2}}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		began := time.Now()
		if n := f.registry.KillSession("live"); n != 1 {
			t.Fatalf("%d sessions", n)
		}
		synctest.Wait()
		if f.registry.Len() != 0 || time.Since(began) != 0 {
			t.Errorf("%d channels after %v, want none at once", f.registry.Len(), time.Since(began))
		}
	})
}

// only returns the one connection.
func (f *fixture) only() *conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		return c
	}
	return nil
}
