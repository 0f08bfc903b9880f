package faults

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// What a server with 200 MiB has to do with: encoders that send long groups of large
// frames, clients that begin messages of 16 MB and end none, and players that do not
// read. The first two want twice as much as there is.
const (
	greedyEncoders = 6
	greedyFrame    = 256 << 10
	greedyGroup    = 240 // frames, which are 60 MiB
	hoarders       = 5
	stalledPlayers = 40
)

// A server whose memory is nearly used up refuses newcomers, drops what it keeps for
// them, and lets them in again; who publishes and who watches notices nothing.
func TestAServerShortOfMemoryKeepsItsSessions(t *testing.T) {
	f := begin(t, "I4", "GOMEMLIMIT=200MiB", "GOP_CACHE_TOTAL_MB=4096")
	f.server.AwaitLine("msg=memory", "limit_mb=200", "from=GOMEMLIMIT", "incomplete_messages_mb=50")
	for i := range stalledPlayers {
		c, err := dial(f, host(i), f.server.Addr, nil)
		if err == nil {
			err = errors.Join(c.Start(stage.CanaryChannel, "key", stage.Watching), c.Conn.SetReadBuffer(4<<10))
		}
		if err != nil {
			f.Fatal(err)
		}
	}
	greedy, stopGreedy := context.WithCancel(f.Context())
	defer stopGreedy()
	var running sync.WaitGroup
	publish := func(channel string, then func(context.Context, *stage.Client)) {
		c, err := dial(f, host(1), f.server.Addr, nil)
		if err == nil {
			err = c.Start(channel, "key", stage.Publishing)
		}
		if err != nil {
			f.Fatal(err)
		}
		c.Record()
		running.Go(func() { then(greedy, c) })
	}
	for i := range hoarders {
		publish(fmt.Sprint("hoard", i), hoard)
	}
	for i := range greedyEncoders {
		publish(fmt.Sprint("greedy", i), flood)
	}
	running.Go(func() { knockOn(greedy, f.server.Addr) })
	most := int64(0)
	running.Go(func() {
		for stage.Pause(greedy, 50*time.Millisecond) {
			most = max(most, f.resident())
		}
	})

	over := f.server.AwaitLines(1, 6*stage.Soon, "level=WARN", "memory is no longer short")[0]
	for _, what := range []string{"connections_refused", "caches_dropped"} {
		if n, err := strconv.Atoi(stage.Attr(over, what)); err != nil || n == 0 {
			f.Errorf("%s: %s", what, over)
		}
		f.figure(strings.ReplaceAll(what, "_", " "), stage.Attr(over, what))
	}
	f.server.AwaitLine("level=WARN", `msg="connection refused"`, `reason="server short of memory"`)
	f.server.AwaitLine("level=WARN", "memory is short")
	stopGreedy()
	running.Wait()
	f.figure("limit", "200 MiB")
	f.figure("most resident", megabytes(most))
	if most > 300<<20 {
		f.Errorf("the server took %s", megabytes(most))
	}
	f.awaitWelcome()
}

// awaitWelcome plays when the server lets newcomers in.
func (f *fault) awaitWelcome() {
	f.Helper()
	for start := time.Now(); time.Since(start) < 2*stage.Soon; stage.Pause(f.Context(), 50*time.Millisecond) {
		if c, err := dial(f, canaryHost, f.server.Addr, nil); err == nil && c.Start(stage.CanaryChannel, "key", stage.Watching) == nil {
			_ = c.Conn.Close()
			return
		}
	}
	f.Error("newcomers are refused although nobody needs the memory any more")
}

// flood publishes 6 MiB a second in long groups.
func flood(ctx context.Context, c *stage.Client) {
	defer c.Reset()
	if c.SetChunkSize(64<<10) != nil {
		return
	}
	payload := make([]byte, greedyFrame)
	for i := 0; stage.Pause(ctx, 40*time.Millisecond); i++ {
		copy(payload, []byte{0x27, 1, 0, 0, 0})
		if i%greedyGroup == 0 {
			payload[0] = 0x17
		}
		m := rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: 6, Stream: c.Stream, Timestamp: uint32(40 * i), Payload: payload}
		if c.WriteMessage(m) != nil {
			return
		}
	}
}

// hoard begins messages on chunk streams in turn and ends none, until it has sent
// nearly 16 MiB.
func hoard(ctx context.Context, c *stage.Client) {
	defer c.Reset()
	const chunk = 64 << 10
	if c.SetChunkSize(chunk) != nil {
		return
	}
	for round := range 4 {
		for id := byte(3); id < 60; id++ {
			header := []byte{3<<6 | id} // goes on
			if round == 0 {
				header = []byte{id, 0, 0, 0, 0xFF, 0xFF, 0xFF, byte(rtmp.TypeVideo), 0, 0, 0, 0}
				binary.LittleEndian.PutUint32(header[8:], c.Stream)
			}
			if _, err := c.Conn.Write(append(header, make([]byte, chunk)...)); err != nil {
				return
			}
		}
	}
	<-ctx.Done()
}

// knockOn connects again and again.
func knockOn(ctx context.Context, addr string) {
	for stage.Pause(ctx, 20*time.Millisecond) {
		if conn, err := (&net.Dialer{Timeout: stage.Soon}).DialContext(ctx, "tcp", addr); err == nil {
			_ = conn.Close()
		}
	}
}
