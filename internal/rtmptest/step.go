package rtmptest

import (
	"time"
	"unsafe"
)

// Stepped returns a time as it would read if the wall clock had been set ahead by d,
// back if that is negative, before it was taken: time.Now has two readings, and the
// monotonic one does not follow. Nothing in package time makes such a time, other than
// a clock that is set. d has to be whole seconds, and t to come from time.Now outside of
// a bubble of testing/synctest, where times have one reading only.
func Stepped(t time.Time, d time.Duration) time.Time {
	const monotonic, nanosecondBits = 1 << 63, 30 // of the first word: the seconds are between them
	wall := (*uint64)(unsafe.Pointer(&t))
	if *wall&monotonic == 0 {
		panic("rtmptest: a time without a monotonic reading")
	}
	*wall += uint64(int64(d/time.Second)) << nanosecondBits
	return t
}
