package server

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// Memory that is short keeps newcomers out, and touches nobody who is there.
func TestAServerShortOfMemoryRefusesNewcomersAndKeepsSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		var running sync.WaitGroup
		defer running.Wait()
		defer f.stop()
		publisher, conn := f.publish("live", "key")
		running.Go(func() { _ = drain(conn) })
		watching := f.dial()
		f.watch(watching, &running)
		sessions := f.Connections()

		if refused := f.SetShort(true); refused != 0 {
			t.Errorf("%d connections refused before the shortage", refused)
		}
		for range 5 {
			if isOpen(t, f.dial()) {
				t.Error("a newcomer is let in")
			}
		}
		if err := publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{0xAF, 1, 2}}); err != nil {
			t.Errorf("the publisher cannot go on: %v", err)
		}
		synctest.Wait()
		if n := f.Connections(); n != sessions {
			t.Errorf("%d connections, want the %d that were there", n, sessions)
		}
		if refused := f.SetShort(false); refused != 5 {
			t.Errorf("%d connections refused, want 5", refused)
		}
		f.watch(f.dial(), &running)
		if n := f.Connections(); n != sessions+1 {
			t.Errorf("%d connections, want %d", n, sessions+1)
		}
		time.Sleep(samplePeriod)
		synctest.Wait()
		f.wantLog(`level=WARN msg="connection refused"`, 1)
		f.wantLog(`level=WARN msg="refusals left out" reason="server short of memory" count=4`, 1)
	})
}

// hold publishes the first so many bytes of a message of 16 MB.
func (f *fixture) hold(channel string, bytes int) *rtmptest.Conn {
	f.t.Helper()
	_, conn := f.publish(channel, "key")
	go func() { _ = drain(conn) }()
	whole := rtmp.AppendMessage(nil, rtmp.SetChunkSize(rtmp.DefaultChunkSize), rtmp.DefaultChunkSize)
	whole = rtmp.AppendMessage(whole, rtmp.Message{
		Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: make([]byte, rtmp.MaxMessageSize),
	}, rtmp.DefaultChunkSize)
	_, _ = conn.Write(whole[:bytes]) // fails when the connection is closed within it
	return conn
}

// Who asks for more when the memory for incomplete messages is spent gets it from who
// has held most of it for the longest time.
func TestIncompleteMessagesOfAllConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		f := newFixture(t, func(o *Options) { o.MaxIncomplete = 4 * mib })
		defer f.stop()
		for _, channel := range []string{"one", "two", "three"} { // each holds 2 MiB, by doubling
			conn := f.hold(channel, mib+mib/4)
			defer func() { _ = conn.Close() }()
			synctest.Wait()
		}
		time.Sleep(2 * lingerTimeout)
		synctest.Wait()
		f.wantLog(`reason="`+string(ReasonBudget)+`"`, 1)
		f.wantLog(`msg=end id=1 `, 1)
		if n := f.Connections(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
		if got := f.incomplete.budget.Taken(); got > 4*mib || got < 3*mib {
			t.Errorf("%d bytes are held", got)
		}
		for range 10 { // a publisher whose messages end is never the one
			f.completes(mib)
		}
		f.wantLog(`channel=honest reason="closed by client"`, 10)
	})
}

// completes publishes a whole message of so many bytes, and leaves.
func (f *fixture) completes(bytes int) {
	f.t.Helper()
	client, conn := f.publish("honest", "key")
	go func() { _ = drain(conn) }()
	if err := client.WriteMessage(rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: make([]byte, bytes)}); err != nil {
		f.t.Error(err)
	}
	_ = conn.Close()
	synctest.Wait()
}
