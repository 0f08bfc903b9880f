package faults

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// newBackend returns a backend that accepts the canary, and whose answers to all
// others are up to the test. It does not serve yet.
func newBackend(t *testing.T, host string, answer func(*stage.Backend, http.ResponseWriter, stage.Event)) *stage.Backend {
	t.Helper()
	b := stage.NewBackend(t, host)
	b.Answer = func(w http.ResponseWriter, e stage.Event) {
		if e.Channel == stage.CanaryChannel {
			b.Accept(w, e)
			return
		}
		answer(b, w, e)
	}
	return b
}

// startBackend is newBackend that serves.
func startBackend(t *testing.T, answer func(*stage.Backend, http.ResponseWriter, stage.Event)) *stage.Backend {
	t.Helper()
	b := newBackend(t, "", answer)
	b.Open()
	return b
}

// others leaves the canary out.
func others(deeds []stage.Deed) (list []stage.Deed) {
	for _, d := range deeds {
		if d.Channel != stage.CanaryChannel {
			list = append(list, d)
		}
	}
	return list
}

// awaitPairs waits until the backend has heard of the end of each start that it
// has accepted so far.
func awaitPairs(t *testing.T, b *stage.Backend, within time.Duration) {
	t.Helper()
	total := 0
	for _, d := range others(b.Ledger.All()) {
		if d.Kind == stage.DeedAccepted {
			total++
		}
	}
	accepted, open := 0, make(map[string]bool)
	_, ok := b.Ledger.Await(within, func(d stage.Deed) bool {
		switch {
		case d.Channel == stage.CanaryChannel:
		case d.Kind == stage.DeedAccepted:
			accepted++
			open[d.ID] = true
		default:
			delete(open, d.ID)
		}
		return accepted >= total && len(open) == 0
	})
	if !ok && total > 0 {
		t.Errorf("of %d starts %d have no stop within %v", total, len(open), within)
	}
}

// checkPairs wants each accepted start to have at least one stop with its id
// and its claims, after it, and each stop to have a start. It returns how many
// starts there were, and how many stops more.
func checkPairs(t *testing.T, b *stage.Backend) (starts, repeated int) {
	t.Helper()
	started := make(map[string]stage.Event)
	stops := make(map[string]int)
	for _, d := range others(b.Ledger.All()) {
		if d.Kind == stage.DeedAccepted {
			started[d.ID] = d.Event
			continue
		}
		start, known := started[d.ID]
		switch {
		case !known:
			t.Errorf("a stop of %q, which has not started", d.ID)
		case d.Channel != start.Channel || d.Key != start.Key || d.ClientIP != start.ClientIP:
			t.Errorf("%s started as %s/%s of %s and stopped as %s/%s of %s",
				d.ID, start.Channel, start.Key, start.ClientIP, d.Channel, d.Key, d.ClientIP)
		}
		stops[d.ID]++
	}
	for id, start := range started {
		if stops[id] == 0 {
			t.Errorf("%s on %s started and never stopped", id, start.Channel)
		}
		repeated += max(stops[id]-1, 0)
	}
	tokens := make(map[string]bool)
	for _, e := range b.Events.All() {
		if tokens[e.Jti] {
			t.Errorf("two requests have the jti %s", e.Jti)
		}
		tokens[e.Jti] = true
	}
	return len(started), repeated
}

// refusalLimit is within what a publisher has to be refused and closed, whatever
// the backend does. The server promises 5 s.
const refusalLimit = 5*time.Second + late

// publishRefused publishes on a channel, and wants to be told that it may not
// and closed, in time.
func publishRefused(t *testing.T, s *stage.Server, channel string) (time.Duration, error) {
	t.Helper()
	c, key, err := stage.Open(t, "", s.Addr, channel+"/"+stage.CallbackKey)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	if err := c.Conn.SetDeadline(start.Add(refusalLimit)); err != nil {
		return 0, err
	}
	err = checkDenied(c, c.Publish(c.Stream, key), rtmp.CodePublishDenied)
	return time.Since(start), err
}

// checkDenied wants err to be the refusal of a command with a code, and the
// connection to be closed.
func checkDenied(c *stage.Client, err error, code string) error {
	if err == nil {
		return errors.New("it may publish")
	}
	var refused *rtmp.StatusError
	if !errors.As(err, &refused) {
		return fmt.Errorf("got %w, want a refusal", err)
	}
	if told := refused.Status; told.Level != rtmp.LevelError || told.Code != code || told.Description == "" {
		return fmt.Errorf("got %+v, want %s %s and a description", told, rtmp.LevelError, code)
	}
	for {
		_, err := c.ReadMessage()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return errors.New("the refused connection is still open")
		}
		if err != nil {
			return nil //nolint:nilerr // the server has closed it
		}
	}
}

// stop ends the canary, and then the server, whose vitals are of no interest then.
func (f *fault) stop() {
	f.Helper()
	f.canary.finish()
	f.restarted = true
	f.server.Stop()
}
