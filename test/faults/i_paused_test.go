package faults

import (
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The process is stopped for longer than a handshake, a player that does not read,
// and its own watch may take, as a machine is that sleeps. Nobody pays for it: the
// clock that deadlines go by tells of it, and steps of the wall clock are none of its
// business. internal/server has the deadlines around such a pause in virtual time,
// internal/app the watch.
func TestAPausedProcessGoesOn(t *testing.T) {
	t.Parallel()
	f := begin(t, "I2", "WATCHDOG_SECONDS=2")
	pause := time.Duration(f.scale(7, 31)) * time.Second // publishers may be silent for 30 s
	f.canary.excused = pause + 3*time.Second
	n := f.scale(10, 100)
	var members []member
	for i := range n {
		publisher := f.must(host(i), channelOf(i), stage.Publishing)
		members = append(members, publisher, f.must(host(i), channelOf(i), stage.Watching), f.must(host(i), "nobody", stage.Watching))
		publisher.feed(f.lasting(20 * time.Millisecond))
	}
	newcomers := make([]raw, n)
	for i := range newcomers {
		var err error
		if newcomers[i], err = f.connect(host(i), f.server.Addr); err != nil {
			f.Fatal(err)
		}
	}
	f.server.Signal(syscall.SIGSTOP)
	f.Cleanup(func() { f.server.Signal(syscall.SIGCONT) })
	stage.Pause(f.Context(), pause)
	f.server.Signal(syscall.SIGCONT)
	start := time.Now()
	f.canary.await(5)
	f.figure("stopped for", pause)
	f.figure("sessions", len(members))
	for i, r := range newcomers {
		if err := r.handshake(); err != nil {
			f.Errorf("newcomer %d is not welcome any more: %v", i, err)
		}
	}
	stage.Pause(f.Context(), time.Second) // in which the deadlines would show
	for i, m := range members {
		if i%3 == 0 && m.feed(f.lasting(10*time.Millisecond)) == 0 || m.seen.AwaitEnd(0) {
			f.Errorf("session %d has ended", i)
		}
	}
	f.joinsAtOnce()
	f.figure("back after", time.Since(start).Round(10*time.Millisecond))
}
