package app

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TestAllFilesMayBeOpen fails when the runtime does not raise the soft limit.
func TestAllFilesMayBeOpen(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if n := openFiles(); uint64(n)+1 < min(limit.Max, 1<<31-1) {
		t.Errorf("%d files may be open, want %d", n, limit.Max)
	}
}
