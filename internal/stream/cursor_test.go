package stream

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// replay plays tokens to a cursor: -a +a -v +v switch, all others are appended.
func replay(c *Cursor, tokens string) string {
	var got []string
	read := func() {
		if s := drain(c); s != "" {
			got = append(got, s)
		}
	}
	for _, token := range strings.Fields(tokens) {
		on := token[0] == '+'
		switch token[1:] {
		case "a":
			read()
			c.SetAudio(on)
		case "v":
			read()
			c.SetVideo(on)
		default:
			appendAll(c.log, token)
		}
	}
	read()
	return strings.Join(got, " ")
}

func TestSwitchingAudioAndVideo(t *testing.T) {
	const joined = "vh0=A@10 ah0=B@10 v0!@10 "
	tests := []struct{ name, log, want string }{
		{"video off", "v0@20 -v a0@30 v0@40 vh0=C@50 v0!@60", joined + "v0@20 a0@30"},
		{"audio off", "a0@20 -a a0@30 ah0=C@35 v0@40", joined + "a0@20 v0@40"},
		{"data stays", "-a -v meta=X@20 text=Y@30", joined + "meta=X@20 text=Y@30"},
		{
			"video on again: headers, then from the next keyframe", "-v v0@20 +v v0@30 a0@35 v0!@40 v0@50",
			joined + "vh0=A@20 ah0=B@20 a0@35 v0!@40 v0@50",
		},
		{
			"keyframe while video is off does not count", "-v v0!@20 v0@25 +v v0@30 v0!@40",
			joined + "vh0=A@25 ah0=B@25 v0!@40",
		},
		{
			"audio on again: headers, then at once", "-a a0@20 +a a0@30 v0@40",
			joined + "vh0=A@20 ah0=B@20 a0@30 v0@40",
		},
		{
			"header that changed within the group meanwhile", "-a ah0=C@20 a0@30 +a a0@40",
			joined + "vh0=A@30 ah0=C@30 a0@40",
		},
		{"nothing new when it is on already", "+a +v v0@20", joined + "v0@20"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := replay(logOf("vh0=A ah0=B v0!@10").Cursor(AtGroup), test.log); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestNewcomerWithAudioOffGetsNoAudioHeader(t *testing.T) {
	c := logOf("meta=X vh0=A ah0=B v0!@10 a0@20 ah0=C@30").Cursor(AtGroup)
	c.SetAudio(false)
	c.SetVideo(true)
	if got := drain(c); got != "meta=X@10 vh0=A@10 v0!@10" {
		t.Errorf("got %s", got)
	}
}

func TestSwitchedOnBeforeTheGroupGetsTheHeadersOfTheGroup(t *testing.T) {
	c := logOf("vh0=A ah0=B v0!@10 a0@20 ah0=C@30").Cursor(AtGroup)
	c.SetAudio(false)
	c.SetAudio(true)
	if got := drain(c); got != "vh0=A@10 ah0=B@10 v0!@10 a0@20 ah0=C@30" {
		t.Errorf("got %s", got)
	}
}

func TestCatchUp(t *testing.T) {
	const limit = 5 * time.Second
	tests := []struct {
		name       string
		cacheBytes int64
		// The viewer joins behind read and reads all of it; then comes late.
		read, late string
		skipped    string // the messages left out, by their timestamps
		lag        time.Duration
		want       string // what it gets then
	}{
		{name: "nothing to read", cacheBytes: plenty, read: "vh0=A v0!@10"},
		{
			name: "as far behind as allowed", cacheBytes: plenty, read: "vh0=A v0!@10", late: "v0@20 v0!@5020",
			want: "v0@20 v0!@5020",
		},
		{
			name: "behind, with a newer group", cacheBytes: plenty, read: "vh0=A v0!@10",
			late: "v0@20 a0@30 v0!@5000 v0@9020", skipped: "v0@20 a0@30", lag: 9 * time.Second,
			want: "vh0=A@5000 v0!@5000 v0@9020",
		},
		{
			name: "behind by several groups", cacheBytes: plenty, read: "v0!@10",
			late: "v0@20 v0!@3000 v0@4000 v0!@8000", skipped: "v0@20 v0!@3000 v0@4000", lag: 7980 * time.Millisecond,
			want: "v0!@8000",
		},
		{
			name: "behind within the newest group", cacheBytes: plenty, read: "v0!@10", late: "v0@20 v0@9000",
			want: "v0@20 v0@9000",
		},
		{
			name: "in front of the newest group", cacheBytes: plenty, read: "v0!@10", late: "v0!@20 v0@9000",
			want: "v0!@20 v0@9000",
		},
		{
			name: "behind without a cache", cacheBytes: 0, read: "vh0=A v0!@10", late: "v0@20 v0!@3000 v0@9000",
			skipped: "v0@20 v0!@3000 v0@9000", lag: 8980 * time.Millisecond, want: "vh0=A@9000",
		},
		{
			name: "audio only", cacheBytes: plenty, read: "ah0=B a0@10", late: "a0@20 a0@9000",
			skipped: "a0@20 a0@9000", lag: 8980 * time.Millisecond, want: "ah0=B@9000",
		},
		{
			name: "header that changed meanwhile", cacheBytes: plenty, read: "ah0=B a0@10", late: "ah0=C@20 a0@9000",
			skipped: "ah0=C@20 a0@9000", lag: 8980 * time.Millisecond, want: "ah0=C@9000",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(testChunkSize, test.cacheBytes)
			c := l.Cursor(AtGroup)
			appendAll(l, test.read)
			drain(c)
			appendAll(l, test.late)

			want := Skipped{Lag: test.lag}
			for _, token := range strings.Fields(test.skipped) {
				want.Messages++
				want.Bytes += uint64(12 + len(message(token).Payload))
			}
			got, ok := c.CatchUp(limit)
			if got != want || ok != (test.skipped != "") {
				t.Errorf("CatchUp: got %+v, %v, want %+v", got, ok, want)
			}
			if _, again := c.CatchUp(limit); again {
				t.Error("behind again at once")
			}
			if got := drain(c); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWithoutCacheAViewerThatCaughtUpWaitsForAKeyframe(t *testing.T) {
	l := newLog(testChunkSize, 0)
	c := l.Cursor(AtGroup)
	appendAll(l, "vh0=A ah0=B v0!@10")
	drain(c)
	appendAll(l, "v0@20 a0@20 v0@9000")
	if _, ok := c.CatchUp(time.Second); !ok {
		t.Fatal("did not move")
	}
	appendAll(l, "v0@9010 a0@9010 v0!@9020")
	if got := drain(c); got != "vh0=A@9000 ah0=B@9000 a0@9010 v0!@9020" {
		t.Errorf("got %s", got)
	}
}

func TestJoinerOfAnOldLongGroupIsNotBehind(t *testing.T) {
	l := logOf("v0!@10 v0@20000")
	c := l.Cursor(AtGroup)
	appendAll(l, "v0@21000 v0!@22000")
	if skipped, ok := c.CatchUp(5 * time.Second); ok {
		t.Errorf("moved: %+v", skipped)
	}
	appendAll(l, "v0@26000")
	if skipped, ok := c.CatchUp(5 * time.Second); !ok || skipped.Lag != 6*time.Second || skipped.Messages != 3 {
		t.Errorf("got %+v, %v, want to move 3 messages, 6 s behind", skipped, ok)
	}
}

func TestEndOfTheLog(t *testing.T) {
	l := logOf("vh0=A v0!@10")
	present := l.Cursor(AtGroup)
	l.end()
	for _, c := range []*Cursor{present, l.Cursor(AtGroup)} {
		if got := drain(c) + " " + drain(c); got != "vh0=A@10 v0!@10 EOF EOF" {
			t.Errorf("got %s", got)
		}
	}
	if got := drain(logOf("").Cursor(AtLive)); got != "" {
		t.Errorf("empty log: got %s", got)
	}
}

func TestTheFirstMetadataOfAViewerHasNoTime(t *testing.T) {
	t.Parallel()
	l := newLog(128, 1<<20)
	long := strings.Repeat("x", 300) // of several chunks
	for _, m := range []rtmp.Message{
		{Type: rtmp.TypeData, Timestamp: 500, Payload: metadataOf(long)},
		{Type: rtmp.TypeVideo, Timestamp: 1000, Payload: []byte{0x17, 0, 0, 0, 0, 1}},
		{Type: rtmp.TypeVideo, Timestamp: 5000, Payload: []byte{0x17, 1, 0, 0, 0, 2}},
	} {
		l.Append(m, 0)
	}
	for _, introduced := range []bool{false, true} {
		c := l.Cursor(AtGroup)
		want := uint32(5000)
		if introduced {
			c.Introduce()
			want = 0
		}
		m, err := c.Next()
		if err != nil || m.Type != rtmp.TypeData || m.Timestamp != want {
			t.Errorf("introduced %v: %+v, %v, want the metadata at %d", introduced, m, err, want)
		}
		if payload, _ := rtmp.CutMessage(c.Chunks(m, PlayStream), 128); !bytes.Contains(payload, []byte(long)) {
			t.Errorf("introduced %v: the metadata is %x", introduced, payload)
		}
		if m, _ = c.Next(); m.Timestamp != 5000 || m.Type != rtmp.TypeVideo {
			t.Errorf("introduced %v: then %+v", introduced, m)
		}
	}

	waiting := newLog(128, 1<<20)
	c := waiting.Cursor(AtGroup)
	c.Introduce()
	for i := range uint32(2) {
		waiting.Append(rtmp.Message{Type: rtmp.TypeData, Timestamp: 500, Payload: metadataOf("x")}, 0)
		if m, err := c.Next(); err != nil || m.Timestamp != i*500 {
			t.Errorf("metadata %d for who waited: %+v, %v", i, m, err)
		}
	}
	cue := newLog(128, 1<<20)
	c = cue.Cursor(AtGroup)
	c.Introduce()
	cue.Append(rtmp.Message{Type: rtmp.TypeData, Timestamp: 500, Payload: []byte("\x02\x00\x0aonCuePoint\x05")}, 0)
	if m, err := c.Next(); err != nil || m.Timestamp != 500 {
		t.Errorf("a cue point: %+v, %v", m, err)
	}
}

func metadataOf(text string) []byte {
	payload := []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x01\x00\x07encoder\x02")
	payload = append(payload, byte(len(text)>>8), byte(len(text)))
	return append(append(payload, text...), 0, 0, 9)
}
