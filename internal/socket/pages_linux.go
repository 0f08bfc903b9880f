//go:build linux && !portable

package socket

import (
	"bytes"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// minPages is how many bytes are worth a pipe: below it, the kernel copies
	// them faster than it looks after their pages.
	minPages = 8 << 10
	// worthPages is how many times the same bytes are asked for before they get
	// one: what few viewers are sent does not pay for it.
	worthPages = 8
	// maxSheets bounds what is looked through for each viewer. Beyond it there
	// are too many kinds of viewers to gain anything.
	maxSheets = 8
)

// Pages are copies of what many viewers are sent alike, in pipes. The kernel sends
// from them by reference, where a write copies the bytes for each viewer once more. A
// pipe is closed while some of it is still on its way: what is sent holds on to its
// pages, which nobody changes.
//
// Pipe is safe for concurrent use, Close has to come after it. The zero value has
// no pipes.
type Pages struct{ newest atomic.Pointer[sheet] }

// sheet is one pipe, once it is worth it.
type sheet struct {
	front, shared, end []byte
	asked              atomic.Int32
	pipe               atomic.Pointer[pipe]
	next               *sheet
	count              int
}

// Pipe returns the descriptor of a pipe that has the bytes of front, shared and end
// and nothing else, or -1 if they should be written as they are. It is for
// [Writer.WritePipe], which leaves them in it, and there until Close. Shared is
// recognized by where it lies, and must not change.
func (p *Pages) Pipe(front, shared, end []byte) int {
	if len(shared) < minPages {
		return -1
	}
	s := p.sheet(front, shared, end)
	if s == nil {
		return -1
	}
	if pipe := s.pipe.Load(); pipe != nil {
		return pipe.from
	}
	if s.asked.Add(1) != worthPages {
		return -1
	}
	pipe, err := s.write()
	if err != nil {
		return -1 // there are other ways
	}
	s.pipe.Store(pipe)
	return pipe.from
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

// write makes the pipe.
func (s *sheet) write() (*pipe, error) {
	p, err := newPipe()
	if err != nil {
		return nil, err
	}
	if err := s.fill(p); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (s *sheet) fill(p *pipe) error {
	size := len(s.front) + len(s.shared) + len(s.end)
	if err := p.reserve(size); err != nil {
		return err
	}
	n, err := unix.Writev(p.to, [][]byte{s.front, s.shared, s.end})
	if err == nil && n != size {
		err = unix.ENOSPC
	}
	return os.NewSyscallError("writev", err)
}

// Close closes the pipes. New ones may be asked for afterwards.
func (p *Pages) Close() {
	for s := p.newest.Swap(nil); s != nil; s = s.next {
		if pipe := s.pipe.Load(); pipe != nil {
			pipe.close()
		}
	}
}
