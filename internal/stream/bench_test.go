package stream

import (
	"fmt"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
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

// appendMultitrack appends what a multitrack publisher in H.265 sends for one
// frame.
func appendMultitrack(l *Log) {
	for _, token := range []string{"x0", "x1", "x2", "a0", "a1"} {
		m := message(token)
		m.Payload = append(m.Payload, make([]byte, 1000)...)
		l.Append(m, 0)
	}
}

// audienceOf returns viewers of all classes in equal shares, that have all of
// the log.
func audienceOf(l *Log, viewers int) []*Cursor {
	audience := make([]*Cursor, viewers)
	for i := range audience {
		audience[i] = cursorFor(l, AtGroup, classes[i%len(classes)])
		drain(audience[i])
	}
	return audience
}

// serve has every viewer read what it has not got, and returns how many bytes
// that is.
func serve(audience []*Cursor) (n int) {
	for _, c := range audience {
		for m, _ := c.Next(); m != nil; m, _ = c.Next() {
			n += len(c.Chunks(m, PlayStream))
		}
	}
	return n
}

// serveRuns is serve in passes.
func serveRuns(audience []*Cursor) (n int) {
	audience[0].log.Join()
	for _, c := range audience {
		n += len(c.Joined())
	}
	return n
}

// BenchmarkFanOutByClass shows what viewers of different capabilities cost: the
// allocations of a frame do not depend on their number.
func BenchmarkFanOutByClass(b *testing.B) {
	for name, serve := range map[string]func([]*Cursor) int{"messages": serve, "runs": serveRuns} {
		for _, viewers := range []int{10, 1000} {
			b.Run(fmt.Sprintf("%s/%dviewers", name, viewers), func(b *testing.B) {
				l := logOf("xh0=A xh1=B xh2=C ah0=D ah1=E x0! x1! x2!")
				audience := audienceOf(l, viewers)
				l.Join()
				b.ReportAllocs()
				for b.Loop() {
					appendMultitrack(l)
					if serve(audience) == 0 {
						b.Fatal("nothing sent")
					}
				}
				b.ReportMetric(float64(viewers), "viewers")
			})
		}
	}
}

func TestAllocationsDoNotDependOnTheNumberOfViewers(t *testing.T) {
	conformance.Covers(t, 208)
	for name, serve := range map[string]func([]*Cursor) int{"messages": serve, "runs": serveRuns} {
		allocs := func(viewers int) float64 {
			l := logOf("xh0=A xh1=B xh2=C ah0=D ah1=E x0! x1! x2!")
			audience := audienceOf(l, viewers)
			l.Join()
			return testing.AllocsPerRun(100, func() {
				appendMultitrack(l)
				if serve(audience) == 0 {
					t.Fatal("nothing sent")
				}
			})
		}
		if few, many := allocs(10), allocs(1000); few != many {
			t.Errorf("%s: %v allocations for 10 viewers, %v for 1,000", name, few, many)
		}
	}
}
