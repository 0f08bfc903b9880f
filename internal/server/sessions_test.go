package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// obituaries are the ends that a server told of.
type obituaries struct {
	mu   sync.Mutex
	ends []stream.End
}

func (o *obituaries) add(e stream.End) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ends = append(o.ends, e)
}

// take returns them in the order of kind and id, as text, and forgets them.
func (o *obituaries) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var texts []string
	for _, e := range o.ends {
		text := fmt.Sprintf("%s %s %s %s", e.Kind, e.ID, e.Channel, e.Reason)
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		texts = append(texts, text)
	}
	o.ends = nil
	slices.Sort(texts)
	return texts
}

func (o *obituaries) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if got := o.take(); !slices.Equal(got, want) {
		t.Errorf("ends %q, want %q", got, want)
	}
}

func (f *fixture) sessions() []stream.Session {
	synctest.Wait()
	return slices.SortedFunc(slices.Values(f.Sessions()), func(a, b stream.Session) int { return cmp.Compare(a.ID, b.ID) })
}

// viewer returns the player of a channel, which reads nothing more.
func (f *fixture) viewer(app, key string) *rtmptest.Conn {
	f.t.Helper()
	client, conn := f.client(app)
	id, err := client.CreateStream()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := client.Play(id, key); err != nil {
		f.t.Fatal(err)
	}
	return conn
}

func TestSessionsAreWhoPublishesAndPlays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		start := time.Now()
		publisher, up := f.publish("live", "secret")
		defer func() { _ = up.Close() }()
		time.Sleep(time.Second)
		down := f.viewer("live", "secret")
		defer func() { _ = down.Close() }()
		go func() { _ = drain(down) }()
		waiting := f.viewer("other", "key")
		defer func() { _ = waiting.Close() }()
		for i := range 3 {
			if err := publisher.WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i == 0], uint32(i), 1000)); err != nil {
				t.Fatal(err)
			}
		}
		got := f.sessions()
		for i := range got {
			s := &got[i]
			if (s.BytesIn > 3000) != (s.Kind == stream.KindPublisher) || (s.BytesOut > 3000) != (i == 1) {
				t.Errorf("%s: %d bytes in and %d out", s.ID, s.BytesIn, s.BytesOut)
			}
			s.BytesIn, s.BytesOut = 0, 0
			if s.Kind == stream.KindPublisher && len(s.StreamID) < 10 {
				t.Errorf("stream id %q", s.StreamID)
			}
			s.StreamID = ""
		}
		known := stream.Session{Protocol: stream.ProtocolRTMP, Address: testAddr, Client: got[0].Client}
		want := []stream.Session{known, known, known}
		for i, of := range []struct {
			id           string
			kind         stream.Kind
			channel, key string
			started      time.Time
		}{
			{"1.1", stream.KindPublisher, "live", "secret", start},
			{"2.1", stream.KindPlayer, "live", "secret", start.Add(time.Second)},
			{"3.1", stream.KindPlayer, "other", "key", start.Add(time.Second)},
		} {
			s := &want[i]
			s.ID, s.Kind, s.Channel, s.Key, s.Started = of.id, of.kind, of.channel, of.key, of.started
		}
		want[0].Live, want[0].MessagesIn = true, 3
		want[1].Live, want[1].MessagesOut = true, 3
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got\n%+v\nwant\n%+v", got, want)
		}
		if got[0].Client == "" {
			t.Error("the client has no name")
		}
	})
}

func TestALaggingPlayerShows(t *testing.T) {
	const size = 150_000
	synctest.Test(t, func(t *testing.T) {
		o := new(obituaries)
		f := newFixture(t, func(options *Options) { options.Ended = o.add })
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		down := f.viewer("live", "key")
		defer func() { _ = down.Close() }()
		player := func() stream.Session { return f.sessions()[1] }
		send := func(from, to int) {
			for i := from; i < to; i++ {
				if err := publisher.WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i%10 == 0], uint32(i*100), size)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}
		send(0, 45)
		behind := player()
		if behind.Lag < 3*time.Second || behind.Lag > 5*time.Second || behind.Skips != 0 {
			t.Errorf("it lags by %v, and has skipped %d times", behind.Lag, behind.Skips)
		}
		go func() { _ = drain(down) }()
		send(45, 60)
		after := player()
		if after.Lag > 200*time.Millisecond || after.Skips != 1 || after.Skipped < 20 || after.MessagesOut+after.Skipped != 60 {
			t.Errorf("it lags by %v, has skipped %d messages in %d times, and got %d",
				after.Lag, after.Skipped, after.Skips, after.MessagesOut)
		}
		if traffic := f.Traffic()[plainTraffic]; traffic.Skipped != after.Skipped || traffic.MessagesOut != after.MessagesOut || traffic.Skips != 1 {
			t.Errorf("the server counts %+v", traffic)
		}
	})
}

func TestEverySessionHasOneEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(obituaries)
		f := newFixture(t, func(options *Options) { options.Ended = o.add })
		publisher, up := f.publish("live", "key")
		go func() { _ = drain(up) }()
		down := f.viewer("live", "key")
		go func() { _ = drain(down) }()
		o.want(t)

		if err := publisher.WriteMessage(rtmp.Command{Name: "FCUnpublish", Args: []any{"key"}}.Message(0)); err != nil {
			t.Fatal(err)
		}
		o.want(t, "publisher 1.1 live closed by client")
		if err := publisher.WriteMessage(rtmp.Command{Name: "publish", Args: []any{"key", "live"}}.Message(1)); err != nil {
			t.Fatal(err)
		}
		o.want(t)
		_ = up.Close()
		o.want(t, "publisher 1.1 live closed by client")
		if !f.Kick("2.1") || f.Kick("2.1") || f.Kick("9.9") {
			t.Error("not the session that is there was kicked")
		}
		_ = down.Close()
		o.want(t, "player 2.1 live killed by an operator")

		probe := f.dial()
		_ = probe.Close()
		o.want(t, "refused 3  closed before the handshake")

		_, last := f.publish("last", "key")
		go func() { _ = drain(last) }()
		f.stop()
		o.want(t, "publisher 4.1 last server stopping")
	})
}

func TestRefusalsAreEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(obituaries)
		f := newFixture(t, func(options *Options) { options.Ended, options.MaxConnections = o.add, 2 })
		defer f.stop()
		_, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		down := f.dial()
		greet(t, down, connectCommand("live"), createStream, playCommand("bad name"))
		go func() { _ = drain(down) }()
		time.Sleep(2 * lingerTimeout)
		_ = down.Close()
		synctest.Wait()
		if got := o.take(); len(got) != 1 || !strings.HasPrefix(got[0], "refused 2  invalid channel or key: ") {
			t.Errorf("ends %q", got)
		}

		second := f.viewer("live", "key")
		defer func() { _ = second.Close() }()
		third := f.dial()
		defer func() { _ = third.Close() }()
		o.want(t, "refused 4  server full")
		if traffic := f.Traffic()[plainTraffic]; traffic.Open != 2 || traffic.Accepted != 4 {
			t.Errorf("%d connections open of %d", traffic.Open, traffic.Accepted)
		}

		_, nc := rtmptest.Pipe(testAddr)
		f.turnDown(nc, stream.ReasonNoFiles)
		o.want(t, "refused   out of file descriptors")
	})
}

func TestTrafficNeverFalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		if err := publisher.WriteMessage(frame(0x17, 0, 1000)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := f.Traffic()[plainTraffic]
		_ = up.Close()
		synctest.Wait()
		after := f.Traffic()[plainTraffic]
		if before.Open != 1 || after.Open != 0 || after.MessagesIn != 1 || before.MessagesIn != 1 ||
			after.BytesIn < before.BytesIn || after.BytesOut < before.BytesOut || before.BytesIn < 1000 {
			t.Errorf("before the end %+v, after it %+v", before, after)
		}
		if secure := f.Traffic()[secureTraffic]; secure != (stream.Traffic{Protocol: stream.ProtocolRTMPS}) {
			t.Errorf("nobody came by RTMPS, and it has %+v", secure)
		}
	})
}

// TestSessionsCanBeListedWhileTheyComeAndGo is for the race detector.
func TestSessionsCanBeListedWhileTheyComeAndGo(t *testing.T) {
	f := newFixture(t, func(options *Options) { options.Ended = func(stream.End) {} })
	defer f.stop()
	publisher, up := f.publish("live", "key")
	go func() { _ = drain(up) }()
	defer func() { _ = up.Close() }()
	var running sync.WaitGroup
	done := make(chan struct{})
	running.Go(func() {
		for i := range 300 {
			if err := publisher.WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i%10 == 0], uint32(i), 100)); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		close(done)
	})
	running.Go(func() {
		for range 10 {
			down := f.viewer("live", "key")
			_ = down.Close()
		}
	})
	for listing := true; listing; {
		select {
		case <-done:
			listing = false
		default:
			f.Sessions()
			f.Traffic()
		}
	}
	running.Wait()
}
