package app

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestThreadsHaveLessSlackThanTheMonitor begins as the process does, with threads that
// have the slack of the monitor.
func TestThreadsHaveLessSlackThanTheMonitor(t *testing.T) {
	onThreads(earlyThreads/2, func() {
		if err := unix.Prctl(unix.PR_SET_TIMERSLACK, monitorSlack, 0, 0, 0); err != nil {
			t.Error(err)
		}
	})
	refineTimers()
	onThreads(earlyThreads/2, func() {
		if slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || slack != timerSlack {
			t.Errorf("a thread has %d ns of slack, want %d: %v", slack, timerSlack, err)
		}
	})
}
