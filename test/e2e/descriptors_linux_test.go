package e2e

import (
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// knock connects, says nothing, and reports whether the server lets it wait.
func knock(t *testing.T, s *stage.Server) bool {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
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
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	stage.Publish(t, s, "channel/key")
	const room = 3
	restore := s.LimitFiles(room)
	waiting := 0
	for range room + 5 {
		if knock(t, s) {
			waiting++
		}
	}
	if waiting != room {
		t.Errorf("%d connections wait, want %d", waiting, room)
	}
	s.AwaitLine("level=WARN", `msg="connection refused"`, `reason="out of file descriptors"`)
	restore()
	stage.Play(t, s, "channel/key")
}

// The limit of open files, which the process raises as far as it may, leaves room
// for so many connections; those beyond are refused.
func TestConnectionsAreBoundedByOpenFiles(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	line := s.AwaitLine(`msg="room for connections"`)
	var limit unix.Rlimit
	if err := unix.Prlimit(s.Cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur+1 < limit.Max {
		t.Errorf("%d files may be open, though %d are allowed", limit.Cur, limit.Max)
	}
	room, err := strconv.ParseUint(stage.Attr(line, "connections"), 10, 64)
	if err != nil || room == 0 || room > limit.Cur {
		t.Errorf("room for %d connections (%v) with %d open files", room, err, limit.Cur)
	}
	few := stage.Start(t, "MAX_CONNECTIONS=2", "MAX_IP_CONCURRENT_CONNECTIONS=0")
	stage.Publish(t, few, "channel/key")
	stage.Play(t, few, "channel/key")
	if knock(t, few) {
		t.Error("the third of two connections is let in")
	}
	few.AwaitLine("level=WARN", `msg="connection refused"`, `reason="server full"`)
}
