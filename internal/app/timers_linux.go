package app

import (
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// timerSlack is how late the kernel may wake a thread that sleeps, in
// nanoseconds; 50,000 is what processes start with.
const timerSlack = 1_000_000

// CoarseTimers has the kernel wake sleeping threads with a millisecond of
// slack. The runtime's monitor sleeps for 20 µs at a time whenever there is work,
// and with 300 viewers that takes a quarter of the server's processor time,
// though nothing here needs it so often.
//
// A thread inherits its slack when it is created, and the monitor is there
// before main: so the process executes itself once more. It keeps its id, its
// arguments, environment and standard streams. Where that cannot be done, things
// stay as they are.
func CoarseTimers() {
	runtime.LockOSThread() // the slack is that of a thread
	defer runtime.UnlockOSThread()
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack >= timerSlack {
		return
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, timerSlack, 0, 0, 0); err != nil {
		return
	}
	// The slack of this thread must have been set, or this would go on for ever.
	if slack, err = unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0); err != nil || slack < timerSlack {
		return
	}
	if executable, err := os.Executable(); err == nil {
		_ = syscall.Exec(executable, os.Args, os.Environ()) // #nosec G204 G702 -- it is this very program
	}
}
