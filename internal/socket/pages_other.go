//go:build !linux || portable

package socket

// Pages are pipes that the kernel sends from without a copy for each viewer, which
// is for direct writes alone.
type Pages struct{}

// Pipe returns -1: there are none.
func (*Pages) Pipe(_, _, _ []byte) int { return -1 }

// Close does nothing.
func (*Pages) Close() {}
