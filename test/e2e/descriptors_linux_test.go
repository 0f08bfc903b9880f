package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limitFiles leaves a running server room for n more open files, and sets the
// limit back to what it was when the test asks for it.
func (s *server) limitFiles(n int) (restore func()) {
	s.t.Helper()
	pid := s.cmd.Process.Pid
	limit := uint64(0) // of the numbers of files, not of how many there are
	for free := 0; free < n; limit++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, limit)); err != nil {
			free++
		}
	}
	var before unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		s.t.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Prlimit(pid, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	set(unix.Rlimit{Cur: limit, Max: before.Max})
	return func() { set(before) }
}

// knock connects, says nothing, and reports whether the server lets it wait.
func knock(t *testing.T, s *server) bool {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if errors.Is(err, unix.ECONNRESET) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// A server whose files are all open refuses those who connect, rather than let them
// wait for nothing, keeps the sessions it has, and goes on by itself.
func TestAServerOutOfDescriptorsRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	s := startServer(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	publish(t, s, "channel/key")
	const room = 3
	restore := s.limitFiles(room)
	waiting := 0
	for range room + 5 {
		if knock(t, s) {
			waiting++
		}
	}
	if waiting != room {
		t.Errorf("%d connections wait, want %d", waiting, room)
	}
	s.awaitLine("level=WARN", `msg="connection refused"`, `reason="out of file descriptors"`)
	restore()
	play(t, s, "channel/key")
}

// The limit of open files, which the process raises as far as it may, leaves room
// for so many connections; those beyond are refused.
func TestConnectionsAreBoundedByOpenFiles(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	line := s.awaitLine(`msg="room for connections"`)
	var limit unix.Rlimit
	if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur+1 < limit.Max {
		t.Errorf("%d files may be open, though %d are allowed", limit.Cur, limit.Max)
	}
	room, err := strconv.ParseUint(attr(line, "connections"), 10, 64)
	if err != nil || room == 0 || room > limit.Cur {
		t.Errorf("room for %d connections (%v) with %d open files", room, err, limit.Cur)
	}
	few := startServer(t, "MAX_CONNECTIONS=2", "MAX_IP_CONCURRENT_CONNECTIONS=0")
	publish(t, few, "channel/key")
	play(t, few, "channel/key")
	if knock(t, few) {
		t.Error("the third of two connections is let in")
	}
	few.awaitLine("level=WARN", `msg="connection refused"`, `reason="server full"`)
}
