package e2e

import (
	"sync"
	"time"
)

// journal is a list that only grows, and that any number of goroutines can wait
// on: the lines of a log, the messages of a connection.
type journal[T any] struct {
	mu      sync.Mutex
	entries []T
	changed chan struct{} // closed and replaced when something changes
	ended   bool
}

func newJournal[T any]() *journal[T] { return &journal[T]{changed: make(chan struct{})} }

func (j *journal[T]) add(entry T) { j.change(func() { j.entries = append(j.entries, entry) }) }

// end says that nothing more will be added.
func (j *journal[T]) end() { j.change(func() { j.ended = true }) }

func (j *journal[T]) change(do func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	do()
	close(j.changed)
	j.changed = make(chan struct{})
}

// all returns the entries so far.
func (j *journal[T]) all() []T {
	entries, _, _ := j.state()
	return entries
}

func (j *journal[T]) state() (entries []T, ended bool, changed <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.entries[:len(j.entries):len(j.entries)], j.ended, j.changed
}

// await returns the entries up to the first one for which is holds; it is asked
// once for each entry, in order. It reports false, with what there is, when time
// is up or the journal ends before.
func (j *journal[T]) await(within time.Duration, is func(T) bool) ([]T, bool) {
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

// awaitEnd reports whether the journal ends in time.
func (j *journal[T]) awaitEnd(within time.Duration) bool {
	j.await(within, func(T) bool { return false })
	_, ended, _ := j.state()
	return ended
}
