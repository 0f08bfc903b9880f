package stream

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// sources are the tracks of the timeline tests, and what is no frame.
var sources = [256]media.Packet{
	'v': {Kind: media.Video, Type: media.Frame},
	'w': {Kind: media.Video, Type: media.Frame, Track: 1},
	'a': {Kind: media.Audio, Type: media.Frame},
	'z': {Kind: media.Video, Type: media.Frame, Track: 200}, // one of too many
	'o': {Kind: media.Video, Type: media.Opaque},
	'h': {Kind: media.Video, Type: media.SequenceHeader},
	'g': {Kind: media.Audio, Type: media.SequenceHeader},
	'k': {Kind: media.Video, Type: media.SequenceHeader, Track: 200},
	's': {Kind: media.Audio, Type: media.Silence},
}

// stamp passes messages written as SOURCE TIMESTAMP/ARRIVAL, as v1000/20, and
// returns the source and timestamp of each. An arrival that is not given is
// the timestamp. The source d is data.
func stamp(line *timeline, tokens string) string {
	var got []string
	for _, token := range strings.Fields(tokens) {
		at, arrival, ok := strings.Cut(token[1:], "/")
		if !ok {
			arrival = at
		}
		timestamp, _ := strconv.ParseUint(at, 0, 32)
		now, _ := strconv.Atoi(arrival)
		got = append(got, fmt.Sprintf("%c%d", token[0], stampOne(line, token[0], uint32(timestamp), int64(now))))
	}
	return strings.Join(got, " ")
}

func stampOne(line *timeline, source byte, timestamp uint32, now int64) uint32 {
	arrival := time.Duration(now) * time.Millisecond
	if source == 'd' {
		return line.data(timestamp, arrival)
	}
	return line.media(sources[source], timestamp, arrival)
}

// frames writes n messages of a source: from a timestamp and an arrival on, each
// step and pace later.
func frames(source byte, n int, timestamp uint32, step int, now, pace int) string {
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%c%d/%d", source, timestamp+uint32(i*step), now+i*pace)
	}
	return strings.Join(tokens, " ")
}

// passed is what stamp returns for messages that pass unchanged.
func passed(tokens string) string {
	fields := strings.Fields(tokens)
	for i, f := range fields {
		fields[i], _, _ = strings.Cut(f, "/")
	}
	return strings.Join(fields, " ")
}

func countsOf(line *timeline) Repairs { return (&Log{timeline: line}).Repairs() }

func TestTimestampsOfHealthyPublishersPass(t *testing.T) {
	tests := []struct {
		name   string
		log    string
		covers []int
	}{
		{name: "from zero", log: "h0 g0 d0 v0 a0 a21 v33 a42 d50 v66"},
		{name: "from anywhere", log: "h0/0 g0/0 d0/0 v4000000000/0 a4000000010/10 v4000000033/33 h4000000040/40"},
		{name: "sound 700 ms behind the picture", log: "v1000/0 a300/1 v1033/33 a323/34 v1066/66 a346/67", covers: []int{155}},
		{name: "a track that begins below zero", log: "v5/0 a4294967290/0 v38/33 a17/34"},
		{name: "audio slightly out of order against video", log: "v100 v133 a90/134 v166 a111/167 v200 a132/201"},
		{name: "twenty times faster than time", log: frames('v', 2000, 0, 33, 0, 2)},
		{name: "a burst", log: frames('v', 2000, 0, 33, 0, 0)},
		{name: "slower than time", log: frames('v', 200, 0, 33, 0, 3000)},
		{name: "a pause", log: "v0 a0 v33 a21 v30033 a30021 v30066"},
		{name: "a network that was held up", log: "v0 a0 v33 v66/60000 a21/60000 v99/60000 a42/60000"},
		{name: "a track that pauses while the other goes on", log: "a0 a21 v0 " + frames('v', 900, 33, 33, 33, 33) + " a29700/29701"},
		{name: "a late track of a fast publisher", log: frames('v', 2000, 0, 33, 0, 1) + " a65900/2001"},
		{name: "a track that paused of a fast publisher", log: "a0 a21 " + frames('v', 2000, 0, 33, 0, 1) + " a65900/2001"},
		{name: "no frames at all", log: "h5000 d0 d100000 h0 d70000"},
		{name: "wrap at 2^32", log: frames('v', 100, 0xFFFFFFF0, 16, 0, 16), covers: []int{41}},
		{name: "several messages of one frame", log: "v0 v0 v0 v0 v0 v0 v0 v0 v0 v0 v0 v0 v33"},
		{name: "zeros for less than a second", log: frames('v', 12, 0, 0, 0, 90) + " v1000/1080"},
		{name: "a lower rate than one a second", log: frames('v', 30, 0, 9000, 0, 9000)},
		{name: "a picture that stands still", log: frames('v', 9, 500, 0, 0, 1000) + " v9000/9000"},
		{name: "tracks beyond the bound", log: "z500/0 z533/33 v540/40 z510/43 k540/44"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.covers != nil {
				conformance.Covers(t, test.covers...)
			}
			line := newTimeline()
			if got, want := stamp(line, test.log), passed(test.log); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if got := countsOf(line); got != (Repairs{}) {
				t.Errorf("repairs: %+v", got)
			}
		})
	}
}

func TestTimestampsAreMended(t *testing.T) {
	const intro = "v0 a10 v33 a31 v66 a52 " // out unchanged
	tests := []struct {
		name    string
		log     string // behind intro
		want    string
		repairs Repairs
		covers  []int
	}{
		{
			name: "jump ahead: the distance of picture and sound stays", covers: []int{213},
			log: "v1000099/99 a1000073/100 v1000132/132 a1000094/133", want: "v99 a73 v132 a94", repairs: Repairs{Jumps: 1},
		},
		{
			name: "jump ahead, sound first",
			log:  "a1000073/100 v1000099/101 a1000094/133", want: "a100 v126 a121", repairs: Repairs{Jumps: 1},
		},
		{
			name: "jump by -2^31", covers: []int{213},
			log: "v2147483747/99 a2147483721/100 v2147483780/132", want: "v99 a73 v132", repairs: Repairs{Jumps: 1},
		},
		{
			name: "jump that only just is one, for one of two tracks",
			log:  "v10109/99 a10083/100 v10142/132 a10104/133", want: "v99 a73 v132 a94", repairs: Repairs{Jumps: 1},
		},
		{
			name: "a lone track does not drag the other",
			log:  "v500000/99 a73/100 v500033/132 a94/133 v500066/165", want: "v99 a73 v132 a94 v165", repairs: Repairs{Jumps: 1},
		},
		{
			name: "one odd message: all goes on as before",
			log:  "o900000/80 v99/99 a73/100 v132/132", want: "o99 v99 a73 v132", repairs: Repairs{Jumps: 1},
		},
		{
			name: "odd messages in a row: the other track tells where to go on",
			log:  "o900000/80 o500000/90 v110/110 a115/115 v165/165", want: "o99 o132 v132 a115 v165", repairs: Repairs{Jumps: 2},
		},
		{
			name: "a jump to behind the other track",
			log:  "v20000 a20010 v900000/20033 v17000/20066 v17033/20099", want: "v20000 a20010 v20033 v20066 v20099",
			repairs: Repairs{Jumps: 2},
		},
		{
			name: "a track that begins elsewhere",
			log:  "w700000/80 w700033/113 v99/99", want: "w80 w113 v99", repairs: Repairs{Jumps: 1},
		},
		{
			name: "headers and data at odd times",
			log:  "v20000/20000 a20010/20001 h0/20002 g0/20002 d0/20002 d900000/20002 k0/20003 s0/20004 v20033/20033 d20033/20033 d20000/20034",
			want: "v20000 a20010 h20010 g20010 d20010 d20010 k20010 s20010 v20033 d20033 d20033",
		},
		{
			name: "headers behind the frames of their track",
			log:  "g40/66 h0/66 h70/70 h60/70", want: "g52 h66 h70 h70",
		},
		{
			name: "small steps back are held",
			log:  "v50/99 v60/110 v83/132 a73/133", want: "v66 v66 v83 a73", repairs: Repairs{Backward: 1},
		},
		{
			name: "each small step back counts",
			log:  "v50/99 v83/132 v70/140 v116/165", want: "v66 v83 v83 v116", repairs: Repairs{Backward: 2},
		},
		{
			name: "a track that remains behind goes on at the head",
			log:  "a2000 v40/1000 v50/2000 v60/3001 v93/3034", want: "a2000 v66 v66 v3001 v3034",
			repairs: Repairs{Jumps: 1, Backward: 1},
		},
		{
			name: "too many tracks jump: they go on with the head",
			log:  "z70/70 z5000000/80 z5000033/113 v99/120", want: "z70 z80 z113 v99",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.covers != nil {
				conformance.Covers(t, test.covers...)
			}
			line := newTimeline()
			if got := stamp(line, intro); got != passed(intro) {
				t.Fatalf("intro: got %s", got)
			}
			if got := stamp(line, test.log); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := countsOf(line); got != test.repairs {
				t.Errorf("repairs: %+v, want %+v", got, test.repairs)
			}
		})
	}
}

// TestAPublisherThatStartsAnew has the clock of a publisher go back to zero on
// the same connection, after a short and after a long time.
func TestAPublisherThatStartsAnew(t *testing.T) {
	conformance.Covers(t, 166)
	for _, after := range []int{3000, 600_000, 3_000_000_000} {
		line := newTimeline()
		now := after
		stamp(line, frames('v', 10, uint32(after), 33, now, 33))
		stamp(line, frames('a', 14, uint32(after), 21, now, 21))
		before := line.time
		now += 330
		var got [2]uint32
		for i := range 30 {
			got[0] = stampOne(line, 'v', uint32(i*33), int64(now+i*33))
			got[1] = stampOne(line, 'a', uint32(i*33+7), int64(now+i*33))
		}
		if d := int32(got[1] - got[0]); d != 7 {
			t.Errorf("after %d ms: sound is %d ms behind the picture, the publisher said 7", after, d)
		}
		if d := line.time - before; d < 29*33 || d > 29*33+500 {
			t.Errorf("after %d ms: the line went on by %d ms, in 957", after, d)
		}
		if got := countsOf(line).Jumps; got != 1 {
			t.Errorf("after %d ms: %d jumps", after, got)
		}
	}
}

func TestATrackAloneGoesOnAsBeforeAnOddMessage(t *testing.T) {
	line := newTimeline()
	if got, want := stamp(line, "v0 v33 v900000/66 v99/110 v132/140"), "v0 v33 v66 v99 v132"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := countsOf(line); got != (Repairs{Jumps: 1}) {
		t.Errorf("repairs: %+v", got)
	}
}

func TestTracksBeyondTheBoundTakeNoStepBackEither(t *testing.T) {
	line := newTimeline()
	line.after = new(head)
	line.after.set(5000, 0)
	if got, want := stamp(line, "v700/10 z600/10 z800/110"), "v5010 z5000 z5110"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAClockThatWasStuckIsHealthyAgain(t *testing.T) {
	line := newTimeline()
	stamp(line, frames('v', 11, 500, 0, 1000, 100))
	// A lone step back, and standing still once more.
	if got, want := stamp(line, "v1533/2033 v20/2040 v1566/2066"), "v1533 v1533 v1566"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	stamp(line, frames('v', 11, 1600, 0, 2100, 100))
	if got, want := countsOf(line), (Repairs{Stuck: 2, Backward: 1}); got != want {
		t.Errorf("repairs: %+v, want %+v", got, want)
	}
}

func TestStuckClocksGoOnByArrival(t *testing.T) {
	tests := []struct{ name, log, want string }{
		{"for good", "v500/2000 v500/2100", "v1500 v1600"},
		{"until the clock is where it would be", "v500/2000 v1600/2100 v1633/2133", "v1500 v1600 v1633"},
		{"until the clock goes on where it was", "v500/2000 v500/3000 v533/3033 v566/3066", "v1500 v2500 v2533 v2566"},
		{"until the clock goes on a little late", "v500/2000 v1450/2100 v1540/2200", "v1500 v1500 v1540"},
		{"until the clock jumps", "v500/2000 v900000/2100 v900033/2133", "v1500 v1600 v1633"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := newTimeline()
			stuck := frames('v', 10, 500, 0, 1000, 100)
			if got := stamp(line, stuck); got != passed(stuck) {
				t.Fatalf("the first second: got %s", got)
			}
			if got := stamp(line, test.log); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := countsOf(line).Stuck; got != 1 {
				t.Errorf("%d clocks stuck", got)
			}
		})
	}
}

// BenchmarkTimeline is a stream of 30 pictures and 47 sounds a second.
func BenchmarkTimeline(b *testing.B) {
	line := newTimeline()
	video, audio := uint32(0), uint32(0)
	b.ReportAllocs()
	for b.Loop() {
		if audio <= video {
			audio += 21
			stampOne(line, 'a', audio, int64(audio))
			continue
		}
		video += 33
		stampOne(line, 'v', video, int64(video))
	}
}

func FuzzTimeline(f *testing.F) {
	const letters = "vwazohgksd"
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		seed := make([]byte, 600)
		for i := range seed {
			seed[i] = byte(rng.Uint32() >> (8 * rng.IntN(4)))
		}
		f.Add(seed, rng.Uint32())
	}
	f.Fuzz(func(t *testing.T, data []byte, start uint32) {
		line := newTimeline()
		timestamps, last, seen := map[byte]uint32{}, map[byte]uint32{}, map[byte]bool{}
		now := int64(0)
		for ; len(data) >= 3; data = data[3:] {
			source := letters[int(data[0])%len(letters)]
			// Mostly small steps; sometimes jumps, of up to 2^31 either way.
			step := uint32(int32(int8(data[1])))
			if data[2]&7 == 0 {
				step <<= data[2] >> 3
			}
			timestamps[source] += step
			now += int64(data[2])
			begun, before := line.begun, line.time
			in := start + timestamps[source]
			got := stampOne(line, source, in, now)
			if seen[source] && source != 'z' && begun && int32(got-last[source]) < 0 {
				t.Fatalf("%c: %d follows %d", source, got, last[source])
			}
			if begun && line.time-before > jumpLimit+now {
				t.Fatalf("%c: the line went from %d to %d", source, before, line.time)
			}
			if (source == 'v' || source == 'a' || source == 'w') && countsOf(line) == (Repairs{}) && got != in {
				t.Fatalf("%c: %d became %d without a repair", source, in, got)
			}
			if begun {
				last[source], seen[source] = got, true
			}
		}
	})
}
