package stream

import (
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// A viewer joins at the bar.
func TestATrackStartsAtItsOwnKeyframe(t *testing.T) {
	for _, test := range []struct {
		name      string
		start     Start
		log, want string
	}{
		{
			name: "in the group",
			log:  "vh0=A vh1=B v0!@0 v1@5 v0@10 | v1@15 v1!@20 v1@25 v0@30",
			want: "vh0=A vh1=B v0!@0 v0@10 v1!@20 v1@25 v0@30",
		},
		{
			name: "its header comes at once",
			log:  "v0!@0 | vh1=B@10 v1@20 v1!@30",
			want: "v0!@0 vh1=B@10 v1!@30",
		},
		{
			name: "its end comes at once", log: "v0!@0 | ve1@10", want: "v0!@0 ve1@10",
		},
		{
			name: "a track that begins with other frames", log: "| v0!@0 v1@5 v1!@10 v1@15", want: "v0!@0 v1!@10 v1@15",
		},
		{
			name: "in front of track 0", start: AtLive,
			log:  "v0!@0 v1!@0 | v1@5 v0@5 v1!@10 v1@15 v0@15 v0!@20 v1@25",
			want: "v1!@10 v1@15 v0!@20 v1@25",
		},
		{
			name: "audio tracks start at once", log: "v0!@0 | a0@10 a1@10", want: "v0!@0 a0@10 a1@10",
		},
		{
			name: "all tracks of a keyframe", log: "| vv0!@0 v1@5 v0@5 v2@5", want: "vv0!@0 v1@5 v0@5 v2@5",
		},
		{
			name: "a frame of several tracks goes with any of them", log: "| vv0@0 v0!@5 vv0@10", want: "v0!@5 vv0@10",
		},
		{
			name: "a keyframe that is damaged starts nothing", log: "| opaque3 v0@5 v1@5 v0!@10", want: "v0!@10",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after, _ := strings.Cut(test.log, "|")
			l := logOf(before)
			c := l.Cursor(test.start)
			appendAll(l, after)
			if got, want := drain(c), strings.ReplaceAll(test.want, "@0", ""); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestTheHighestTracksStartTogether(t *testing.T) {
	frame := func(track byte, key bool) rtmp.Message {
		m := message(map[bool]string{true: "v1!", false: "v1"}[key])
		m.Payload[6] = track
		return m
	}
	l := logOf("")
	c := l.Cursor(AtGroup)
	l.Append(frame(62, true), 0)
	l.Append(frame(63, false), 0)
	l.Append(frame(200, false), 0)
	l.Append(frame(255, true), 0)
	l.Append(frame(200, false), 0)
	l.Append(frame(61, false), 0)
	var got []byte
	for m, _ := c.Next(); m != nil; m, _ = c.Next() {
		got = append(got, m.track)
	}
	if string(got) != string([]byte{62, 255, 200}) {
		t.Errorf("got frames of tracks %d", got)
	}
}

func TestWhoSkippedOrSwitchedMeetsEachTrackAnew(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	c := l.Cursor(AtGroup)
	got := replay(c, "v0!@10 v1!@10 -v +v v1@20 v0!@30 v1@40 v1!@50 v1@60")
	if want := "v0!@10 v1!@10 v0!@30 v1!@50 v1@60"; got != want {
		t.Errorf("switched: got  %s\nwant %s", got, want)
	}
	appendAll(l, "v0@70 v0!@9000 v1@9000 v0@9010")
	if _, ok := c.CatchUp(startWindow); !ok {
		t.Fatal("did not move")
	}
	if got, want := replay(c, "v1!@9020 v1@9030"), "v0!@9000 v0@9010 v1!@9020 v1@9030"; got != want {
		t.Errorf("skipped: got  %s\nwant %s", got, want)
	}
	if missed := c.Missed(); missed.Messages != 2 {
		t.Errorf("%d messages missed, want v0@70 and v1@9000", missed.Messages)
	}
}
