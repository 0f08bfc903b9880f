package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	killedEncoders = 5 // and one FFmpeg
	killedPlayers  = 5
	// What a restart promises: when it accepts, and when encoders are back that try
	// again ten times a second.
	acceptsWithin = time.Second
	backWithin    = 3 * time.Second
	retryEvery    = 100 * time.Millisecond
)

// killed is a server that is killed again and again, and those who come back.
type killed struct {
	*fault
	server   *stage.Server
	backend  *stage.Backend
	settings []string
	channels []string
	told     map[string]*atomic.Int64 // publications that their encoders know of
	kills    []time.Time
	accepts  []time.Duration
	backs    []time.Duration
}

// A server that is killed leaves nothing behind that keeps the next one from its port
// or encoders from their channels, and the callback hears of every end.
func TestKilledFiftyTimes(t *testing.T) {
	f := alone(t, "I7")
	k := &killed{fault: f, told: make(map[string]*atomic.Int64)}
	k.backend = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) { k.backend.Accept(w, e) })
	_, port := stage.FreeAddr(t, "127.0.0.1") // those who come back must not take it for their end
	k.settings = []string{
		"CALLBACK_URL=" + k.backend.URL, "JWT_SECRET=" + stage.CallbackSecret, "STATE_DIR=" + t.TempDir(),
		"MAX_IP_CONCURRENT_CONNECTIONS=0", "DRAIN_SECONDS=0", "RTMP_PORT=" + port,
	}
	k.server = stage.Start(t, k.settings...)
	leave := k.crowd()
	defer leave()
	n := f.scale(5, 50)
	for i := range n {
		if i%5 == 4 { // while they are on their way back
			stage.Pause(f.bounded(), rand.N(200*time.Millisecond))
		} else {
			k.awaitBack()
			stage.Pause(f.bounded(), rand.N(time.Second))
		}
		k.kill()
	}
	k.awaitBack()
	leave()
	k.server.Stop()
	f.figure("kills", n)
	k.checkTimes("accepts after", k.accepts, acceptsWithin)
	k.checkTimes("encoders back after", k.backs, backWithin)
	k.checkStops()
}

// crowd has encoders and players come, who come back whenever they are cut off, until
// they are told to leave.
func (k *killed) crowd() (leave func()) {
	ctx, stop := context.WithCancel(k.bounded())
	var running sync.WaitGroup
	addr := k.server.Addr
	for i := range killedEncoders {
		channel, told := fmt.Sprint("encoder-", i), new(atomic.Int64)
		k.channels, k.told[channel] = append(k.channels, channel), told
		running.Go(func() {
			for stage.Pause(ctx, retryEvery) {
				c, err := dial(k.fault, host(i), addr, nil)
				if err == nil {
					err = c.Start(channel, stage.CallbackKey, stage.Publishing)
				}
				if err != nil {
					continue
				}
				told.Add(1)
				for n := 0; stage.Pause(ctx, stage.CanaryEvery) && c.WriteMessage(stage.CanaryMessage(c.Stream, n)) == nil; n++ {
				}
				_ = c.Conn.Close()
			}
		})
	}
	for i := range killedPlayers {
		running.Go(func() {
			for stage.Pause(ctx, retryEvery) {
				c, err := dial(k.fault, host(killedEncoders+i), addr, nil)
				if err == nil {
					err = c.Start(fmt.Sprint("encoder-", i), stage.CallbackKey, stage.Watching)
				}
				for err == nil && ctx.Err() == nil {
					_, err = c.ReadMessage()
				}
				if c != nil {
					_ = c.Conn.Close()
				}
			}
		})
	}
	k.channels = append(k.channels, "ffmpeg")
	url := k.server.URL("ffmpeg/" + stage.CallbackKey) // that of the next server too
	running.Go(func() {
		for stage.Pause(ctx, retryEvery) {
			_ = exec.CommandContext(ctx, "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi",
				"-i", "testsrc2=size=320x180:rate=25", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25",
				"-f", "flv", url).Run()
		}
	})
	return sync.OnceFunc(func() {
		stop()
		running.Wait()
	})
}

// awaitBack waits for all encoders to publish on the server that runs.
func (k *killed) awaitBack() {
	k.Helper()
	missing := slices.Clone(k.channels)
	_, ok := k.server.Log.Await(6*stage.Soon, func(line string) bool {
		if stage.Holds(line, []string{"msg=publish "}) {
			missing = slices.DeleteFunc(missing, func(c string) bool { return c == stage.Attr(line, "channel") })
		}
		return len(missing) == 0
	})
	switch {
	case !ok:
		k.Errorf("after kill %d, encoders are not back: %q", len(k.kills), missing)
	case len(k.kills) > 0:
		k.backs = append(k.backs, time.Since(k.kills[len(k.kills)-1]))
	}
}

// kill kills the server and starts the next one.
func (k *killed) kill() {
	k.Helper()
	begun := time.Now()
	k.kills = append(k.kills, begun)
	k.server.Kill()
	k.server = stage.Start(k.T, k.settings...)
	c, err := dial(k.fault, host(200), k.server.Addr, nil)
	if err != nil {
		k.Errorf("after kill %d: %v", len(k.kills), err)
		return
	}
	_ = c.Conn.Close()
	k.accepts = append(k.accepts, time.Since(begun))
}

// openStarts are those that the backend accepted and has heard no end of. stopped
// counts the others, by channel.
func (k *killed) openStarts() (open []stage.Deed, stopped map[string]int64) {
	started := make(map[string]stage.Deed)
	stopped = make(map[string]int64)
	for _, d := range k.backend.Ledger.All() {
		switch start, known := started[d.ID]; {
		case d.Kind == stage.DeedAccepted:
			started[d.ID] = d
		case known: // the first of its stops
			stopped[start.Channel]++
			delete(started, d.ID)
		}
	}
	return slices.Collect(maps.Values(started)), stopped
}

// lostWithin is how long before a kill an answer may have been on its way, which the
// server never wrote down.
const lostWithin = time.Second

// checkStops waits for each start to have its stop, but for those whose answer came
// when the server was killed: no encoder was ever told of these.
func (k *killed) checkStops() {
	k.Helper()
	var open []stage.Deed
	var stopped map[string]int64
	for deadline := time.Now().Add(4 * stage.Soon); ; stage.Pause(k.bounded(), retryEvery) {
		open, stopped = k.openStarts()
		open = slices.DeleteFunc(open, func(d stage.Deed) bool {
			return slices.ContainsFunc(k.kills, func(at time.Time) bool {
				return at.After(d.At) && at.Sub(d.At) < lostWithin
			})
		})
		if len(open) == 0 || time.Now().After(deadline) {
			break
		}
	}
	for _, d := range open {
		k.Errorf("%s on %s started and never stopped", d.ID, d.Channel)
	}
	starts := 0
	for _, channel := range k.channels {
		starts += int(stopped[channel])
		if told := k.told[channel]; told != nil && stopped[channel] < told.Load() {
			k.Errorf("%s was let in %d times, and %d stops came", channel, told.Load(), stopped[channel])
		}
	}
	all, _ := k.openStarts()
	k.figure("starts that have their stop", starts)
	k.figure("answers lost with the process", len(all))
}

// checkTimes wants all of them to be in time, with room for a busy machine.
func (k *killed) checkTimes(name string, times []time.Duration, limit time.Duration) {
	k.Helper()
	if len(times) == 0 {
		return // the test has failed
	}
	slices.Sort(times)
	longest := times[len(times)-1].Round(time.Millisecond)
	k.figure(name, fmt.Sprintf("%v, %v at most", times[len(times)/2].Round(time.Millisecond), longest))
	if longest > limit+late {
		k.Errorf("%s %v, %v is promised", name, longest, limit)
	}
}
