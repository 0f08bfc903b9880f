package stream

import (
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// straggling has a viewer at the first of some frames of 100 kB, a second each.
func straggling(t *testing.T, l *Log, at *Place, frames int) {
	t.Helper()
	c := l.Cursor(AtGroup)
	at.Join(c)
	for i := range frames {
		now := time.Duration(i) * time.Second
		payload := append([]byte{0x17, 1, 0, 0, 0}, make([]byte, 100_000)...)
		l.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: uint32(now.Milliseconds()), Payload: payload}, now)
		if i == 0 {
			if m, err := c.Next(); m == nil || err != nil {
				t.Fatal(m, err)
			}
			at.Note(c)
		}
	}
}

func TestAStragglerIsBehindInTimeAndBytes(t *testing.T) {
	for _, test := range []struct {
		frames int
		want   bool
	}{{1, false}, {3, false}, {4, true}} {
		var p Place
		l := newLog(60000, 1<<20)
		straggling(t, l, &p, test.frames)
		if _, ok := p.Straggler(l, nil); ok != test.want {
			t.Errorf("after %d frames: %v", test.frames, ok)
		}
		if _, ok := p.Straggler(nil, nil); ok {
			t.Error("one is behind though the channel is not live")
		}
	}
	var p Place
	l := newLog(60000, 1<<20)
	burst := rtmp.Message{Type: rtmp.TypeVideo, Payload: append([]byte{0x17, 1, 0, 0, 0}, make([]byte, 1_000_000)...)}
	straggling(t, l, &p, 1)
	l.Append(burst, time.Second)
	if _, ok := p.Straggler(l, nil); ok {
		t.Error("one is behind after a large message")
	}
	if _, ok := new(Place).Straggler(l, nil); ok {
		t.Error("one is behind who has had nothing")
	}
}

// Of three viewers two have the same log, in which closing one frees what the other
// does not need.
func TestStragglersWhoHoldMostGoFirst(t *testing.T) {
	one, other := newLog(60000, 1<<20), newLog(60000, 1<<20)
	const mb = 1 << 20
	for _, test := range []struct {
		name  string
		bytes int64
		going []string // who is about to go anyway
		want  []string
	}{
		{"nothing", 0, nil, nil},
		{"a little", 1, nil, []string{"most"}},
		{"what one holds alone", 2 * mb, nil, []string{"most"}},
		{"more than that", 2*mb + 1, nil, []string{"most", "more"}},
		{"what those two hold", 8 * mb, nil, []string{"most", "more"}},
		{"all", 100 * mb, nil, []string{"most", "more", "least"}},
		{"what somebody leaves", 2 * mb, []string{"most"}, nil},
		{"more than somebody leaves", 3 * mb, []string{"most"}, []string{"more"}},
	} {
		var got []string
		straggler := func(name string, l *Log, held int64) Straggler {
			return Straggler{log: l, held: held, end: func() bool {
				if slices.Contains(test.going, name) {
					return false
				}
				got = append(got, name)
				return true
			}}
		}
		n := EndStragglers([]Straggler{
			straggler("least", other, 3*mb), straggler("most", one, 8*mb), straggler("more", one, 6*mb),
		}, test.bytes)
		if n != len(got) || !slices.Equal(got, test.want) {
			t.Errorf("%s: %d ended, %v, want %v", test.name, n, got, test.want)
		}
	}
}
