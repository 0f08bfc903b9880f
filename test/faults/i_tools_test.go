package faults

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// faulty builds the server that fails where FAULTINJECT says, once for all tests.
var faulty = sync.OnceValues(func() (string, error) {
	binary := filepath.Join(filepath.Dir(stage.Binary), "faulty")
	return binary, stage.Build(binary, "-tags", "faultinject")
})

func faultyServer(t *testing.T) stage.Process {
	t.Helper()
	binary, err := faulty()
	if err != nil {
		t.Fatal(err)
	}
	return stage.Process{Binary: binary}
}

// member is a client of the test's own stream, whose messages all count.
type member struct {
	*stage.Client
	seen *stage.Journal[rtmp.Message]
}

// take has a client from an address publish or play.
func (f *fault) take(from, channel string, how func(*rtmp.Client, uint32, string) error) (member, error) {
	c, err := dial(f, from, f.server.Addr, nil)
	if err == nil {
		// A server that fails may leave a client without an answer.
		err = errors.Join(c.Conn.SetDeadline(time.Now().Add(4*stage.Soon)), c.Start(channel, "key", how))
	}
	if err != nil {
		if c != nil {
			c.Reset()
		}
		return member{}, err
	}
	_ = c.Conn.SetDeadline(time.Time{})
	return member{c, c.Record()}, nil
}

// must is take that cannot fail.
func (f *fault) must(from, channel string, how func(*rtmp.Client, uint32, string) error) member {
	f.Helper()
	m, err := f.take(from, channel, how)
	if err != nil {
		f.Fatalf("%s from %s: %v", channel, from, err)
	}
	return m
}

// feed publishes a small message every 20 ms until ctx ends or the server closes,
// and returns how many were sent.
func (m member) feed(ctx context.Context) (sent int) {
	for ; ctx.Err() == nil; sent++ {
		one := stage.CanaryMessage(m.Stream, sent)
		one.Payload = one.Payload[:200]
		if m.WriteMessage(one) != nil {
			break
		}
		stage.Pause(ctx, 20*time.Millisecond)
	}
	return sent
}

// lasting is a context that lasts for a while.
func (f *fault) lasting(after time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(f.bounded(), after)
	f.Cleanup(cancel)
	return ctx
}

// saw reports whether a message of a description came so far.
func (m member) saw(what string) bool {
	for _, one := range m.seen.All() {
		if stage.Describe(one) == what {
			return true
		}
	}
	return false
}

// eventually waits for something, and reports whether it came about.
func (f *fault) eventually(within time.Duration, what string, is func() bool) bool {
	f.Helper()
	for deadline := time.Now().Add(within); !is(); stage.Pause(f.bounded(), 20*time.Millisecond) {
		if time.Now().After(deadline) {
			f.Errorf("not within %v: %s", within, what)
			return false
		}
	}
	return true
}

// pairs wants each start that a backend has accepted to be stopped, but for that of
// the canary, and returns how many there were.
func (f *fault) pairs(b *stage.Backend) (starts int) {
	f.Helper()
	open := make(map[string]string)
	count := func() bool {
		starts = 0
		clear(open)
		for _, d := range b.Ledger.All() {
			if d.Kind == stage.DeedAccepted && d.Channel != stage.CanaryChannel {
				starts++
				open[d.ID] = d.Channel
			}
		}
		for _, d := range b.Ledger.All() {
			if d.Kind == stage.DeedTaken {
				delete(open, d.ID)
			}
		}
		return len(open) == 0
	}
	if !f.eventually(4*stage.Soon, "a stop for each start", count) {
		f.Errorf("started and never stopped: %v", open)
	}
	return starts
}

// callback are the settings for a backend.
func callback(b *stage.Backend) []string {
	return []string{"CALLBACK_URL=" + b.URL, "JWT_SECRET=" + stage.CallbackSecret}
}

// channelOf names the nth channel of a test.
func channelOf(n int) string { return fmt.Sprint("channel", n) }
