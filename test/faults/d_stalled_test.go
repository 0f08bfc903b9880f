package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// stallLimit is within how long a player that takes nothing is gone.
const stallLimit = 10 * time.Second

// D1: test/e2e has real programs that are stopped.
func TestPlayersThatStopReadingAreClosed(t *testing.T) {
	t.Parallel()
	redis := stage.StartRedis(t)
	f := begin(t, "D1", redis.Settings()...)
	f.server.AwaitLine(stage.RedisBack)
	fast := show{size: 50_000, every: 20 * time.Millisecond, group: 50} // 20 Mbit/s
	f.airs("fast", fast)
	f.airs("doomed", fast)
	n := f.scale(6, 50)
	start := time.Now()
	for i := range n {
		c := f.watches(i, "fast")
		if err := c.Conn.SetReadBuffer([]int{4 << 10, 64 << 10}[i%2]); err != nil {
			f.Fatal(err)
		}
	}
	secure, err := dial(f, host(1), f.server.SecureAddr(), f.issuer.Config())
	if err == nil {
		err = errors.Join(secure.Start("fast", "key", stage.Watching), secure.Conn.SetReadBuffer(4<<10))
	}
	if err != nil {
		f.Fatal(err)
	}
	f.watches(1, "doomed")
	stage.Pause(f.bounded(), 2*time.Second) // until the kernel takes nothing more
	killed := time.Now()
	redis.Publish("kill-session>doomed")
	f.server.AwaitLines(1, time.Second+late, "msg=end", "role=player", "channel=doomed", "killed by command")
	f.figure("one of them killed after", time.Since(killed).Round(time.Millisecond))
	f.joinsAtOnce()

	last := ""
	for _, end := range f.server.AwaitLines(n+1, stallLimit+2*late, "msg=end", "role=player", "channel=fast") {
		last = end
		if reason := stage.Attr(end, "reason"); reason != "peer stopped reading" && reason != "peer unreachable" {
			f.Errorf("one was closed for another reason: %s", end)
		}
	}
	took := time.Since(start)
	f.figure("players", n+1)
	f.figure("all closed after", took.Round(100*time.Millisecond))
	if took > stallLimit+late {
		f.Errorf("the last was closed after %v: %s", took, last)
	}
}

// What a player takes that does not read, see "Memory" in docs/configuration.md:
// kernelShare of the kernel's, and ownShare of the server's, beside what of its
// channel is kept for all of those together.
const (
	kernelShare = 640 << 10
	ownShare    = 32 << 10
)

// D7: all players of a channel stop reading at the same moment, when it begins.
func TestAThousandPlayersThatStopReading(t *testing.T) {
	f := begin(t, "D7", "MAX_IP_CONCURRENT_CONNECTIONS=0", "LOG_REQUESTS=NO")
	const n = 1000
	crowd(8, func(i int) {
		for k := i; k < n; k += 8 {
			c, err := dial(f, host(k), f.server.Addr, nil)
			if err == nil {
				err = errors.Join(c.Start("fast", "key", stage.Watching), c.Conn.SetReadBuffer(4<<10))
			}
			if err != nil {
				f.Error(err)
				return
			}
		}
	})
	waiting, own := f.kernel(), f.resident()
	f.figure("players", n)
	f.figure("bytes of one that waits", (own-f.before.resident)/n)

	// 20 Mbit/s: what is kept for them is ten seconds of it at most.
	fast := show{size: 50_000, every: 20 * time.Millisecond, group: 50}
	const media = 10 * 20 << 20 / 8
	start := time.Now()
	f.airs("fast", fast)
	var most kernel
	resident := int64(0)
	for f.ended("peer stopped reading")+f.ended("peer unreachable") < n && time.Since(start) < 3*stallLimit {
		most.memory = max(most.memory, f.kernel().memory-waiting.memory)
		resident = max(resident, f.resident()-own)
		stage.Pause(f.bounded(), 200*time.Millisecond)
	}
	took := time.Since(start)
	f.figure("memory of the kernel", megabytes(most.memory))
	f.figure("of the server", megabytes(resident))
	f.figure("all closed after", took.Round(100*time.Millisecond))
	if took > 2*stallLimit {
		f.Errorf("after %v, %d have been closed", took, f.ended("peer stopped reading"))
	}
	if most.memory > n*kernelShare {
		f.Errorf("the kernel held %s for %d players", megabytes(most.memory), n)
	}
	if resident > n*ownShare+2*media+moreHeap { // as much garbage as there is in use
		f.Errorf("the server took %s for %d players", megabytes(resident), n)
	}
}

// D7: what is kept for those who do not read is bounded by time alone, until memory
// is short. internal/stream and internal/app have who has to go.
func TestStalledPlayersOfFastStreamsMakeRoom(t *testing.T) {
	f := begin(t, "D7", "GOMEMLIMIT=200MiB", "GOP_CACHE_SIZE_MB=8")
	const channels = 4
	for i := range channels { // 13 MB/s each
		c := f.watches(i, fmt.Sprint("fast", i))
		if err := c.Conn.SetReadBuffer(4 << 10); err != nil {
			f.Fatal(err)
		}
		f.airs(fmt.Sprint("fast", i), show{size: 256 << 10, every: 20 * time.Millisecond, group: 25})
	}
	most := int64(0)
	stop := f.meanwhile(func(ctx context.Context) {
		for stage.Pause(ctx, 50*time.Millisecond) {
			most = max(most, f.resident())
		}
	})
	over := f.server.AwaitLines(1, 6*stage.Soon, "level=WARN", "memory is no longer short")[0]
	stop()
	f.figure("limit", "200 MiB")
	f.figure("most resident", megabytes(most))
	for _, what := range []string{"viewers_closed", "caches_dropped", "connections_refused"} {
		f.figure(strings.ReplaceAll(what, "_", " "), stage.Attr(over, what))
	}
	if n, err := strconv.Atoi(stage.Attr(over, "viewers_closed")); err != nil || n == 0 {
		f.Errorf("nobody made room: %s", over)
	}
	f.server.AwaitLine("msg=end", "role=player", "channel=fast", `reason="too far behind for a server short of memory"`)
	if most > 300<<20 {
		f.Errorf("the server took %s", megabytes(most))
	}
	f.awaitWelcome()
}
