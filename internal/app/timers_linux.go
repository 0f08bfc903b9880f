package app

import (
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// How late the kernel may wake a thread that sleeps, in nanoseconds; 50,000 is what
// processes start with.
const (
	monitorSlack = 5_000_000
	timerSlack   = 1_000_000
)

// earlyThreads is more than how many threads there are before main, beside the monitor.
const earlyThreads = 8

// CoarseTimers has the kernel wake sleeping threads with a millisecond of slack, and
// the runtime's monitor with five. That sleeps for 20 µs at a time whenever there is
// work, and with 300 viewers that takes a quarter of the server's processor time,
// though nothing here needs it so often.
//
// A thread inherits its slack when it is created, and the monitor is there
// before main: so the process executes itself once more. It keeps its id, its
// arguments, environment and standard streams. Where that cannot be done, the monitor
// stays as it is.
func CoarseTimers() {
	if slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err == nil && slack < monitorSlack {
		startAnew()
	}
	refineTimers()
}

// startAnew executes the program with the slack of the monitor. It returns if that
// cannot be done.
func startAnew() {
	runtime.LockOSThread() // the slack is that of a thread
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, monitorSlack, 0, 0, 0); err != nil {
		return
	}
	// The slack of this thread must have been set, or this would go on for ever.
	if slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || slack < monitorSlack {
		return
	}
	if executable, err := os.Executable(); err == nil {
		_ = syscall.Exec(executable, os.Args, os.Environ()) // #nosec G204 G702 -- it is this very program
	}
}

// refineTimers gives the threads that run goroutines less slack than the monitor, which
// runs none. Threads that come later have that of the one that makes them: where it is
// the monitor, a pause may end some milliseconds late.
func refineTimers() {
	onThreads(earlyThreads, func() { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0) })
}

// onThreads calls f on so many threads at the same time.
func onThreads(n int, f func()) {
	var all, each sync.WaitGroup
	all.Add(n)
	for range n {
		each.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			f()
			all.Done()
			all.Wait() // so that each has a thread of its own
		})
	}
	each.Wait()
}
