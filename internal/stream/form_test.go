package stream

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// Viewers that can take every codec.
var (
	everything = media.Capabilities{}
	multitrack = media.Capabilities{Restricted: true, Multitrack: true, ModEx: true, Enhanced: media.AllCodecs}
	oneTrack   = media.Capabilities{Restricted: true, Enhanced: media.AllCodecs}
)

// soundOnly is a viewer that cannot take any Enhanced video.
var soundOnly = media.Capabilities{Restricted: true, Enhanced: media.CodecSet(media.AAC)}

var classes = []media.Capabilities{everything, multitrack, oneTrack, soundOnly}

// cursorFor returns a cursor of a viewer with the given capabilities.
func cursorFor(l *Log, start Start, capabilities media.Capabilities) *Cursor {
	c := l.Cursor(start)
	c.SetCapabilities(capabilities)
	return c
}

// sent returns what a viewer is sent until it has all there is.
func sent(c *Cursor) (got []rtmp.Message) {
	for {
		m, err := c.Next()
		if m == nil || errors.Is(err, io.EOF) {
			return got
		}
		for chunks := c.Chunks(m, PlayStream); len(chunks) > 0; {
			part := rtmp.Message{Type: m.Type, Timestamp: m.Timestamp}
			part.Payload, chunks = rtmp.CutMessage(chunks, c.log.chunkSize)
			got = append(got, part)
		}
	}
}

// drainForms is drain for what is sent instead of the messages.
func drainForms(c *Cursor) string {
	var tokens []string
	for _, m := range sent(c) {
		tokens = append(tokens, text(newMessage(m, c.log.chunkSize)))
	}
	return strings.Join(tokens, " ")
}

func TestViewersGetWhatTheyCanTake(t *testing.T) {
	const log = "meta=M xh0=A ah0=B xh1=C ah1=D x0!@10 x1!@10 a0@12 a1@12 | x0@20 x1@20 a0@22 a1@22 vv0!@30 silence@31"
	for _, test := range []struct {
		name     string
		viewer   media.Capabilities
		want     string
		withheld uint64
	}{
		{
			name: "everything", viewer: everything,
			want: "meta=M@10 xh0=A@10 ah0=B@10 xh1=C@10 ah1=D@10 x0!@10 x1!@10 a0@12 a1@12 x0@20 x1@20 a0@22 a1@22 vv0!@30 silence@31",
		},
		{
			name: "all tracks", viewer: multitrack,
			want: "meta=M@10 xh0=A@10 ah0=B@10 xh1=C@10 ah1=D@10 x0!@10 x1!@10 a0@12 a1@12 x0@20 x1@20 a0@22 a1@22 vv0!@30 silence@31",
		},
		{
			name: "track 0", viewer: oneTrack, withheld: 6,
			want: "meta=M@10 xh0=A@10 ah0=B@10 x0!@10 a0@12 x0@20 a0@22 v0!@30 silence@31",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, after, _ := strings.Cut(log, "|")
			l := logOf(before)
			c := cursorFor(l, AtGroup, test.viewer)
			appendAll(l, after)
			if got := drainForms(c); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
			if got := c.Withheld(); got != test.withheld {
				t.Errorf("%d messages withheld, want %d", got, test.withheld)
			}
		})
	}
}

func TestAViewerWithoutTheCodecStillGetsTheRest(t *testing.T) {
	l := logOf("meta=M xh0=A ah0=B x0!@10 a0@12 x0@20 a0@22")
	c := cursorFor(l, AtGroup, soundOnly)
	if got := drainForms(c); got != "meta=M@10 ah0=B@10 a0@12 a0@22" || c.Withheld() != 3 {
		t.Errorf("got %s, %d withheld", got, c.Withheld())
	}
}

func TestWhatCannotBeTakenApartIsNotForLegacyViewers(t *testing.T) {
	l := logOf("ah0=B")
	c := cursorFor(l, AtGroup, media.Capabilities{Restricted: true})
	appendAll(l, "opaque2 v0!@10 opaque3 a0@10")
	if got := drainForms(c); got != "ah0=B v0!@10 a0@10" || c.Withheld() != 2 {
		t.Errorf("got %s, %d withheld", got, c.Withheld())
	}
}

func TestCapabilitiesGoWithTheLog(t *testing.T) {
	c := cursorFor(logOf("x1!@10"), AtGroup, oneTrack)
	drain(c)
	c.Close()
	if c.IsOpen() {
		t.Error("open after Close")
	}
	c.Open(logOf("x1!@10"), AtGroup)
	if got := drain(c); got != "x1!@10" || c.Withheld() != 0 {
		t.Errorf("got %q, %d withheld, want the capabilities forgotten", got, c.Withheld())
	}
}

func TestViewersOfAClassShareTheBytes(t *testing.T) {
	conformance.Covers(t, 208)
	for _, size := range []int{0, 1000} {
		l, m := adapted(10, size)
		one, two := cursorFor(l, AtGroup, oneTrack), cursorFor(l, AtGroup, oneTrack)
		// Whether a viewer takes ModEx makes no difference to this message.
		likewise := oneTrack
		likewise.ModEx = true
		three := cursorFor(l, AtGroup, likewise)
		all, other := cursorFor(l, AtGroup, everything), cursorFor(l, AtGroup, multitrack)

		chunks := one.Chunks(m, PlayStream)
		if !same(chunks, two.Chunks(m, PlayStream)) || !same(chunks, three.Chunks(m, PlayStream)) {
			t.Error("viewers of one class have copies of their own")
		}
		if same(chunks, m.Chunks()) {
			t.Error("a viewer of one track got the message as it is")
		}
		if !same(all.Chunks(m, PlayStream), m.Chunks()) || !same(other.Chunks(m, PlayStream), m.Chunks()) {
			t.Error("copied for a viewer that takes the message as it is")
		}
	}
}

func TestAMessageThatNeedsNoChangeIsNotCopied(t *testing.T) {
	l := logOf("x0!@10")
	// It takes neither ModEx nor Multitrack, and the message has neither.
	c := cursorFor(l, AtGroup, oneTrack)
	m, _ := c.Next()
	if !same(c.Chunks(m, PlayStream), m.Chunks()) || m.forms.newest.Load() != nil {
		t.Error("adapted")
	}
	m.traits |= media.TraitMultitrack // so that it is adapted, in vain
	if !same(c.Chunks(m, PlayStream), m.Chunks()) {
		t.Error("copied")
	}
}

// adapted returns a log in chunks of 128 bytes with a message that viewers of
// one track get in another form.
func adapted(timestamp uint32, size int) (*Log, *Message) {
	l := newLog(128, plenty)
	m := message("x1!")
	m.Payload[6] = 0 // the track id
	m.Payload = append(m.Payload, make([]byte, size)...)
	m.Timestamp = timestamp
	l.Append(m, 0)
	return l, l.tail.Load()
}

func TestFormsAreLaidOutForEveryMessageStream(t *testing.T) {
	for _, size := range []int{0, 128, 1000} {
		for _, timestamp := range []uint32{0, 0xFFFFFF, 1 << 31} {
			l, m := adapted(timestamp, size)
			c := cursorFor(l, AtGroup, oneTrack)
			payload := append([]byte("\x93hvc1."), make([]byte, size)...)
			for _, id := range []uint32{PlayStream, 0, 2, 0x01020304} {
				want := rtmp.AppendMessage(nil, rtmp.Message{
					Type: rtmp.TypeVideo, ChunkStream: rtmp.ChunkStreamVideo, Stream: id, Timestamp: timestamp, Payload: payload,
				}, 128)
				if got := c.Chunks(m, id); !bytes.Equal(got, want) {
					t.Errorf("%d bytes at %d for stream %d: got % x", size, timestamp, id, got)
				}
			}
		}
	}
}

func TestSeveralMessagesAreReaddressed(t *testing.T) {
	layout := func(stream uint32) (chunks []byte) {
		for _, size := range []int{0, 200, 300} {
			m := rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: rtmp.ChunkStreamVideo, Stream: stream, Payload: make([]byte, size)}
			chunks = rtmp.AppendMessage(chunks, m, 128)
		}
		return chunks
	}
	shared := layout(PlayStream)
	if got := readdress(shared, 7, 128); !bytes.Equal(got, layout(7)) {
		t.Errorf("got % x", got)
	}
	if !bytes.Equal(shared, layout(PlayStream)) {
		t.Error("the shared bytes were changed")
	}
}

func TestFormsOfAMessageAreBounded(t *testing.T) {
	_, m := adapted(0, 10)
	var first []*form
	class := func(n int) media.Capabilities {
		c := media.Capabilities{Restricted: true, Enhanced: media.CodecSet(media.H265)}
		for i, codec := range []media.Codec{media.H266, media.AV1, media.VP8, media.VP9, media.Opus, media.FLAC} {
			if n>>i&1 != 0 {
				c.Enhanced |= media.CodecSet(codec)
			}
		}
		return c
	}
	m.traits |= media.Traits(media.AllCodecs)
	for n := range maxForms + 8 {
		first = append(first, m.form(class(n), 128))
	}
	if got := m.forms.newest.Load().count; got != maxForms {
		t.Errorf("%d forms kept, want %d", got, maxForms)
	}
	for n, want := range first {
		got := m.form(class(n), 128)
		if !bytes.Equal(got.chunks, want.chunks) || len(got.chunks) == 0 {
			t.Errorf("class %d got something else the second time", n)
		}
		if (got == want) != (n < maxForms) {
			t.Errorf("class %d: shared is %v", n, got == want)
		}
	}
}

func TestWhatIsWithheldIsNotMissed(t *testing.T) {
	for _, test := range []struct {
		name   string
		viewer media.Capabilities
		// The messages that were missed, and of those behind them the ones that
		// waited for a keyframe.
		want, behind string
	}{
		{"everything", everything, "x0@20 x1@20 a0@30 x0!@5000 x1@5000", "x0@5010 x1@5010"},
		{"track 0", oneTrack, "x0@20 a0@30 x0!@5000", "x0@5010"},
		{"sound", soundOnly, "a0@30", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLog(testChunkSize, 0)
			c := cursorFor(l, AtGroup, test.viewer)
			appendAll(l, "xh0=A x0!@10 x1!@10")
			drain(c)
			withheld := c.Withheld()
			appendAll(l, "x0@20 x1@20 a0@30 x0!@5000 x1@5000")
			skipped, ok := c.CatchUp(time.Second)
			want := Skipped{Lag: 4980 * time.Millisecond}
			note := func(tokens string) {
				for token := range strings.FieldsSeq(tokens) {
					want.Messages++
					want.Bytes += uint64(12 + len(message(token).Payload))
				}
			}
			note(test.want)
			if skipped != want || !ok || c.Missed() != want || c.Withheld() != withheld {
				t.Errorf("skipped %+v, %v, want %+v; %d more withheld", skipped, ok, want, c.Withheld()-withheld)
			}
			appendAll(l, "x0@5010 x1@5010 a0@5010")
			drain(c)
			note(test.behind)
			if got := c.Missed(); got != want {
				t.Errorf("behind it: %+v missed, want %+v", got, want)
			}
			appendAll(l, "x0!@5020 x1!@5020 x0@5030 x1@5030")
			drain(c)
			if got := c.Missed(); got != want {
				t.Errorf("behind the keyframes: %+v missed, want %+v", got, want)
			}
		})
	}
}

func TestRestrictedViewersCanSwitch(t *testing.T) {
	l := logOf("xh0=A xh1=B ah0=C ah1=D x0!@10 x1!@10")
	c := cursorFor(l, AtGroup, oneTrack)
	got := replay(c, "-v x0@20 x1@20 +v x0@30 -a a0@30 a1@30 x0!@40 +a a0@50 a1@50")
	want := "xh0=A@10 ah0=C@10 x0!@10 xh0=A@20 ah0=C@20 x0!@40 xh0=A@40 ah0=C@40 a0@50"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestPlayable(t *testing.T) {
	for _, test := range []struct {
		name, log string
		viewer    media.Capabilities
		want      bool
	}{
		{"nothing published", "", soundOnly, true},
		{"no header", "meta=M@0 text=X@2000", soundOnly, true},
		{"video only", "meta=M xh0=A x0!@0 x0@2000", soundOnly, false},
		{"a moment after the start", "meta=M xh0=A x0!@0 x0@1000", soundOnly, true},
		{"video only, as published", "xh0=A x0!@0 x0@2000", everything, true},
		{"video only, of any codec", "xh0=A x0!@0 x0@2000", oneTrack, true},
		{"with sound", "xh0=A ah0=B x0!@0 x0@2000", soundOnly, true},
		{"with sound in track 1", "xh0=A ah1=B x0!@0 x0@2000", soundOnly, false},
		{"no track 0", "vh1=A v1!@0 v1@2000", oneTrack, false},
		{"legacy video", "vh0=A ah1=B v0!@0 v0@2000", soundOnly, true},
		{"configuration of channels", "xh0=A cc0=B x0!@0 x0@2000", soundOnly, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, cacheBytes := range []int64{plenty, 0} {
				l := newLog(testChunkSize, cacheBytes)
				appendAll(l, test.log)
				if got := cursorFor(l, AtGroup, test.viewer).Playable(); got != test.want {
					t.Errorf("cache of %d bytes: %v", cacheBytes, got)
				}
			}
		})
	}
	l := logOf("xh0=A x0!@0 x0@2000")
	l.Append(rtmp.Message{Type: rtmp.TypeAudio, Payload: []byte("\x2F\xFF\xFB\x90\x64")}, 2*time.Second)
	if !cursorFor(l, AtGroup, soundOnly).Playable() {
		t.Error("MP3, which has no header, is refused")
	}
}

// TestViewersOfEveryClassReadWhileThePublisherAppends has the race detector look
// for bytes that change once they are shared.
func TestViewersOfEveryClassReadWhileThePublisherAppends(t *testing.T) {
	conformance.Covers(t, 208)
	l := newLog(128, plenty)
	var running sync.WaitGroup
	for i := range 64 {
		c := cursorFor(l, Start(i%2), classes[i%len(classes)])
		running.Go(func() {
			if err := readAndCompare(c); err != nil {
				t.Errorf("viewer %d: %v", i, err)
			}
		})
	}
	rng := rand.New(rand.NewPCG(4, 5))
	tokens := []string{"xh0=A", "xh1=B", "x0!", "x1!", "vv0!", "vv0", "x0", "x1", "a0", "a1", "hdr0=H", "hdr1=H", "meta=M"}
	for range 3000 {
		m := message(tokens[rng.IntN(len(tokens))])
		l.Append(m, 0)
		if rng.IntN(8) == 0 {
			l.Join()
			runtime.Gosched()
		}
	}
	l.end()
	running.Wait()
}

// readAndCompare reads to the end, and then looks whether what it got has
// changed.
func readAndCompare(c *Cursor) error {
	type sight struct {
		chunks []byte
		sum    uint32
	}
	var seen []sight
	for {
		if chunks := c.Joined(); chunks != nil {
			seen = append(seen, sight{chunks, crc32.ChecksumIEEE(chunks)})
		}
		m, err := c.Next()
		if err != nil {
			break
		}
		if m == nil {
			runtime.Gosched()
			continue
		}
		chunks := c.Chunks(m, PlayStream)
		if len(chunks) == 0 {
			return fmt.Errorf("nothing to send for %s", text(m))
		}
		c.Chunks(m, 5)
		seen = append(seen, sight{chunks, crc32.ChecksumIEEE(chunks)})
	}
	for _, s := range seen {
		if crc32.ChecksumIEEE(s.chunks) != s.sum {
			return fmt.Errorf("%x was changed", s.chunks)
		}
	}
	if len(seen) == 0 {
		return fmt.Errorf("nothing seen")
	}
	return nil
}
