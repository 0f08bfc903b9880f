package stream

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// changing is one message a moment, each with another content.
func changing(name string, n int, every time.Duration) string {
	var tokens []string
	for i := range n {
		tokens = append(tokens, fmt.Sprintf("%s=%d@%d", name, i, time.Duration(i)*every/time.Millisecond))
	}
	return strings.Join(tokens, " ")
}

func countMessages(l *Log, kind rtmp.MessageType, first *Message) (n int) {
	for m := first.next.Load(); m != nil; m = m.next.Load() {
		if m.Type == kind {
			n++
		}
	}
	return n
}

func TestHeadersThatChangeAllTheTimeAreLeftOut(t *testing.T) {
	for _, test := range []struct {
		name string
		kind rtmp.MessageType
	}{
		{"meta", rtmp.TypeData}, {"vh0", rtmp.TypeVideo}, {"ah0", rtmp.TypeAudio}, {"cc0", rtmp.TypeAudio}, {"hdr0", rtmp.TypeVideo},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(testChunkSize, plenty)
			origin := l.tail.Load()
			const seconds, each = 10, 1000
			appendAll(l, changing(test.name, seconds*each, time.Second/each))
			passed, least, most := countMessages(l, test.kind, origin), churnBurst+(seconds-1)*churnRate, churnBurst+seconds*churnRate
			if passed < least || passed > most {
				t.Errorf("%d of %d passed in %d s, want %d to %d", passed, seconds*each, seconds, least, most)
			}
			if n := l.Excess(); n != uint64(seconds*each-passed) {
				t.Errorf("%d counted as left out, want %d", n, seconds*each-passed)
			}
			// What changes next, when it has been quiet, is what newcomers get.
			appendAll(l, test.name+"=new@20000")
			var newcomer Cursor
			newcomer.Open(l, AtGroup)
			if got := drain(&newcomer); !strings.Contains(got, test.name+"=new") {
				t.Errorf("a newcomer gets %q", got)
			}
		})
	}
}

// Encoders that repeat their headers with each frame change nothing.
func TestHeadersThatAreRepeatedPass(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	for range 1000 {
		appendAll(l, "meta=X vh0=A ah0=B v0! a0")
	}
	if n := l.Excess(); n != 0 {
		t.Errorf("%d left out", n)
	}
}

func TestStreamsThatChangeNowAndThenPass(t *testing.T) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, changing("meta", 600, 100*time.Millisecond))
	if n := l.Excess(); n != 0 {
		t.Errorf("%d left out", n)
	}
}

func TestMetadataHasALength(t *testing.T) {
	for _, length := range []int{maxMetadata - 1000, maxMetadata + 1} {
		l := newLog(testChunkSize, plenty)
		payload := []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x01\x00\x01x\x0c\x00\x00\x00\x00")
		text := payload[len(payload)-4:]
		text[0], text[1], text[2], text[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
		payload = append(payload, strings.Repeat("a", length)...)
		payload = append(payload, metadataEnd...)
		l.Append(rtmp.Message{Type: rtmp.TypeData, Payload: payload}, 0)
		if kept, want := len(l.headers) == 1, length <= maxMetadata; kept != want || (l.Excess() == 0) != want {
			t.Errorf("metadata of %d bytes: kept %t, %d left out", length, kept, l.Excess())
		}
	}
}

func TestChurnTakesNoMemory(t *testing.T) {
	l := logOf("vh0=A v0!@40")
	h := l.headers[0]
	if n := testing.AllocsPerRun(100, func() { l.admit(h, 0) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
