package e2e

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The heavy stream has 100 messages a second, video and audio in turn, and a
// group each second: about 7 Mbit/s. A viewer of a fifth of that is 4 s behind
// in 6 s, but takes enough to be kept.
const (
	heavyGroup    = 100
	heavyKeyframe = 100_000 // bytes, more than a chunk has
	heavyFrame    = 16_000
	heavyAudio    = 200
	slowRate      = 1500 // kbit/s
)

// heavyContent is the heavy stream, with the headers that real encoders send.
func heavyContent(t *testing.T) stage.Content {
	t.Helper()
	headers := slices.DeleteFunc(messagesOf(t, mediaPath(fileHeavy)), stage.IsMedia)
	if got := stage.Events(headers); !slices.Equal(got, groupHeaders) {
		t.Fatalf("the headers are %q, want %q", got, groupHeaders)
	}
	return stage.Content{Headers: headers, Message: heavyMessage}
}

// groupHeaders are what has to come before the keyframe where a viewer starts,
// and where one goes on that was too slow.
var groupHeaders = []string{stage.Metadata, stage.VideoHeader, stage.AudioHeader}

// heavyMessage is a frame of H.264 or AAC that has its number all over.
func heavyMessage(stream uint32, number int) rtmp.Message {
	m := rtmp.Message{Type: rtmp.TypeVideo, Stream: stream}
	head, size := []byte{0x27, 1, 0, 0, 0}, heavyFrame
	switch {
	case number%heavyGroup == 0:
		head[0], size = 0x17, heavyKeyframe
	case number%2 == 1:
		m.Type = rtmp.TypeAudio
		head, size = []byte{0xaf, 1, 0, 0, 0}, heavyAudio
	}
	count := binary.BigEndian.AppendUint32(nil, uint32(number))
	m.Payload = slices.Concat(head, bytes.Repeat(count, size/len(count)))
	m.Timestamp = uint32(number) * uint32(stage.NumberedEvery.Milliseconds())
	return m
}

// gap is what a viewer of a numbered stream missed between two messages.
type gap struct{ messages, bytes uint64 }

func (g *gap) add(more gap) {
	g.messages += more.messages
	g.bytes += more.bytes
}

// groupReader follows what a viewer of the heavy stream gets.
type groupReader struct {
	next    int // number of the message that comes if nothing is left out
	headers []string
	newest  uint32 // timestamp
	gaps    []gap
	faults  []string
	// live says that the server keeps no group: a viewer goes on with sound at
	// the live edge, and with video at the next keyframe. Until then it is blind.
	live, blind bool
}

func (g *groupReader) fault(m rtmp.Message, what string) {
	g.faults = append(g.faults, stage.Describe(m)+" of "+strconv.Itoa(int(m.Timestamp))+" ms behind message "+
		strconv.Itoa(g.next-1)+": "+what)
}

// read takes the next message. Those of the stream have to be what was sent, in
// order, with the headers and a keyframe wherever something was left out, and
// nowhere else.
func (g *groupReader) read(m rtmp.Message) {
	switch m.Type {
	case rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData:
	default:
		return
	}
	if m.Timestamp < g.newest {
		g.fault(m, "time runs backwards")
	}
	g.newest = m.Timestamp
	if !stage.IsMedia(m) {
		g.headers = append(g.headers, stage.Describe(m))
		return
	}
	number := int(binary.BigEndian.Uint32(m.Payload[5:]))
	want := heavyMessage(m.Stream, number)
	if m.Type != want.Type || m.Timestamp != want.Timestamp || !bytes.Equal(m.Payload, want.Payload) {
		g.fault(m, "not what was sent")
	}
	g.checkPlace(m, number)
	switch {
	case g.next == 0 || number <= g.next:
	case len(g.headers) == 0 && len(g.gaps) > 0: // blind
		g.gaps[len(g.gaps)-1].add(missing(g.next, number))
	default:
		g.gaps = append(g.gaps, missing(g.next, number))
	}
	g.headers = nil
	g.next = number + 1
}

// checkPlace checks what stands before a message, and whether it may stand there.
func (g *groupReader) checkPlace(m rtmp.Message, number int) {
	starts := g.next == 0 || number > g.next && (!g.blind || len(g.headers) > 0)
	g.blind = g.blind || starts && g.live
	switch {
	case number < g.next:
		g.fault(m, "number "+strconv.Itoa(number)+" again")
	case !starts && len(g.headers) > 0:
		g.fault(m, "headers although nothing is missing")
	case starts && !slices.Equal(g.headers, groupHeaders):
		g.fault(m, "the group starts without its headers")
	case (starts || g.blind) && stage.Describe(m) != stage.Keyframe && (!g.live || m.Type == rtmp.TypeVideo):
		g.fault(m, "the group starts without a keyframe")
	}
	g.blind = g.blind && m.Type == rtmp.TypeAudio
}

// missing is the gap from a message to another that came.
func missing(from, to int) gap {
	var missed gap
	for number := from; number < to; number++ {
		missed.messages++
		missed.bytes += uint64(len(heavyMessage(0, number).Payload))
	}
	return missed
}

// readGroups checks all that a viewer got, and returns what it missed.
func readGroups(t *testing.T, messages []rtmp.Message, live bool) *groupReader {
	t.Helper()
	reader := &groupReader{live: live}
	for _, m := range messages {
		reader.read(m)
	}
	for _, fault := range reader.faults[:min(len(reader.faults), 5)] {
		t.Error(fault)
	}
	return reader
}

// skipLine is what the server's log says of a viewer that was too slow.
type skipLine struct {
	lag  time.Duration
	what gap
}

// lagLimit is how far behind a viewer has to be to miss something.
const lagLimit = 4 * time.Second

// skipLines returns what the log says of the slow viewer with an id and a host.
func skipLines(s *stage.Server, id, host string) []skipLine {
	s.T.Helper()
	var list []skipLine
	for _, line := range s.Log.All() {
		if !stage.Holds(line, []string{"too slow"}) {
			continue
		}
		s.T.Log(line)
		if !stage.Holds(line, []string{"level=WARN", " id=" + id + " ", " addr=" + host + ":", " channel=" + spoiledChannel + " ", " limit=" + lagLimit.String() + " "}) {
			s.T.Errorf("the log does not tell who was too slow, and for what: %s", line)
		}
		lag, err := time.ParseDuration(stage.Attr(line, "lag"))
		if err != nil {
			s.T.Fatalf("%v in %s", err, line)
		}
		if lag <= lagLimit || lag > 2*lagLimit {
			s.T.Errorf("the lag is odd: %s", line)
		}
		list = append(list, skipLine{lag, gap{number(s.T, line, "messages_skipped"), number(s.T, line, "bytes_skipped")}})
	}
	return list
}

func number(t *testing.T, line, name string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(stage.Attr(line, name), 10, 64)
	if err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return n
}

// explains reports whether a figure of the log stands for what was missed: the
// same messages, and their bytes with the headers of their chunks.
func (g *gap) explains(missed gap) bool {
	const chunkHeaders = 24 // of a message, at most
	return g.messages == missed.messages &&
		g.bytes >= missed.bytes && g.bytes <= missed.bytes+chunkHeaders*missed.messages
}
