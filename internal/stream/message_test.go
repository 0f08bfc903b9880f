package stream

import (
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestChunksForEveryMessageStream(t *testing.T) {
	for _, size := range []int{0, 1, 128, 129, 1000} {
		for _, timestamp := range []uint32{0, 0xFFFFFE, 0xFFFFFF, 1 << 31} {
			m := rtmp.Message{Type: rtmp.TypeVideo, Timestamp: timestamp, Payload: []byte(strings.Repeat("\x1F", size))}
			shared := newMessage(m, 128)
			m.ChunkStream = rtmp.ChunkStreamVideo
			for _, m.Stream = range []uint32{PlayStream, 0, 2, 0x01020304} {
				want := string(rtmp.AppendMessage(nil, m, 128))
				if got := string(shared.ChunksFor(m.Stream)); got != want {
					t.Errorf("%d bytes at %d for stream %d: got % x", size, timestamp, m.Stream, got)
				}
			}
			if &shared.ChunksFor(PlayStream)[0] != &shared.Chunks()[0] {
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
				m.ChunksFor(uint32(i))
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
