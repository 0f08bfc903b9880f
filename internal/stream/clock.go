package stream

// What a track's clock may do without being set right, in milliseconds.
const (
	// smallStep is a step back that a track catches up with by itself, as when
	// an encoder corrects its clock. Further back for farMessages in a row, the
	// encoder has started anew.
	smallStep   = 1000
	farMessages = 3
	// behindLimit is for how long a track may be held at its last timestamp.
	behindLimit = 2000
	// stuckMessages with the same timestamp within stuckTime or more are a
	// clock that stands still, which some capture devices have; a burst is
	// faster.
	stuckMessages = 10
	stuckTime     = 1000
)

// clock is what a timeline knows of one track. Times are those of the timeline.
type clock struct {
	running bool
	shift   uint32
	// last is the time of the latest frame, and arrival when it came.
	last, arrival int64
	// step is the usual distance of frames.
	step int64

	// timestamp is the publisher's latest, which same messages had; the first
	// of them came at moved and got the time movedTo.
	timestamp      uint32
	same           int
	moved, movedTo int64
	stuck          bool

	// behind counts the messages held at the last timestamp, since slow.
	behind int
	slow   int64
}

// note keeps what the track got.
func (k *clock) note(timestamp uint32, at, now int64) {
	if k.same == 0 || timestamp != k.timestamp {
		if step := at - k.last; k.same > 0 && 0 < step && step <= smallStep {
			k.step = step
		}
		k.same, k.moved, k.movedTo = 0, now, at
	}
	k.same++
	k.timestamp, k.last, k.arrival = timestamp, at, now
}

// stands reports whether the publisher's clock stands still.
func (k *clock) stands(timestamp uint32, now int64) bool {
	return timestamp == k.timestamp && k.same+1 >= stuckMessages && now-k.moved >= stuckTime
}

// surprise returns how far a time is from where the track is expected: behind
// its last frame by the usual step, or by as much as has passed.
func (k *clock) surprise(at, now int64) int64 {
	return min(distance(at, k.last+k.step), distance(at, k.last+now-k.arrival))
}

// remainsBehind counts a message that is before the last one, and reports
// whether the track will not catch up by itself.
func (k *clock) remainsBehind(due, now int64) bool {
	if k.behind == 0 {
		k.slow = now
	}
	k.behind++
	far := k.last-due >= smallStep
	return now-k.slow > behindLimit || far && (k.behind >= farMessages || k.stuck)
}
