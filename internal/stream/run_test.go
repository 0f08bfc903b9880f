package stream

import (
	"bytes"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

// joined returns the tokens of what a cursor gets as one run, "" if nothing.
func joined(t *testing.T, l *Log, c *Cursor) int {
	t.Helper()
	before := c.at
	chunks := c.Joined()
	if chunks == nil {
		return 0
	}
	var want []byte
	n := 0
	for m := before; m != c.at; n++ {
		m = m.next.Load()
		want = append(want, m.Chunks()...)
	}
	if !bytes.Equal(chunks, want) {
		t.Error("a run is not what its messages are")
	}
	return n
}

func TestRunsGoFromPassToPass(t *testing.T) {
	l := logOf("vh0=A ah0=B v0!@0")
	c := l.Cursor(AtGroup)
	drain(c)
	l.Join() // the first one only says where runs begin
	if !c.AtJoint() {
		t.Error("a viewer that has all is not at the joint")
	}
	for _, tokens := range []string{"v0@10 a0@12", "v0!@20", "a0@22 v0@30 a0@32"} {
		appendAll(l, tokens)
		if c.Joined() != nil {
			t.Error("a run before Join")
		}
		l.Join()
		want := len(bytes.Fields([]byte(tokens)))
		if got := joined(t, l, c); got != want || !c.AtJoint() {
			t.Errorf("%s: a run of %d messages, at its end %v", tokens, got, c.AtJoint())
		}
	}
	l.Join()
	if c.Joined() != nil {
		t.Error("a run of nothing")
	}
}

func TestUnsentIsWhatCameBehindTheLastRun(t *testing.T) {
	const now = 99 * time.Millisecond
	l := logOf("vh0=A v0!@0")
	check := func(what string, want time.Duration) {
		t.Helper()
		if got := l.Unsent(now); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	check("no run", now)
	l.Join()
	check("nothing", now)
	appendAll(l, "v0@10 v0@20")
	check("two messages", 10*time.Millisecond)
	l.Join()
	check("nothing again", now)
	appendAll(l, "v0@30")
	l.Part()
	check("no runs any more", now)
}

// TestRunsAreForThoseWhoWantAllOfThem has the others read message by message.
func TestRunsAreForThoseWhoWantAllOfThem(t *testing.T) {
	for name, c := range map[string]struct {
		change func(l *Log, c *Cursor)
		want   string
	}{
		"another place":   {func(_ *Log, c *Cursor) { _, _ = c.Next() }, "v0@20"},
		"without audio":   {func(_ *Log, c *Cursor) { c.SetAudio(false) }, "v0@20"},
		"without video":   {func(_ *Log, c *Cursor) { c.SetVideo(false) }, "a0@10"},
		"new headers":     {func(_ *Log, c *Cursor) { c.SetAudio(false); c.SetAudio(true) }, "vh0=A ah0=B a0@10 v0@20"},
		"no keyframe yet": {func(l *Log, c *Cursor) { c.met = 0 }, "a0@10"},
	} {
		l := logOf("vh0=A ah0=B v0!@0")
		cursor := l.Cursor(AtGroup)
		drain(cursor)
		l.Join()
		appendAll(l, "a0@10 v0@20")
		l.Join()
		c.change(l, cursor)
		if cursor.Joined() != nil {
			t.Errorf("%s: got the run", name)
		}
		if got := drain(cursor); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// runOf returns a log whose last run are the given messages, and a cursor at its
// beginning.
func runOf(viewer media.Capabilities, before, tokens string) (*Log, *Cursor) {
	l := logOf(before)
	c := cursorFor(l, AtGroup, viewer)
	drain(c)
	l.Join()
	appendAll(l, tokens)
	l.Join()
	return l, c
}

func TestRunsAreLaidOutForEveryClass(t *testing.T) {
	const before = "xh0=A xh1=B ah0=C vv0!@0"
	for _, tokens := range []string{"x0@10 x1@10 a0@11 a1@11", "a0@10", "x1@10", "x1@10 x0!@10", "vv0@10 x0@20 xh1=D@30"} {
		for _, viewer := range classes {
			l, byMessage := runOf(viewer, before, tokens)
			var want []byte
			probe := *byMessage
			for m, _ := probe.Next(); m != nil; m, _ = probe.Next() {
				want = append(want, probe.Chunks(m, PlayStream)...)
			}
			got, again := *byMessage, *byMessage
			chunks := got.Joined()
			if !bytes.Equal(chunks, want) {
				t.Errorf("%s for %+v: got % x, want % x", tokens, viewer, chunks, want)
			}
			if len(want) == 0 {
				continue // nothing of it: that is for Next to say
			}
			if !same(again.Joined(), chunks) {
				t.Errorf("%s for %+v: a copy for each viewer", tokens, viewer)
			}
			if got.at != l.tail.Load() || got.met != probe.met || got.withheld != probe.withheld || !got.AtJoint() {
				t.Errorf("%s for %+v: the cursor is %+v, want %+v", tokens, viewer, got, probe)
			}
		}
	}
}

func TestARunNeedsTheKeyframesOfAllItsTracks(t *testing.T) {
	l, c := runOf(everything, "vh0=A vh1=B v0!@0", "v0@10 v1@10")
	for _, pass := range []struct{ tokens, want string }{
		{"", "v0@10"},
		{"v0@20 v1!@20", "v0@20 v1!@20"},
	} {
		appendAll(l, pass.tokens)
		l.Join()
		if c.Joined() != nil {
			t.Errorf("got the run of %s", pass.want)
		}
		if got := drain(c); got != pass.want {
			t.Errorf("got %s, want %s", got, pass.want)
		}
	}
	l.Join()
	appendAll(l, "v0@30 v1@30")
	l.Join()
	if got := joined(t, l, c); got != 2 {
		t.Errorf("a run of %d messages, want 2", got)
	}
}

// A viewer may get something of a run by message because the run began before
// it came, and what it is not sent ends the run.
func TestNothingIsLostBehindARunThatEndsWithWhatIsWithheld(t *testing.T) {
	l, c := runOf(oneTrack, "xh0=A x0!@0 x1!@0", "x0@10 x1@10")
	if m, _ := c.Next(); text(m) != "x0@10" || c.AtJoint() {
		t.Errorf("got %s, at the joint %v", text(m), c.AtJoint())
	}
	if m, _ := c.Next(); m != nil || !c.AtJoint() {
		t.Error("not at the joint behind what is withheld")
	}
	appendAll(l, "x0@20 x1@20")
	l.Join()
	if got := c.Joined(); len(got) != 12+len(message("x0").Payload) || !c.AtJoint() {
		t.Errorf("got % x", got)
	}
}

func TestRunsWithoutVideoNeedNoKeyframe(t *testing.T) {
	l := logOf("ah0=B a0@0")
	c := l.Cursor(AtGroup)
	drain(c)
	l.Join()
	appendAll(l, "a0@10 a0@20")
	l.Join()
	if got := joined(t, l, c); got != 2 {
		t.Errorf("a run of %d messages, want 2", got)
	}
}

func TestLongRunsAreLeftToTheMessages(t *testing.T) {
	l := logOf("v0!@0")
	c := l.Cursor(AtGroup)
	drain(c)
	l.Join()
	big := message("v0@10")
	big.Payload = append(big.Payload, make([]byte, maxRun)...)
	l.Append(big, 0)
	l.Join()
	if c.Joined() != nil {
		t.Error("a run beyond the bound")
	}
	if m, err := c.Next(); m == nil || err != nil {
		t.Errorf("got %v, %v", m, err)
	}
}

// TestNoRunHoldsTheLog wants nothing kept when nobody reads runs any more: the
// messages since would all be held by the one in front of it.
func TestNoRunHoldsTheLog(t *testing.T) {
	r := newTestRegistry(TakeoverNever)
	p := publish(t, r, newSession(r), Claim{})
	sub := subscribe(t, r, newSession(r), "key")
	p.Append(message("v0!"), 0)
	p.Log().Join()
	p.Log().Join()
	p.Flush()
	if p.Log().run.Load() == nil {
		t.Error("no run while somebody watches")
	}
	sub.Close()
	p.Flush()
	if p.Log().run.Load() != nil {
		t.Error("a run is kept though nobody watches")
	}
	p.Close()
}

func TestTheEndIsNoJoint(t *testing.T) {
	l := logOf("v0!@0")
	c := l.Cursor(AtGroup)
	drain(c)
	l.Join()
	l.end()
	if c.AtJoint() {
		t.Error("a viewer would never hear of the end")
	}
}
