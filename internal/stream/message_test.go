package stream

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestChunksForEveryMessageStream(t *testing.T) {
	for _, size := range []int{0, 1, 128, 129, 1000} {
		for _, timestamp := range []uint32{0, 0xFFFFFE, 0xFFFFFF, 1 << 31} {
			m := rtmp.Message{Type: rtmp.TypeVideo, Timestamp: timestamp, Payload: []byte(strings.Repeat("\x1F", size))}
			shared, c := newMessage(m, 128), newLog(128, 0).Cursor(AtLive)
			m.ChunkStream = rtmp.ChunkStreamVideo
			for _, m.Stream = range []uint32{PlayStream, 0, 2, 0x01020304} {
				want := string(rtmp.AppendMessage(nil, m, 128))
				if got := string(c.Chunks(shared, m.Stream)); got != want {
					t.Errorf("%d bytes at %d for stream %d: got % x", size, timestamp, m.Stream, got)
				}
			}
			if &c.Chunks(shared, PlayStream)[0] != &shared.Chunks()[0] {
				t.Error("copied for the usual stream")
			}
		}
	}
}

func TestSharedBytesAreNeverChanged(t *testing.T) {
	l := logOf("")
	c := l.Cursor(AtGroup)
	type sight struct {
		message *Message
		bytes   string
	}
	var seen []sight
	for i, test := range joins {
		appendAll(l, strings.ReplaceAll(test.log, "|", ""))
		for _, viewer := range []*Cursor{c, l.Cursor(AtGroup), l.Cursor(AtLive)} {
			for m, _ := viewer.Next(); m != nil; m, _ = viewer.Next() {
				seen = append(seen, sight{m, string(m.Chunks())})
				viewer.Chunks(m, uint32(i))
			}
		}
	}
	for _, s := range seen {
		if string(s.message.Chunks()) != s.bytes {
			t.Errorf("%s was changed", text(s.message))
		}
	}
	if len(seen) < 500 {
		t.Errorf("only %d messages seen", len(seen))
	}
}

// arrived returns m as it comes from a publisher.
func arrived(t *testing.T, m rtmp.Message) rtmp.Message {
	t.Helper()
	m.ChunkStream = rtmp.ChunkStreamFor(m.Type)
	source := bytes.NewReader(rtmp.AppendMessage(nil, m, rtmp.DefaultChunkSize))
	m, err := rtmp.NewReader(bufio.NewReader(source), rtmp.AcceptedLimits).ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Messages that were read are laid out where they are; those of which the log
// changes anything, and headers for newcomers, are copied. Neither must show.
func TestMessagesThatWereReadAreLaidOutAlike(t *testing.T) {
	all := func(l *Log, start Start) (chunks []byte) {
		c := l.Cursor(start)
		for m, _ := c.Next(); m != nil; m, _ = c.Next() {
			chunks = append(chunks, m.Chunks()...)
		}
		return chunks
	}
	for _, test := range joins {
		made, read := logOf(""), logOf("")
		madeFirst, readFirst := made.tail.Load(), read.tail.Load()
		for _, token := range strings.Fields(strings.ReplaceAll(test.log, "|", "")) {
			m := message(token)
			made.Append(m, 0)
			read.Append(arrived(t, m), 0)
			for _, start := range []Start{AtGroup, AtLive} {
				if !bytes.Equal(all(made, start), all(read, start)) {
					t.Errorf("%s: newcomers after %s get something else", test.name, token)
				}
			}
		}
		for madeFirst.next.Load() != nil {
			madeFirst, readFirst = madeFirst.next.Load(), readFirst.next.Load()
			if !bytes.Equal(madeFirst.Chunks(), readFirst.Chunks()) {
				t.Errorf("%s: %s became %s", test.name, text(madeFirst), text(readFirst))
			}
		}
	}
}

func TestFramesAreNotCopied(t *testing.T) {
	l := logOf("")
	for _, token := range []string{"v0!", "a0", "vh0=A", "opaque"} {
		m := arrived(t, message(token))
		if allocs := testing.AllocsPerRun(1, func() { newMessage(m, testChunkSize) }); allocs > 1 {
			t.Errorf("%s: %v allocations", token, allocs)
		}
		l.Append(m, 0)
		chunks := l.tail.Load().Chunks()
		if &chunks[len(chunks)-1] != &m.Payload[len(m.Payload)-1] {
			t.Errorf("%s was copied", token)
		}
	}
}
