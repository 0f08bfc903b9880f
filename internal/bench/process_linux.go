package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the processor time that a process has used, to the
// nanosecond: /proc counts in steps of 10 ms.
func cpuTime(pid int) (time.Duration, error) {
	// The clock of a process is made of its id: see clock_getcpuclockid(3).
	const schedulerClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedulerClock, &t); err != nil {
		return 0, os.NewSyscallError("clock_gettime", err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns the resident memory of a process in bytes.
func memory(pid int) (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm is %q", text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// spareFiles are for what is open besides the connections.
const spareFiles = 64

// raiseFileLimit allows this process that many connections.
func raiseFileLimit(connections int) error {
	need := uint64(connections + spareFiles)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	limit.Cur = limit.Max
	if limit.Max < need {
		limit.Cur, limit.Max = need, need // for those who may
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d connections need %d open files, which the system does not allow; see ulimit -Hn: %w",
			connections, need, err)
	}
	return nil
}
