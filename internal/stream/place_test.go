package stream

import (
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// framesOf appends a keyframe and n-1 frames, a second each.
func framesOf(l *Log, from, n int) {
	for i := range n {
		first := byte(0x27)
		if i == 0 {
			first = 0x17
		}
		at := time.Duration(from+i) * time.Second
		l.Append(rtmp.Message{
			Type: rtmp.TypeVideo, Timestamp: uint32(at.Milliseconds()), Payload: []byte{first, 1, 0, 0, 0, 1},
		}, at)
	}
}

func factsOf(p *Place, l *Log) Session {
	var s Session
	p.Count(&s)
	p.Compare(&s, l)
	return s
}

func wantFacts(t *testing.T, when string, got, want Session) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %+v, want %+v", when, got, want)
	}
}

func TestAPlaceTellsHowFarAViewerHasGot(t *testing.T) {
	var p Place
	wantFacts(t, "before anything", factsOf(&p, nil), Session{})
	first := newLog(60000, 1<<20)
	framesOf(first, 1, 10)
	wantFacts(t, "before the cursor", factsOf(&p, first), Session{Live: true})

	c := first.Cursor(AtGroup)
	p.Join(c)
	for range 4 {
		if m, err := c.Next(); m == nil || err != nil {
			t.Fatal(m, err)
		}
	}
	p.Note(c)
	framesOf(first, 11, 10)
	wantFacts(t, "behind", factsOf(&p, first), Session{Live: true, MessagesOut: 4, Lag: 10 * time.Second})

	if _, ok := c.CatchUp(4 * time.Second); !ok {
		t.Fatal("it does not catch up")
	}
	p.Skip()
	for m, _ := c.Next(); m != nil; m, _ = c.Next() {
		p.Note(c)
	}
	caughtUp := Session{Live: true, MessagesOut: 14, Skipped: 6, Skips: 1}
	wantFacts(t, "after it caught up", factsOf(&p, first), caughtUp)

	p.Leave(c)
	c.Close()
	p.Leave(c)
	caughtUp.Live = false
	wantFacts(t, "between publications", factsOf(&p, nil), caughtUp)

	second := newLog(60000, 1<<20)
	framesOf(second, 30, 3)
	*c = *second.Cursor(AtGroup)
	p.Join(c)
	for m, _ := c.Next(); m != nil; m, _ = c.Next() {
		p.Note(c)
	}
	wantFacts(t, "in the next one", factsOf(&p, second), Session{Live: true, MessagesOut: 17, Skipped: 6, Skips: 1})
}

// Whoever joins a publication gets its headers once, wherever they come from, and
// they count alike.
func TestHeadersCountWheneverAViewerJoins(t *testing.T) {
	for joined := range 5 {
		l := newLog(60000, 1<<20)
		messages := []rtmp.Message{
			{Type: rtmp.TypeVideo, Payload: []byte{0x17, 0, 0, 0, 0, 0xAA}},
			{Type: rtmp.TypeAudio, Payload: []byte{0xAF, 0, 0x11, 0x90}},
			{Type: rtmp.TypeVideo, Payload: []byte{0x17, 1, 0, 0, 0, 1}},
			{Type: rtmp.TypeVideo, Timestamp: 33, Payload: []byte{0x27, 1, 0, 0, 0, 1}},
		}
		for _, m := range messages[:joined] {
			l.Append(m, 0)
		}
		var p Place
		c := l.Cursor(AtGroup)
		p.Join(c)
		got := 0
		read := func() {
			for m, _ := c.Next(); m != nil; m, _ = c.Next() {
				got++
			}
			p.Note(c)
		}
		read()
		for _, m := range messages[joined:] {
			l.Append(m, 0)
			read()
		}
		if counted := factsOf(&p, l).MessagesOut; got != len(messages) || counted != uint64(got) {
			t.Errorf("joined after %d messages: %d counted, %d came, of %d", joined, counted, got, len(messages))
		}
	}
}

func TestNotingAPlaceAllocatesNothing(t *testing.T) {
	l := newLog(60000, 1<<20)
	framesOf(l, 0, 200)
	c := l.Cursor(AtGroup)
	var p Place
	p.Join(c)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = c.Next()
		p.Note(c)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
