package stage

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// LimitFiles leaves a running server room for n more open files, and sets the
// limit back to what it was when the test asks for it.
func (s *Server) LimitFiles(n int) (restore func()) {
	s.T.Helper()
	pid := s.Cmd.Process.Pid
	limit := uint64(0) // of the numbers of files, not of how many there are
	for free := 0; free < n; limit++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, limit)); err != nil {
			free++
		}
	}
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		s.T.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			s.T.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: limit, Max: before.Max})
	return func() { set(before) }
}
