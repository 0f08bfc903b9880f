package stream

import (
	"slices"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Messages in the fuzzer's input are a type, the length of the payload in one
// byte, and the payload.
var fuzzTypes = []rtmp.MessageType{rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData, rtmp.TypeDataAMF3, rtmp.TypeCommand}

func appendFuzzMessage(dst []byte, m rtmp.Message) []byte {
	dst = append(dst, byte(slices.Index(fuzzTypes, m.Type)), byte(len(m.Payload)))
	return append(dst, m.Payload...)
}

func nextFuzzMessage(data []byte) (m rtmp.Message, rest []byte) {
	m.Type = fuzzTypes[int(data[0])%len(fuzzTypes)]
	size := min(int(data[1]), len(data)-2)
	m.Payload = data[2 : 2+size]
	return m, data[2+size:]
}

func FuzzLog(f *testing.F) {
	for _, test := range joins {
		var data []byte
		for _, token := range strings.Fields(strings.ReplaceAll(test.log, "|", " ")) {
			data = appendFuzzMessage(data, message(token))
		}
		f.Add(data, uint8(4), uint8(100))
	}
	f.Fuzz(func(t *testing.T, data []byte, join, cache uint8) {
		l := newLog(128, int64(cache)*smallFrame/8)
		first := l.Cursor(AtGroup)
		var audience []*Cursor
		for _, class := range classes {
			audience = append(audience, cursorFor(l, AtGroup, class))
		}
		var joined *Cursor
		for n := 0; len(data) >= 2; n++ {
			var m rtmp.Message
			m, data = nextFuzzMessage(data)
			m.Timestamp = uint32(n)
			l.Append(m, 0)
			checkLog(t, l)
			if n == int(join) {
				joined = l.Cursor(AtGroup)
				checkEntry(t, l, joined)
			}
		}
		l.end()
		checkForms(t, audience)
		checkView(t, first)
		checkView(t, l.Cursor(AtLive))
		if joined != nil {
			checkView(t, joined)
		}
	})
}

// checkLog checks the bounds of what is kept for newcomers.
func checkLog(t *testing.T, l *Log) {
	if got := retained(l); got > l.cacheBytes {
		t.Fatalf("group of %d bytes in a cache of %d", got, l.cacheBytes)
	}
	for _, set := range []headers{l.headers, l.groupHeaders} {
		size := 0
		for _, h := range set {
			size += len(h.payload)
		}
		if size > maxHeaderBytes || len(set) > 1+4*maxTracks || !slices.IsSortedFunc(set, header.compare) {
			t.Fatalf("%d headers of %d bytes, or not in order", len(set), size)
		}
	}
	e := l.entry.Load()
	if e.before != nil && !l.starting && !e.before.next.Load().groupStart {
		t.Fatal("group does not begin with a keyframe")
	}
	if l.starting && e.before.sequence != 0 {
		t.Fatal("the beginning is not where the log begins")
	}
}

// checkEntry checks that a newcomer gets the headers, and then the group.
func checkEntry(t *testing.T, l *Log, c *Cursor) {
	e := l.entry.Load()
	probe := *c
	for _, want := range c.headers {
		if m, err := probe.Next(); m != want || err != nil || m.next.Load() != nil {
			t.Fatalf("got %v, %v, want a header", m, err)
		}
	}
	if e.before != nil && probe.at != e.before {
		t.Fatal("newcomer does not start with the group")
	}
}

// checkForms reads to the end: the viewers, of whom the first takes everything,
// get each message in some form, or it is counted.
func checkForms(t *testing.T, audience []*Cursor) {
	var all uint64
	for i, c := range audience {
		var n uint64
		for m, _ := c.Next(); m != nil; m, _ = c.Next() {
			if len(c.Chunks(m, PlayStream)) == 0 || len(c.Chunks(m, 2)) == 0 {
				t.Fatal("nothing to send for a message")
			}
			n++
		}
		if i == 0 {
			all = n
		}
		if n+c.Withheld() != all {
			t.Fatalf("%d messages and %d withheld of %d", n, c.Withheld(), all)
		}
		if i == 0 && c.Withheld() > 0 {
			t.Fatal("withheld from who takes everything")
		}
		c.Playable()
	}
}

// checkView reads to the end: in order, each video track from a keyframe on.
func checkView(t *testing.T, c *Cursor) {
	sequence, met := c.at.sequence, uint64(0)
	for {
		m, err := c.Next()
		if err != nil {
			break
		}
		if m == nil {
			t.Fatal("nothing more, before the end")
		}
		if m.starts {
			met |= m.tracks()
		}
		if m.Type == rtmp.TypeVideo && m.packet == media.Frame && met&m.tracks() == 0 {
			t.Fatal("a track does not begin with a keyframe")
		}
		if m.sequence == 0 {
			continue // a header for newcomers
		}
		if m.sequence <= sequence {
			t.Fatalf("message %d follows %d", m.sequence, sequence)
		}
		sequence = m.sequence
	}
	if c.at != c.log.tail.Load() {
		t.Fatal("ended before the tail")
	}
}
