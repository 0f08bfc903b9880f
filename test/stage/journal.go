package stage

import (
	"sync"
	"time"
)

// Journal is a list that only grows, and that any number of goroutines can wait
// on: the lines of a log, the messages of a connection.
type Journal[T any] struct {
	mu      sync.Mutex
	entries []T
	changed chan struct{} // closed and replaced when something changes
	ended   bool
}

// NewJournal returns an empty journal.
func NewJournal[T any]() *Journal[T] { return &Journal[T]{changed: make(chan struct{})} }

// Add adds an entry.
func (j *Journal[T]) Add(entry T) { j.change(func() { j.entries = append(j.entries, entry) }) }

// End says that nothing more will be added.
func (j *Journal[T]) End() { j.change(func() { j.ended = true }) }

func (j *Journal[T]) change(do func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do()
	close(j.changed)
	j.changed = make(chan struct{})
}

// All returns the entries so far.
func (j *Journal[T]) All() []T {
	entries, _, _ := j.state()
	return entries
}

func (j *Journal[T]) state() (entries []T, ended bool, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[:len(j.entries):len(j.entries)], j.ended, j.changed
}

// Await returns the entries up to the first one for which is holds; it is asked
// once for each entry, in order. It reports false, with what there is, when time
// is up or the journal ends before.
func (j *Journal[T]) Await(within time.Duration, is func(T) bool) ([]T, bool) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	for asked := 0; ; {
		entries, ended, changed := j.state()
		for ; asked < len(entries); asked++ {
			if is(entries[asked]) {
				return entries[:asked+1], true
			}
		}
		if ended {
			return entries, false
		}
		select {
		case <-changed:
		case <-timer.C:
			return entries, false
		}
	}
}

// AwaitEnd reports whether the journal ends in time.
func (j *Journal[T]) AwaitEnd(within time.Duration) bool {
	j.Await(within, func(T) bool { return false })
	_, ended, _ := j.state()
	return ended
}
