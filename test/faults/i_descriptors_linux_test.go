package faults

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// knock connects, says nothing, and reports whether the server lets it wait.
func (f *fault) knock() bool {
	f.Helper()
	r, err := f.connect(host(1), f.server.Addr)
	if errors.Is(err, unix.ECONNRESET) {
		return false
	}
	if err != nil {
		f.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		f.Fatal(err)
	}
	_, err = r.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded)
}

// A server whose files are all open refuses those who connect, rather than let them
// wait for nothing, keeps the sessions it has, and goes on by itself.
func TestAServerOutOfDescriptorsRefusesAndGoesOn(t *testing.T) {
	t.Parallel()
	f := begin(t, "I1")
	lines := len(f.server.Log.All())
	const room = 3
	f.settle()
	restore := f.server.LimitFiles(room)
	waiting, tried := 0, f.scale(20, 200)
	for range tried {
		if f.knock() {
			waiting++
		}
	}
	if waiting != room {
		f.Errorf("%d connections wait, want %d", waiting, room)
	}
	f.figure("connections", tried)
	f.server.AwaitLine("level=WARN", `msg="connection refused"`, `reason="out of file descriptors"`)
	restore()
	f.joinsAtOnce()
	if n := len(f.server.Log.All()) - lines; n > 20+tried/10 {
		f.Errorf("%d lines were logged", n)
	}
}

// settle waits for the server to have closed what is closed on this side.
func (f *fault) settle() {
	f.Helper()
	last, same := -1, 0
	f.eventually(stage.Soon, "as many open files as before", func() bool {
		if now := f.files(); now != last {
			last, same = now, 0
		}
		same++
		return same > 15
	})
}

// The limit of open files, which the process raises as far as it may, leaves room
// for so many connections; those beyond are refused.
func TestConnectionsAreBoundedByOpenFiles(t *testing.T) {
	t.Parallel()
	f := begin(t, "I1", "MAX_CONNECTIONS=5")
	line := stage.Start(t).AwaitLine(`msg="room for connections"`)
	var limit unix.Rlimit
	if err := unix.Prlimit(f.server.Cmd.Process.Pid, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		f.Fatal(err)
	}
	if limit.Cur+1 < limit.Max {
		f.Errorf("%d files may be open, though %d are allowed", limit.Cur, limit.Max)
	}
	room, err := strconv.ParseUint(stage.Attr(line, "connections"), 10, 64)
	if err != nil || room == 0 || room > limit.Cur {
		f.Errorf("room for %d connections (%v) with %d open files", room, err, limit.Cur)
	}
	// The canary has three places.
	f.must(host(1), "channel", stage.Publishing)
	f.must(host(1), "channel", stage.Watching)
	if f.knock() {
		f.Error("the sixth of five connections is let in")
	}
	f.server.AwaitLine("level=WARN", `msg="connection refused"`, `reason="server full"`)
}

// The kernel has no memory for a connection, the machine no file, or the client is
// gone: accept fails, as strace has it do for some seconds. internal/server has the
// pauses between the attempts.
func TestAcceptFailsForAWhile(t *testing.T) {
	for _, name := range []string{"EMFILE", "ENFILE", "ENOBUFS", "ECONNABORTED"} {
		t.Run(name, func(t *testing.T) {
			f := begin(t, "I1")
			f.complaints = `msg="accept failed"`
			f.canary.excused = time.Second // each of its system calls is traced
			lines := len(f.server.Log.All())
			strace := stage.StartProgram(t, "strace", "-f", "-qq", "-p", strconv.Itoa(f.server.Cmd.Process.Pid), "-o", "/dev/null",
				"-e", "trace=accept4", "-e", "inject=accept4:error="+name)
			f.traced()
			lasting := time.Duration(f.scale(2, 20)) * time.Second
			start, tried := time.Now(), 0
			for ; time.Since(start) < lasting; tried++ { // the kernel's queue takes them
				if r, err := f.connect(host(2), f.server.Addr); err == nil {
					r.reset()
				}
				stage.Pause(f.Context(), 50*time.Millisecond)
			}
			if err := strace.Cmd.Process.Signal(syscall.SIGINT); err != nil { // it lets go
				f.Fatal(err)
			}
			<-strace.Done
			logged := 0
			for _, line := range f.server.Log.All()[lines:] {
				if strings.Contains(line, "accept failed") {
					logged++
				}
			}
			if most := 10 + int(lasting.Seconds()); logged > most { // the first pauses are short
				f.Errorf("%d lines of failures in %v", logged, lasting)
			}
			if name != "ECONNABORTED" && logged == 0 {
				f.Error("accept did not fail")
			}
			f.figure("connections", tried)
			f.figure("lines", logged)
			f.joinsAtOnce()
		})
	}
}

// traced waits for the server to be under the eyes of a tracer.
func (f *fault) traced() {
	f.Helper()
	f.eventually(stage.Soon, "strace is attached", func() bool {
		text, err := os.ReadFile(f.proc("status"))
		return err == nil && !strings.Contains(string(text), "TracerPid:\t0\n")
	})
}
