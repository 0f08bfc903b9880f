package faults

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// timed publishes frames with timestamps of its own choice, and returns those that a
// player got.
func (f *fault) timed(channel string, timestamps []uint32) (got []uint32, publisher *stage.Client) {
	f.Helper()
	seen := f.watches(1, channel).Record()
	c, _ := f.publishes(channel)
	s := show{size: 300, every: 10 * time.Millisecond, group: 25}
	for n, timestamp := range timestamps {
		m := s.frame(c.Stream, n)
		m.Timestamp = timestamp
		if err := c.WriteMessage(m); err != nil {
			f.Fatal(err)
		}
		if n == 0 { // or it could begin with a later group
			stage.AwaitEvent(f.T, seen, 1, stage.Keyframe)
		}
		stage.Pause(f.bounded(), s.every)
	}
	if _, ok := seen.Await(2*stage.Soon, func(m rtmp.Message) bool {
		if m.Type == rtmp.TypeVideo {
			if want := s.frame(m.Stream, len(got)); !bytes.Equal(m.Payload, want.Payload) {
				f.Errorf("%s: frame %d is missing or spoiled", channel, len(got))
			}
			got = append(got, m.Timestamp)
		}
		return len(got) == len(timestamps)
	}); !ok {
		f.Errorf("%s: %d of %d frames came", channel, len(got), len(timestamps))
	}
	return got, c
}

// line are timestamps from a start on, a frame each 40 ms.
func line(start uint32, n int) (timestamps []uint32) {
	for i := range n {
		timestamps = append(timestamps, start+uint32(i)*40)
	}
	return timestamps
}

// D10: internal/stream has the rules, and test/e2e real players.
func TestTimestampsThatJumpAndWrap(t *testing.T) {
	t.Parallel()
	f := begin(t, "D10")
	const edge = 0xFFFFFF
	for name, test := range map[string]struct {
		timestamps []uint32
		same       bool // players get what was sent
	}{
		"over-24-bits":    {append([]uint32{edge - 1, edge, edge + 1}, line(edge+40, 10)...), true},
		"equal":           {append([]uint32{edge, edge, edge, edge}, line(edge, 5)...), true},
		"back-by-10-s":    {append(line(100_000, 10), line(90_000, 30)...), false},
		"back-by-20-s":    {append(line(100_000, 10), line(80_000, 30)...), false},
		"forward-by-half": {append(line(5_000, 10), line(5_000+1<<31, 30)...), false},
		"forward-by-more": {append(line(5_000, 10), line(5_001+1<<31, 30)...), false},
		"there-and-back":  {append(line(5_000, 10), append(line(1<<30, 10), line(5_800, 10)...)...), false},
		"anything":        {[]uint32{7, 1 << 31, 3, 0xFFFFFFFF, 0, 1 << 30, 40_000, 9, 1 << 31, 0xFFFFFF}, false},
	} {
		got, c := f.timed(name, test.timestamps)
		for i, at := range got {
			if test.same && at != test.timestamps[i] {
				f.Errorf("%s: frame %d has the timestamp %d, want %d", name, i, at, test.timestamps[i])
			}
			if i > 0 {
				if step := int32(at - got[i-1]); step < 0 || step > 10_000 {
					f.Errorf("%s: frame %d is %d ms after the one before", name, i, step)
				}
			}
		}
		_ = c.Conn.Close()
	}
	f.figure("timelines", 8)
	f.extendedTimestamps()
}

// extendedTimestamps writes chunks of type 3 with the extended timestamp, as most do,
// and without, as some.
func (f *fault) extendedTimestamps() {
	f.Helper()
	const chunk = 128
	for name, repeats := range map[string]bool{"repeats": true, "omits": false} {
		seen := f.watches(2, name).Record()
		c, _ := f.publishes(name)
		if err := c.SetChunkSize(chunk); err != nil {
			f.Fatal(err)
		}
		s := show{size: 1000}
		const n = 10
		for k := 1; k <= n; k++ { // a frame of zeros looks like timestamps
			extension := binary.BigEndian.AppendUint32(nil, 0xFFFFFF+uint32(k)*40)
			payload := s.frame(c.Stream, k).Payload
			if k == 1 {
				payload[0] = 0x17
			}
			wire := header(6, len(payload), rtmp.TypeVideo, c.Stream)
			copy(wire[1:4], "\xff\xff\xff")
			for i := 0; i < len(payload); i += chunk {
				if i > 0 {
					wire = append(wire, 3<<6|6)
				}
				if i == 0 || repeats {
					wire = append(wire, extension...)
				}
				wire = append(wire, payload[i:min(i+chunk, len(payload))]...)
			}
			if _, err := c.Conn.Write(wire); err != nil {
				f.Fatal(err)
			}
		}
		k := uint32(1)
		if _, ok := seen.Await(stage.Soon, func(m rtmp.Message) bool {
			if m.Type == rtmp.TypeVideo {
				if m.Timestamp != 0xFFFFFF+k*40 || !bytes.Equal(m.Payload[1:], s.frame(m.Stream, int(k)).Payload[1:]) {
					f.Errorf("%s: frame %d came at %d, or spoiled", name, k, m.Timestamp)
				}
				k++
			}
			return k > n
		}); !ok {
			f.Errorf("%s: %d of %d frames came", name, k-1, n)
		}
	}
}

// D11: 2^32 ms are 49.7 days, and a camera may begin anywhere. internal/stream has
// that its timelines never wrap inside.
func TestFortyNineDaysAndMore(t *testing.T) {
	t.Parallel()
	f := begin(t, "D11")
	start := uint32(1<<32 - 5_000)
	timestamps := line(start, 250) // 10 s, in 2.5
	got, c := f.timed("camera", timestamps)
	for i, at := range got {
		if at != timestamps[i] {
			f.Fatalf("frame %d has the timestamp %d, want %d", i, at, timestamps[i])
		}
	}
	f.figure("frames", len(got))
	late := f.watches(3, "camera").Record()
	first := stage.AwaitEvent(t, late, 1, stage.Keyframe)
	if at := first[len(first)-1].Timestamp; at != timestamps[225] {
		f.Errorf("a newcomer starts at %d, want %d", at, timestamps[225])
	}
	_ = c.Conn.Close()
	end := f.server.AwaitLine("msg=end", "role=publisher", "channel=camera")
	if stage.Attr(end, "timestamp_jumps")+stage.Attr(end, "timestamp_steps_back")+stage.Attr(end, "timestamp_stuck") != "" {
		f.Errorf("something was mended: %s", end)
	}
}
