package faults

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// exitStuck is the status with which a server ends that cannot go on.
const exitStuck = 3

// A server that hangs ends with the stacks of all goroutines, so that a supervisor
// starts another. internal/app has the watch in virtual time, a process that was
// stopped among it.
func TestAStuckServerEndsWithItsStacks(t *testing.T) {
	for part, point := range map[string]string{"registry": "block-registry@stuck", "fan-out": "block-gather@stuck:5"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			const limit = 2 * time.Second
			f := beginAs(t, "I11", faultyServer(t), "FAULTINJECT="+point, "WATCHDOG_SECONDS=2")
			f.canary.finish() // since it cannot outlive the process
			f.restarted = true
			publisher := f.must(host(1), "stuck", stage.Publishing)
			f.must(host(2), "stuck", stage.Watching)
			start := time.Now()
			publisher.feed(f.lasting(300 * time.Millisecond))
			rival := make(chan struct{})
			go func() {
				defer close(rival)
				_, _ = f.take(host(3), "stuck", (*rtmp.Client).Publish) // is not answered
			}()
			f.server.Stopped = true
			f.server.AwaitExit(limit + 4*stage.Soon)
			<-rival
			f.figure("ended after", time.Since(start).Round(100*time.Millisecond))
			if exit := new(exec.ExitError); !errors.As(f.server.Status, &exit) || exit.ExitCode() != exitStuck {
				f.Errorf("the server ended with %v, want status %d", f.server.Status, exitStuck)
			}
			f.server.AwaitLine("level=ERROR", "no progress in", part)
			if all := strings.Join(f.server.Log.All(), "\n"); !strings.Contains(all, "faultinject.At") {
				f.Errorf("the stacks do not show where it hangs:\n%s", all)
			}
		})
	}
}
