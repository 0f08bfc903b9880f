//go:build linux && !portable

package socket

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"golang.org/x/sys/unix"
)

// mediaFiles counts the files of Pages that are open.
func mediaFiles(t *testing.T) (n int) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range open {
		if target, err := os.Readlink(name); err == nil && strings.HasPrefix(target, "/memfd:media") {
			n++
		}
	}
	return n
}

// pattern is n bytes that say where they are.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8)
	}
	return p
}

// fileOf asks until there is a file, as often as viewers have to.
func fileOf(t *testing.T, p *Pages, front, shared, end []byte) int {
	t.Helper()
	for asked := 1; ; asked++ {
		file := p.File(front, shared, end)
		switch {
		case file < 0 && asked == worthPages:
			t.Fatalf("there is no file after it was asked for %d times", asked)
		case file >= 0 && asked < worthPages:
			t.Fatalf("there is a file after it was asked for %d times", asked)
		case file >= 0:
			return file
		}
	}
}

func TestFilesAreSentWithoutTheirDescriptor(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var memory Vectors
	var pages Pages
	shared := pattern(30_001)
	for _, c := range []struct{ front, end string }{{"", ""}, {"7531\r\n", "\r\n"}, {"\x82\x7e", ""}} {
		want := append(append([]byte(c.front), shared...), c.end...)
		file := fileOf(t, &pages, []byte(c.front), shared, []byte(c.end))
		if again := pages.File([]byte(c.front), shared, []byte(c.end)); again != file {
			t.Errorf("asked again, the file is %d, and was %d", again, file)
		}
		if n, err := w.WriteFile(file, net.Buffers{want}, &memory); n != len(want) || err != nil {
			t.Fatalf("wrote %d of %d, %v", n, len(want), err)
		}
		pages.Close()
		if n := mediaFiles(t); n != 0 {
			t.Errorf("%d files are open", n)
		}
		// Others come where it was: what is on its way has to stay what it is.
		fileOf(t, &pages, nil, make([]byte, len(want)), nil)
		pages.Close()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q and %q: other bytes came than were written, %v", c.front, c.end, err)
		}
	}
}

func TestFilesAreSentAsFarAsTheSocketTakesThem(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var memory Vectors
	var pages Pages
	defer pages.Close()
	shared := pattern(200_003)
	file := fileOf(t, &pages, nil, shared, nil)
	sent := 0
	for {
		n, err := w.WriteFile(file, net.Buffers{shared}, &memory)
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
		t.Errorf("behind a file, %d bytes were written, %v", n, err)
	}
	_ = server.CloseWrite()
	if n, err := w.WriteFile(file, net.Buffers{shared}, &memory); n != 0 || err == nil {
		t.Errorf("a closed socket took %d bytes, %v", n, err)
	}
}

func TestFilesAreForWhatIsMuchAndForMany(t *testing.T) {
	var pages Pages
	defer pages.Close()
	small := make([]byte, minPages-1)
	for range 2 * worthPages {
		if file := pages.File(nil, small, nil); file >= 0 {
			t.Fatal("a few bytes have a file")
		}
	}
	for i := range 2 * maxSheets {
		shared, has := make([]byte, minPages), false
		for range 2 * worthPages {
			has = pages.File(nil, shared, nil) >= 0 || has
		}
		if want := i < maxSheets; has != want {
			t.Errorf("the %dth has a file: %v, want %v", i+1, has, want)
		}
	}
	if n := mediaFiles(t); n != maxSheets {
		t.Errorf("%d files are open, want %d", n, maxSheets)
	}
}

func TestOneFileIsMadeForAll(t *testing.T) {
	var pages Pages
	shared := make([]byte, minPages)
	var files sync.Map
	var different atomic.Int32
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 100 {
				file := pages.File(nil, shared, nil)
				if _, known := files.LoadOrStore(file, true); file >= 0 && !known {
					different.Add(1)
				}
			}
		})
	}
	asking.Wait()
	if n := different.Load(); n != 1 {
		t.Errorf("%d files were made", n)
	}
	pages.Close()
	if n := mediaFiles(t); n != 0 {
		t.Errorf("%d files are open", n)
	}
}

// TestWithoutDescriptorsThereAreNoFiles has the process out of descriptors.
func TestWithoutDescriptorsThereAreNoFiles(t *testing.T) {
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
		if file := pages.File(nil, shared, nil); file >= 0 {
			t.Fatalf("there is a file %d", file)
		}
	}
}

func TestAFileThatIsThereAllocatesNothing(t *testing.T) {
	server, client := pair(t)
	go func() { _, _ = io.Copy(io.Discard, client) }()
	w := NewWriter(server)
	var memory Vectors
	var pages Pages
	defer pages.Close()
	front, shared := []byte("front"), make([]byte, minPages)
	fileOf(t, &pages, front, shared, nil)
	step := net.Buffers{front, shared}
	if allocs := testing.AllocsPerRun(100, func() {
		if _, err := w.WriteFile(pages.File(front, shared, nil), step, &memory); err != nil {
			t.Fatal(err)
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// TestWhatCannotBeSentFromAFileIsWritten has sendfile refuse the file, as a filter of
// system calls does: it is none, or has no bytes to be read.
func TestWhatCannotBeSentFromAFileIsWritten(t *testing.T) {
	server, client := pair(t)
	w := NewWriter(server)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	directory, err := unix.Open(t.TempDir(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]), unix.Close(directory) }()
	var memory Vectors
	step := net.Buffers{[]byte("front"), pattern(9000), []byte("end")}
	want := bytes.Join(step, nil)
	for name, file := range map[string]int{"a pipe": pipe[0], "for writing only": pipe[1], "a directory": directory, "no descriptor": 1 << 20} {
		if n, err := w.WriteFile(file, step, &memory); n != len(want) || err != nil {
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
	var memory Vectors
	var pages Pages
	defer pages.Close()
	shared := pattern(minPages)
	file := fileOf(t, &pages, nil, shared, nil)
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
	if n, err := w.WriteFile(file, net.Buffers{shared}, &memory); n != 0 || !errors.Is(err, unix.ECONNRESET) {
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
	var memory Vectors
	var pages Pages
	shared := pattern(minPages)
	for range 2 {
		file := fileOf(t, &pages, nil, shared, nil)
		if again := pages.File(nil, shared, nil); file != 0 || again != file {
			t.Errorf("the file is %d, and %d when asked for again", file, again)
		}
		// The step says what is asked for, and the file has it.
		if n, err := w.WriteFile(file, net.Buffers{make([]byte, minPages)}, &memory); n != minPages || err != nil {
			t.Fatalf("%d bytes, %v", n, err)
		}
		got := make([]byte, minPages)
		if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, shared) {
			t.Errorf("it was not the file that was sent, %v", err)
		}
		pages.Close()
		if n := mediaFiles(t); n != 0 {
			t.Fatalf("%d files are open", n)
		}
	}
}

func TestFilesOfHugePagesAreNotMade(t *testing.T) {
	for name, c := range map[string]struct {
		all, small, large string
		huge              bool
	}{
		"never":              {"always within_size advise [never] deny force", "", "", false},
		"always":             {"[always] within_size advise never deny force", "", "", true},
		"forced":             {"always within_size advise never deny [force]", "", "", true},
		"large files":        {"always [within_size] advise never deny force", "", "", false},
		"as all":             {"always within_size advise [never] deny force", "always inherit within_size advise [never]", "always [inherit] within_size advise never", false},
		"always of one size": {"always within_size advise [never] deny force", "always inherit within_size advise [never]", "[always] inherit within_size advise never", true},
		"no settings":        {"", "", "", false},
	} {
		settings := fstest.MapFS{}
		for file, setting := range map[string]string{
			"shmem_enabled": c.all, "hugepages-64kB/shmem_enabled": c.small, "hugepages-2048kB/shmem_enabled": c.large,
		} {
			if setting != "" {
				settings[file] = &fstest.MapFile{Data: []byte(setting + "\n")}
			}
		}
		if huge := hugePagesIn(settings); huge != c.huge {
			t.Errorf("%s: %v, want %v", name, huge, c.huge)
		}
	}
}
