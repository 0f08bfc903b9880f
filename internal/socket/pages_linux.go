//go:build linux && !portable

package socket

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// minPages is how many bytes are worth a file: below it, the kernel copies
	// them faster than it looks after their pages.
	minPages = 8 << 10
	// worthPages is how many times the same bytes are asked for before they get
	// one: what few viewers are sent does not pay for it.
	worthPages = 8
	// maxSheets bounds what is looked through for each viewer. Beyond it there
	// are too many kinds of viewers to gain anything.
	maxSheets = 8
)

// Pages are copies of what many viewers are sent alike, in files that lie in memory
// alone. The kernel sends from them by reference, where a write copies the bytes
// for each viewer once more. A file is closed while some of it is still on its way:
// what is sent holds on to its pages, which nobody changes.
//
// File is safe for concurrent use, Close has to come after it. The zero value has
// no files.
type Pages struct{ newest atomic.Pointer[sheet] }

// sheet is one file, once it is worth it.
type sheet struct {
	front, shared, end []byte
	asked              atomic.Int32
	// file is one more than the descriptor, which may be 0, and 0 as long as there is
	// none.
	file  atomic.Int32
	next  *sheet
	count int
}

// File returns the descriptor of a file that has the bytes of front, shared and
// end and nothing else, or -1 if they should be written as they are. The file is
// there until Close. Shared is recognized by where it lies, and must not change.
func (p *Pages) File(front, shared, end []byte) int {
	if len(shared) < minPages {
		return -1
	}
	s := p.sheet(front, shared, end)
	if s == nil {
		return -1
	}
	if file := s.file.Load(); file > 0 {
		return int(file) - 1
	}
	if s.asked.Add(1) != worthPages {
		return -1
	}
	file, err := s.write()
	if err != nil {
		return -1 // there are other ways
	}
	s.file.Store(int32(file) + 1) // #nosec G115 -- a descriptor
	return file
}

// sheet finds a sheet, or adds it; nil means that there are too many.
func (p *Pages) sheet(front, shared, end []byte) *sheet {
	var added *sheet
	for {
		newest := p.newest.Load()
		for s := newest; s != nil; s = s.next {
			if s.is(front, shared, end) {
				return s
			}
		}
		if newest != nil && newest.count >= maxSheets {
			return nil
		}
		if added == nil {
			added = &sheet{front: bytes.Clone(front), shared: shared, end: bytes.Clone(end)}
		}
		if added.next = newest; newest != nil {
			added.count = newest.count
		}
		added.count++
		if p.newest.CompareAndSwap(newest, added) {
			return added
		}
	}
}

func (s *sheet) is(front, shared, end []byte) bool {
	return len(s.shared) == len(shared) && &s.shared[0] == &shared[0] && bytes.Equal(s.front, front) && bytes.Equal(s.end, end)
}

// hugePages reports whether files in memory are made of pages as large as 2 MiB. A
// viewer that has stopped reading would hold on to one for each batch on its way.
var hugePages = sync.OnceValue(func() bool {
	return hugePagesIn(os.DirFS("/sys/kernel/mm/transparent_hugepage"))
})

// hugePagesIn looks at the settings, of which there is also one for each size since
// Linux 6.11. Those that ask for the size of the file do not matter: it is small.
func hugePagesIn(settings fs.FS) bool {
	names, _ := fs.Glob(settings, "hugepages-*/shmem_enabled")
	return slices.ContainsFunc(append(names, "shmem_enabled"), func(name string) bool {
		setting, err := fs.ReadFile(settings, name)
		return err == nil && (bytes.Contains(setting, []byte("[always]")) || bytes.Contains(setting, []byte("[force]")))
	})
}

// write makes the file.
func (s *sheet) write() (file int, err error) {
	if hugePages() {
		return 0, unix.EOPNOTSUPP
	}
	// Hardened systems insist on files that are not to be executed, and Linux before
	// 6.3 does not know of them.
	file, err = unix.MemfdCreate("media", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) {
		file, err = unix.MemfdCreate("media", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return 0, os.NewSyscallError("memfd_create", err)
	}
	size := len(s.front) + len(s.shared) + len(s.end)
	switch n, err := unix.Writev(file, [][]byte{s.front, s.shared, s.end}); {
	case err != nil:
		_ = unix.Close(file)
		return 0, os.NewSyscallError("writev", err)
	case n != size:
		_ = unix.Close(file)
		return 0, unix.ENOSPC
	}
	return file, nil
}

// Close closes the files. New ones may be asked for afterwards.
func (p *Pages) Close() {
	for s := p.newest.Swap(nil); s != nil; s = s.next {
		if file := s.file.Load(); file > 0 {
			_ = unix.Close(int(file) - 1)
		}
	}
}
