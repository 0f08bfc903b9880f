//go:build linux && !portable

package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// inode tells one pipe from all others, and is 0 for a descriptor that is not open.
func inode(descriptor int) uint64 {
	var stat unix.Stat_t
	if err := unix.Fstat(descriptor, &stat); err != nil {
		return 0
	}
	return stat.Ino
}

// pipesOf returns the pipes that p has, by their descriptors.
func pipesOf(p *Pages) map[int]uint64 {
	pipes := make(map[int]uint64)
	for s := p.newest.Load(); s != nil; s = s.next {
		if pipe := s.pipe.Load(); pipe != nil {
			pipes[pipe.from], pipes[pipe.to] = inode(pipe.from), inode(pipe.to)
		}
	}
	return pipes
}

// closeAll closes p, and fails if that leaves a pipe open.
func closeAll(t *testing.T, p *Pages) {
	t.Helper()
	pipes := pipesOf(p)
	p.Close()
	for descriptor, was := range pipes {
		if inode(descriptor) == was {
			t.Errorf("descriptor %d is still open", descriptor)
		}
	}
}

// pattern is n bytes that say where they are.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8)
	}
	return p
}

// pipeOf asks until there is a pipe, as often as viewers have to.
func pipeOf(t *testing.T, p *Pages, front, shared, end []byte) int {
	t.Helper()
	for asked := 1; ; asked++ {
		pipe := p.Pipe(front, shared, end)
		switch {
		case pipe < 0 && asked == worthPages:
			t.Fatalf("there is no pipe after it was asked for %d times", asked)
		case pipe >= 0 && asked < worthPages:
			t.Fatalf("there is a pipe after it was asked for %d times", asked)
		case pipe >= 0:
			return pipe
		}
	}
}

func TestPipesAreSentWithoutTheirDescriptor(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var memory Call
	var pages Pages
	shared := pattern(30_001)
	for _, c := range []struct{ front, end string }{{"", ""}, {"7531\r\n", "\r\n"}, {"\x82\x7e", ""}} {
		want := append(append([]byte(c.front), shared...), c.end...)
		pipe := pipeOf(t, &pages, []byte(c.front), shared, []byte(c.end))
		if again := pages.Pipe([]byte(c.front), shared, []byte(c.end)); again != pipe {
			t.Errorf("asked again, the pipe is %d, and was %d", again, pipe)
		}
		if n, err := w.WritePipe(pipe, net.Buffers{want}, &memory); n != len(want) || err != nil {
			t.Fatalf("wrote %d of %d, %v", n, len(want), err)
		}
		closeAll(t, &pages)
		// Others come where it was: what is on its way has to stay what it is.
		pipeOf(t, &pages, nil, make([]byte, len(want)), nil)
		pages.Close()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q and %q: other bytes came than were written, %v", c.front, c.end, err)
		}
	}
}

func TestPipesAreSentAsFarAsTheSocketTakesThem(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var memory Call
	var pages Pages
	defer pages.Close()
	shared := pattern(200_003)
	pipe := pipeOf(t, &pages, nil, shared, nil)
	sent, step := 0, net.Buffers{make([]byte, len(shared))} // the pipe has what is sent
	for {
		n, err := w.WritePipe(pipe, step, &memory)
		if err != nil {
			t.Fatal(err)
		}
		sent += n
		if n < len(shared) {
			break
		}
	}
	got := make([]byte, sent)
	if _, err := io.ReadFull(client, got); err != nil {
		t.Fatal(err)
	}
	for len(got) > 0 {
		n := min(len(got), len(shared))
		if !bytes.Equal(got[:n], shared[:n]) {
			t.Fatal("other bytes came than were written")
		}
		got = got[n:]
	}
	if n, err := w.Write(net.Buffers{[]byte("x")}, &memory, true); n != 1 || err != nil {
		t.Errorf("behind a pipe, %d bytes were written, %v", n, err)
	}
	_ = server.CloseWrite()
	if n, err := w.WritePipe(pipe, net.Buffers{shared}, &memory); n != 0 || err == nil {
		t.Errorf("a closed socket took %d bytes, %v", n, err)
	}
}

func TestPipesAreForWhatIsMuchAndForMany(t *testing.T) {
	var pages Pages
	defer pages.Close()
	small := make([]byte, minPages-1)
	for range 2 * worthPages {
		if pipe := pages.Pipe(nil, small, nil); pipe >= 0 {
			t.Fatal("a few bytes have a pipe")
		}
	}
	for i := range 2 * maxSheets {
		shared, has := make([]byte, minPages), false
		for range 2 * worthPages {
			has = pages.Pipe(nil, shared, nil) >= 0 || has
		}
		if want := i < maxSheets; has != want {
			t.Errorf("the %dth has a pipe: %v, want %v", i+1, has, want)
		}
	}
	if n := len(pipesOf(&pages)) / 2; n != maxSheets {
		t.Errorf("%d pipes are open, want %d", n, maxSheets)
	}
}

func TestOnePipeIsMadeForAll(t *testing.T) {
	var pages Pages
	shared := make([]byte, minPages)
	var pipes sync.Map
	var different atomic.Int32
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 100 {
				pipe := pages.Pipe(nil, shared, nil)
				if _, known := pipes.LoadOrStore(pipe, true); pipe >= 0 && !known {
					different.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if n := different.Load(); n != 1 {
		t.Errorf("%d pipes were made", n)
	}
	closeAll(t, &pages)
}

// TestWithoutDescriptorsThereAreNoPipes has the process out of descriptors.
func TestWithoutDescriptorsThereAreNoPipes(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := limit
	none.Cur = 3
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	}()
	var pages Pages
	defer pages.Close()
	shared := make([]byte, minPages)
	for range 2 * worthPages {
		if pipe := pages.Pipe(nil, shared, nil); pipe >= 0 {
			t.Fatalf("there is a pipe %d", pipe)
		}
	}
}

func TestAPipeThatIsThereAllocatesNothing(t *testing.T) {
	server, client := pair(t)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	w := NewWriter(server)
	var memory Call
	var pages Pages
	defer pages.Close()
	front, shared := []byte("front"), make([]byte, minPages)
	pipeOf(t, &pages, front, shared, nil)
	step := net.Buffers{front, shared}
	if allocs := testing.AllocsPerRun(100, func() {
		if _, err := w.WritePipe(pages.Pipe(front, shared, nil), step, &memory); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestWhatCannotBeSentFromAPipeIsWritten has tee refuse the pipe, as a filter of
// system calls does: it is none, or has other bytes.
func TestWhatCannotBeSentFromAPipeIsWritten(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var pipes [2]*pipe
	for i := range pipes {
		var err error
		if pipes[i], err = newPipe(); err != nil {
			t.Fatal(err)
		}
		defer pipes[i].close()
	}
	empty, short := pipes[0], pipes[1]
	if _, err := unix.Write(short.to, []byte("front")); err != nil {
		t.Fatal(err)
	}
	directory, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(directory) }()
	var memory Call
	step := net.Buffers{[]byte("front"), pattern(9000), []byte("end")}
	want := bytes.Join(step, nil)
	for name, pipe := range map[string]int{
		"nothing in it": empty.from, "too little in it": short.from, "for writing only": empty.to,
		"a directory": directory, "no descriptor": 1 << 20,
	} {
		if n, err := w.WritePipe(pipe, step, &memory); n != len(want) || err != nil {
			t.Fatalf("%s: %d of %d bytes, %v", name, n, len(want), err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: other bytes came than were written, %v", name, err)
		}
	}
}

// TestTheFirstErrorOfASocketIsTold has the socket tell of its end once.
func TestTheFirstErrorOfASocketIsTold(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var memory Call
	var pages Pages
	defer pages.Close()
	shared := pattern(minPages)
	pipe := pipeOf(t, &pages, nil, shared, nil)
	if err := client.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	// A read would take the error, so that only the poller can tell.
	raw, err := server.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) {
		for n := 0; n == 0; {
			n, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if n, err := w.WritePipe(pipe, net.Buffers{shared}, &memory); n != 0 || !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("%d bytes, %v", n, err)
	}
}

// TestTheFirstDescriptorIsOneAsAnyOther starts without standard input.
func TestTheFirstDescriptorIsOneAsAnyOther(t *testing.T) {
	server, client := pair(t) // before there is a gap
	input, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(0)
	defer func() {
		if err := unix.Dup3(input, 0, 0); err != nil {
			t.Error(err)
		}
		_ = unix.Close(input)
	}()
	w := NewWriter(server)
	var memory Call
	var pages Pages
	shared := pattern(minPages)
	for range 2 {
		pipe := pipeOf(t, &pages, nil, shared, nil)
		if again := pages.Pipe(nil, shared, nil); pipe != 0 || again != pipe {
			t.Errorf("the pipe is %d, and %d when asked for again", pipe, again)
		}
		// The step says what is asked for, and the pipe has it.
		if n, err := w.WritePipe(pipe, net.Buffers{make([]byte, minPages)}, &memory); n != minPages || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		got := make([]byte, minPages)
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, shared) {
			t.Errorf("it was not the pipe that was sent, %v", err)
		}
		closeAll(t, &pages)
	}
}
