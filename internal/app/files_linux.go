package app

import (
	"math"

	"golang.org/x/sys/unix"
)

// openFiles returns how many files the process may have open, 0 if that is not
// known. It is the hard limit: the runtime raises the soft one to it, less one, when
// the process starts.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}
