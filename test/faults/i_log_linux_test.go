package faults

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// What the log says when it can be written again.
const linesLost = "log lines lost, the output did not take them"

// Each test of the following goes on with a log that takes nothing. internal/logs
// has the bounds of what waits for it.

func TestAFullDiskHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount a small disk, as root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	log, ballast := filepath.Join(dir, "log"), filepath.Join(dir, "ballast")
	stdout, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	output, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	reader := &follower{file: output, t: t}
	t.Cleanup(func() { _ = output.Close() })
	f := beginAs(t, "I3", stage.Process{Stdout: stdout, Output: reader}, "LOG_DEBUG=YES")
	f.Cleanup(func() { reader.ended.Store(true) }) // the process ends when its log has
	fill(t, ballast)
	f.chatter()
	full, err := output.Stat()
	if err != nil {
		t.Fatal(err)
	}
	f.chatter()
	if now, err := output.Stat(); err != nil || now.Size() > full.Size() {
		t.Errorf("the disk was not full: %v", err)
	}
	f.joinsAtOnce()
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	f.chatter()
	f.tellsOfLoss()
}

// fill takes what is left of a disk.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, size := range []int{64 << 10, 1} {
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// follower reads a file that grows, until it is told that it does so no more.
type follower struct {
	t     *testing.T
	file  *os.File
	ended atomic.Bool
}

func (r *follower) Read(p []byte) (int, error) {
	for {
		n, err := r.file.Read(p)
		if !errors.Is(err, io.EOF) || r.ended.Load() {
			return n, err
		}
		stage.Pause(r.t.Context(), 10*time.Millisecond)
	}
}

func TestALogThatNobodyReadsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r, w := smallPipe(t)
	reader := &gate{Reader: r, open: make(chan struct{})}
	f := beginAs(t, "I3", stage.Process{Stdout: w, Output: reader}, "LOG_DEBUG=YES")
	reader.shut.Store(true)
	f.Cleanup(reader.release)
	for range f.scale(40, 400) {
		f.chatter()
	}
	f.joinsAtOnce()
	reader.release()
	f.chatter()
	f.server.AwaitLines(1, stage.Soon, "msg=end")
}

func TestALogWhoseReaderIsGoneHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r, w := smallPipe(t)
	f := beginAs(t, "I3", stage.Process{Stdout: w, Output: r}, "LOG_DEBUG=YES")
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.chatter()
	}
	f.joinsAtOnce()
}

// smallPipe is a pipe of one page.
func smallPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, os.Getpagesize()); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// gate is a reader that does not read while it is shut.
type gate struct {
	io.Reader
	shut     atomic.Bool
	released atomic.Bool
	open     chan struct{}
}

func (g *gate) Read(p []byte) (int, error) {
	if g.shut.Load() {
		<-g.open
	}
	return g.Reader.Read(p)
}

func (g *gate) release() {
	if !g.released.Swap(true) {
		close(g.open)
	}
}

// chatter has the server log what sessions do, some hundred lines.
func (f *fault) chatter() {
	f.Helper()
	crowd(8, func(i int) {
		for n := range 5 {
			m, err := f.take(host(8*n+i), channelOf(i), stage.Watching)
			if err != nil {
				f.Error(err)
				continue
			}
			for range 20 {
				_ = m.WriteMessage(rtmp.Command{Name: "_checkbw"}.Message(0))
			}
			m.Reset()
		}
	})
}

// tellsOfLoss wants a log that can be written again to say how much is missing.
func (f *fault) tellsOfLoss() {
	f.Helper()
	line := f.server.AwaitLine("level=WARN", linesLost)
	n, err := strconv.Atoi(stage.Attr(line, "lines"))
	if err != nil || n == 0 {
		f.Errorf("it says %s", line)
	}
	if counted := f.metric("rtmp_log_lines_lost_total"); counted < float64(n) {
		f.Errorf("%v lost lines are counted, %d were told", counted, n)
	}
	f.figure("lines lost", stage.Attr(line, "lines"))
}
