package stream

import (
	"math"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

// jumpLimit is how far, in milliseconds, a timestamp may be from where it is
// expected. Beyond it players stall, or drop what they get.
const jumpLimit = 10_000

// never is before any time.
const never = math.MinInt64

// timeline makes the timestamps of one publication a line that players can
// follow. Those of a publisher whose clocks run well it does not change: they
// may begin anywhere, run faster or slower than time, and pass 2^32.
//
// Inside, times are milliseconds that never wrap. A shift is what is added to
// the publisher's timestamps; tracks with the same shift are as far apart as
// the publisher had them.
//
// It belongs to the publisher's goroutine, but for head and repairs.
type timeline struct {
	// after is the head of the publication before this one, if it has to go on
	// from there. It does not change once messages come.
	after *head
	// head is where this one has got to, for the next.
	head    *head
	repairs repairCounts

	// begun says that there was a frame: time is then the latest of all tracks,
	// and arrival when it came.
	begun         bool
	time, arrival int64
	// floor is the end of the publication before this one.
	floor int64
	// shift is the one that was chosen last, and previous the one before.
	shift, previous uint32
	clocks          [2][maxTracks]clock
	// asides are the latest times of what is no frame: audio, video and data.
	asides [3]int64
}

// dataAside is the place of data messages in timeline.asides, behind the kinds of
// media.
const dataAside = 2

func newTimeline() *timeline {
	return &timeline{head: new(head), floor: never, asides: [3]int64{never, never, never}}
}

// media returns the timestamp for an audio or video message. Only frames move
// the line, and what is unknown, since it may be frames: the timestamps of
// headers are often zero, and must not disturb it.
func (t *timeline) media(p media.Packet, timestamp uint32, arrival time.Duration) uint32 {
	now := arrival.Milliseconds()
	if p.Type != media.Frame && p.Type != media.Opaque {
		floor := int64(never)
		if p.Track < maxTracks && t.clocks[p.Kind][p.Track].running {
			floor = t.clocks[p.Kind][p.Track].last
		}
		return t.aside(int(p.Kind), timestamp, floor, now)
	}
	if !t.begun {
		t.begin(timestamp, now)
	}
	var at int64
	if p.Track < maxTracks {
		k := &t.clocks[p.Kind][p.Track]
		at = t.next(k, timestamp, now)
		k.note(timestamp, at, now)
	} else {
		at = max(t.near(timestamp, t.expected(now)), t.floor)
	}
	if at > t.time {
		t.advance(at, now)
	}
	return uint32(at)
}

// data returns the timestamp for a data message.
func (t *timeline) data(timestamp uint32, arrival time.Duration) uint32 {
	return t.aside(dataAside, timestamp, never, arrival.Milliseconds())
}

// aside returns the timestamp for a message that is no frame: its own, if it is
// near the frames, and otherwise that of the latest. It is not before floor, the
// last frame of its track.
func (t *timeline) aside(kind int, timestamp uint32, floor, now int64) uint32 {
	if !t.begun {
		at, _ := t.beginning(timestamp, now)
		return uint32(at)
	}
	t.asides[kind] = max(t.near(timestamp, t.time), floor, t.asides[kind], t.floor)
	return uint32(t.asides[kind])
}

// begin starts the line.
func (t *timeline) begin(timestamp uint32, now int64) {
	at, floor := t.beginning(timestamp, now)
	t.begun, t.floor, t.shift = true, floor, uint32(at)-timestamp
	t.advance(at, now)
}

// beginning is where the line starts: where the publisher starts, or behind the
// publication before, as much later as it came. Nothing is before floor.
func (t *timeline) beginning(timestamp uint32, now int64) (at, floor int64) {
	end, arrival, ok := t.after.get()
	if !ok {
		return int64(timestamp), never
	}
	return int64(end) + max(1, since(arrival, now)), int64(end)
}

func (t *timeline) advance(at, now int64) {
	t.time, t.arrival = at, now
	t.head.set(at, now)
}

// end returns the head that the next publication goes on from: that of the one
// before, if nothing came. It is safe for concurrent use.
func (t *timeline) end() *head {
	if _, _, ok := t.head.get(); ok {
		return t.head
	}
	return t.after
}

// next returns the time of a track's next frame.
func (t *timeline) next(k *clock, timestamp uint32, now int64) int64 {
	if !k.running {
		return max(t.start(k, timestamp, now), t.floor)
	}
	if k.stands(timestamp, now) {
		if !k.stuck {
			k.stuck = true
			t.repairs.stuck.Add(1)
		}
		return max(k.movedTo+now-k.moved, k.last) // it may have been put ahead since it stands
	}
	due := t.at(timestamp, k.shift)
	if k.shift != t.shift {
		// A jump within the limit shows by the other track that made it.
		other := t.at(timestamp, t.shift)
		if k.surprise(other, now)+smallStep < k.surprise(due, now) {
			k.shift, due = t.shift, other
		}
	}
	switch {
	case k.surprise(due, now) > jumpLimit && distance(due, t.time) > jumpLimit:
		due = t.rebase(k, timestamp, now, k.last-smallStep)
	case due < k.last:
		if k.behind == 0 {
			t.repairs.backward.Add(1)
		}
		if k.remainsBehind(due, now) {
			due = t.place(k, timestamp, now)
		}
	}
	if due >= k.last {
		k.behind = 0
	}
	k.stuck = false
	return max(due, k.last)
}

// start returns the time of a track's first frame.
func (t *timeline) start(k *clock, timestamp uint32, now int64) int64 {
	*k = clock{running: true, shift: t.shift, last: t.floor, step: 1}
	if at := t.at(timestamp, t.shift); distance(at, t.time) <= jumpLimit {
		return at
	}
	return t.rebase(k, timestamp, now, t.time-jumpLimit)
}

// rebase gives a track another shift: that of another track if it makes the
// timestamp one that is close to the head and not before from, so that they
// stay together.
func (t *timeline) rebase(k *clock, timestamp uint32, now, from int64) int64 {
	shift, at, ok := t.find(timestamp, from)
	if !ok {
		return t.place(k, timestamp, now)
	}
	t.choose(k, shift)
	return at
}

// place gives a track a shift of its own, with which it goes on at the head.
func (t *timeline) place(k *clock, timestamp uint32, now int64) int64 {
	at := t.expected(now)
	if k.last != never {
		at = max(at, k.last+k.step)
	}
	t.choose(k, uint32(at)-timestamp)
	t.repairs.jumps.Add(1)
	return at
}

func (t *timeline) choose(k *clock, shift uint32) {
	k.shift = shift
	if shift != t.shift {
		t.previous, t.shift = t.shift, shift
	}
}

// near returns the time of a timestamp under any of the shifts in use, if that
// is close to the head, and otherwise the time that is given.
func (t *timeline) near(timestamp uint32, otherwise int64) int64 {
	if _, at, ok := t.find(timestamp, t.time-jumpLimit); ok {
		return at
	}
	return otherwise
}

// find looks for a shift in use that makes a timestamp one from a time on that is
// close to the head; the newest first.
func (t *timeline) find(timestamp uint32, from int64) (shift uint32, at int64, ok bool) {
	fits := func(shift uint32) bool {
		at = t.at(timestamp, shift)
		return from <= at && at <= t.time+jumpLimit
	}
	for _, shift := range [...]uint32{t.shift, t.previous} {
		if fits(shift) {
			return shift, at, true
		}
	}
	for kind := range t.clocks {
		for i := range t.clocks[kind] {
			k := &t.clocks[kind][i]
			if k.running && fits(k.shift) {
				return k.shift, at, true
			}
		}
	}
	return 0, 0, false
}

// at returns the time of a timestamp under a shift. Of those that are 2^32 apart
// it is the one closest to the head.
func (t *timeline) at(timestamp, shift uint32) int64 {
	return t.time + int64(int32(timestamp+shift-uint32(t.time)))
}

// expected returns where the head would be if it moved with the arrivals.
func (t *timeline) expected(now int64) int64 { return t.time + max(0, now-t.arrival) }

func distance(a, b int64) int64 { return max(a-b, b-a) }
