package stream

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// tagTexts reads tags, and returns kind, timestamp and size of each.
func tagTexts(t *testing.T, tags []byte) string {
	t.Helper()
	var texts []string
	for tag, err := range media.ReadFLV(bytes.NewReader(append(media.AppendFLVHeader(nil, true, true), tags...)), media.MaxTagSize) {
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, fmt.Sprintf("%d@%d:%d", tag.Type, tag.Timestamp, len(tag.Payload)))
	}
	return strings.Join(texts, " ")
}

func TestTagsAreTheMessages(t *testing.T) {
	for name, c := range map[string]struct {
		size      int
		timestamp uint32
		want      string
	}{
		"small":              {6, 40, "9@40:6"},
		"the end of a chunk": {testChunkSize, 40, "9@40:60000"},
		"several chunks":     {3*testChunkSize + 1, 40, "9@40:180001"},
		"24 bits":            {6, 0xFFFFFE, "9@16777214:6"},
		"extended":           {6, 0xFFFFFF, "9@16777215:6"},
		"extended, chunks":   {testChunkSize + 9, 0x7FFFFFFF, "9@2147483647:60009"},
		"beyond 2^31":        {6, 0x80000001, "9@2147483649:6"},
		"the last":           {6, 0xFFFFFFFF, "9@4294967295:6"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(testChunkSize, plenty)
			payload := append([]byte{0x17, 1, 0, 0, 0}, make([]byte, c.size-5)...)
			l.Append(rtmp.Message{Type: rtmp.TypeVideo, Timestamp: c.timestamp, Payload: payload}, 0)
			cursor := l.Cursor(AtGroup)
			m, err := cursor.Next()
			if m == nil || err != nil {
				t.Fatal(m, err)
			}
			tags := cursor.Tags(m)
			if got := tagTexts(t, tags); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if again := l.Cursor(AtGroup); &again.Tags(m)[0] != &tags[0] {
				t.Error("a second viewer gets tags of its own")
			}
		})
	}
}

// TestTagsOfARunAreThoseOfItsMessages has viewers of two classes read the same
// run: one of them has no use for Multitrack headers.
func TestTagsOfARunAreThoseOfItsMessages(t *testing.T) {
	for name, viewer := range map[string]media.Capabilities{
		"everything": {},
		"one track":  {Restricted: true, Enhanced: media.AllCodecs},
	} {
		t.Run(name, func(t *testing.T) {
			_, c := runOf(viewer, "vh0=A ah0=B v0!@0", "v0@10 a0@12 a1@14 xh0=A@15 meta=X@20 v0@30")
			other := *c
			got := c.JoinedTags()
			var want []byte
			for m, err := other.Next(); m != nil && err == nil; m, err = other.Next() {
				want = append(want, other.Tags(m)...)
			}
			if len(want) == 0 || !bytes.Equal(got, want) {
				t.Errorf("got %s, want %s", tagTexts(t, got), tagTexts(t, want))
			}
			if c.JoinedTags() != nil {
				t.Error("the run came twice")
			}
		})
	}
}

func TestKindsAreKnownOnceBothCameOrTheBeginningIsOver(t *testing.T) {
	for tokens, want := range map[string]string{
		"":                     "false false false",
		"meta=X":               "false false false",
		"vh0=A":                "false true false",
		"vh0=A ah0=B":          "true true true",
		"ah0=B a0@500":         "true false false",
		"ah0=B a0@1001":        "true false true",
		"vh0=A v0!@0 opaque@2": "false true false",
		"meta=X text=Y@1500":   "false false true",
	} {
		audio, video, settled := logOf(tokens).Kinds()
		if got := fmt.Sprint(audio, video, settled); got != want {
			t.Errorf("%q: got %s, want %s", tokens, got, want)
		}
	}
}

func TestWhoIsTrustedWatchesWithoutAKey(t *testing.T) {
	r := NewRegistry(Options{ChunkSize: testChunkSize})
	early := r.Watch("live", nil, nil)
	p, err := r.Publish(Claim{Channel: "live", Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	late := r.Watch("live", nil, nil)
	if early.Log() != p.Log() || late.Log() != p.Log() {
		t.Error("the log is withheld")
	}
	p.Close()
	early.Close()
	late.Close()
	if n := r.Len(); n != 0 {
		t.Errorf("%d channels are left", n)
	}
}

func BenchmarkTagsOfARun(b *testing.B) {
	l := logOf("vh0=A ah0=B v0!@0")
	c := l.Cursor(AtGroup)
	drain(c)
	l.Join()
	appendAll(l, "v0@10 a0@12 v0@20")
	l.Join()
	at := c.at
	b.ReportAllocs()
	for b.Loop() {
		c.at = at
		if c.JoinedTags() == nil {
			b.Fatal("no run")
		}
	}
}
