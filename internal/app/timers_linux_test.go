package app

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEachThreadHasItsTurn(t *testing.T) {
	const threads = 5
	var mu sync.Mutex
	ids := make(map[int]bool)
	onThreads(threads, func() {
		id := unix.Gettid()
		mu.Lock()
		defer mu.Unlock()
		ids[id] = true
	})
	if len(ids) != threads {
		t.Errorf("%d threads, want %d", len(ids), threads)
	}
}
