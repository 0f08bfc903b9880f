package stream

import (
	"fmt"
	"testing"
	"time"
)

// benchmarkMessages is the order of about a second of a stream.
func benchmarkMessages() []string {
	tokens := []string{"v0!"}
	for range 29 {
		tokens = append(tokens, "v0", "a0")
	}
	return tokens
}

// BenchmarkAppend shows that appending costs the same whoever watches: the two
// allocations are the message and its bytes.
func BenchmarkAppend(b *testing.B) {
	for _, kind := range []struct {
		token string
		size  int
	}{{"v0", 10_000}, {"a0", 210}} {
		for _, viewers := range []int{0, 1000} {
			b.Run(fmt.Sprintf("%s/%dB/%dviewers", kind.token, kind.size, viewers), func(b *testing.B) {
				r := newTestRegistry(TakeoverNever)
				p, err := r.Publish(Claim{Channel: "live", Publisher: newSession(r)})
				if err != nil {
					b.Fatal(err)
				}
				defer p.Close()
				for range viewers {
					s := newSession(r)
					if _, err := r.Subscribe("live", "", s, s); err != nil {
						b.Fatal(err)
					}
				}
				m := message(kind.token)
				m.Payload = append(m.Payload, make([]byte, kind.size)...)
				b.SetBytes(int64(len(m.Payload)))
				b.ReportAllocs()
				for b.Loop() {
					p.Append(m, 0)
					p.Flush()
				}
			})
		}
	}
}

func BenchmarkCursorNext(b *testing.B) {
	l := newLog(testChunkSize, plenty)
	appendAll(l, "meta=X vh0=A ah0=B")
	for range 100 {
		for _, token := range benchmarkMessages() {
			l.Append(message(token), 0)
		}
	}
	c := Cursor{log: l, audio: true, video: true}
	first := l.entry.Load().before
	b.ReportAllocs()
	for b.Loop() {
		if c.at == nil || c.at.next.Load() == nil {
			c.at = first
		}
		if m, err := c.Next(); m == nil || err != nil {
			b.Fatal(m, err)
		}
	}
}

func TestHotPathAllocations(t *testing.T) {
	l := logOf("vh0=A ah0=B v0!")
	c := l.Cursor(AtGroup)
	drain(c)
	for _, token := range []string{"v0", "a0", "silence", "opaque", "ah0=B"} {
		m := message(token)
		if got := testing.AllocsPerRun(100, func() { l.Append(m, 0) }); got > 2 {
			t.Errorf("appending %s: %v allocations, want the message and its bytes", token, got)
		}
	}
	got := testing.AllocsPerRun(100, func() {
		c.CatchUp(time.Second)
		if m, err := c.Next(); m == nil || err != nil {
			t.Fatal(m, err)
		}
	})
	if got != 0 {
		t.Errorf("reading: %v allocations, want none", got)
	}
}
