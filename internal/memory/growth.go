package memory

// The heap grows by a part of what lives in it before it is collected, in percent as in
// GOGC. A process with large caches and memory to spare has it grow further: with
// hundreds of publishers, marking what they keep is a tenth of the work.
const (
	usualGrowth = 100
	ampleGrowth = 150
)

const (
	// growFrom is how many live bytes are worth it, and growUntil below how many they
	// are not any more.
	growFrom  = 96 << 20
	growUntil = 64 << 20
	// spareFrom is how many times as large as what lives the limit has to be, and
	// spareUntil below how many times it is too near.
	spareFrom  = 16
	spareUntil = 8
)

// suitable returns the growth that suits a heap with so many live bytes, within a limit
// of 0 if it is not known. Any other growth than the two was chosen by somebody, and
// stays.
func suitable(growth int, live, limit int64) int {
	switch {
	case growth == usualGrowth && live >= growFrom && live <= limit/spareFrom:
		return ampleGrowth
	case growth == ampleGrowth && (live < growUntil || live > limit/spareUntil):
		return usualGrowth
	default:
		return growth
	}
}
