package socket

import "unsafe"

// Fetch has the processor fetch the memory of a value that is needed soon, and does
// not wait for it. With thousands of viewers nothing of one is in the processor's
// cache when a pass comes to it, and to wait for one line of it after the other adds
// up, see BenchmarkFetch. It is a hint, and does nothing where there is no instruction
// for it.
func Fetch[T any](value *T) {
	fetch(uintptr(unsafe.Pointer(value)), unsafe.Sizeof(*value)) // #nosec G103 -- nothing is read from there
}
