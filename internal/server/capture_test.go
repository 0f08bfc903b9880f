package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// capture reads what the server writes as a capture of the network shows it,
// chunk by chunk, and knows nothing but the most common form of headers.
type capture struct {
	t         *testing.T
	r         io.Reader
	chunkSize int
	open      map[byte]*rtmp.Message // by chunk stream
	missing   map[byte]int
	longest   int // payload of a chunk
	// continued counts the chunks that continue a message.
	continued int
}

func newCapture(t *testing.T, r io.Reader) *capture {
	return &capture{
		t: t, r: r, chunkSize: rtmp.DefaultChunkSize,
		open: make(map[byte]*rtmp.Message), missing: make(map[byte]int),
	}
}

func (c *capture) take(n int) []byte {
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		c.t.Fatalf("the server's stream ends: %v", err)
	}
	return b
}

// next returns the next complete message, and checks the form of each chunk on
// the way.
func (c *capture) next() rtmp.Message {
	c.t.Helper()
	for {
		first := c.take(1)[0]
		format, csid := first>>6, first&63
		if csid < 2 {
			c.t.Fatalf("chunk stream id of more than one byte: %#x", first)
		}
		m := c.open[csid]
		switch {
		case format == 0 && m == nil:
			m = c.start(csid)
		case format == 3 && m != nil:
			c.continued++
		default:
			c.t.Fatalf("header of type %d on chunk stream %d, within a message: %v", format, csid, m != nil)
		}
		n := min(c.missing[csid], c.chunkSize)
		m.Payload = append(m.Payload, c.take(n)...)
		c.longest = max(c.longest, n)
		if c.missing[csid] -= n; c.missing[csid] > 0 {
			continue
		}
		delete(c.open, csid)
		if m.Type == rtmp.TypeSetChunkSize {
			c.chunkSize = int(binary.BigEndian.Uint32(m.Payload))
		}
		return *m
	}
}

func (c *capture) start(csid byte) *rtmp.Message {
	h := c.take(11)
	if h[0] == 0xFF && h[1] == 0xFF && h[2] == 0xFF {
		c.t.Fatal("an extended timestamp")
	}
	m := &rtmp.Message{
		Type: rtmp.MessageType(h[6]), ChunkStream: uint32(csid), Stream: binary.LittleEndian.Uint32(h[7:]),
		Timestamp: uint32(h[0])<<16 | uint32(h[1])<<8 | uint32(h[2]),
	}
	if !m.Type.Known() {
		c.t.Fatalf("message of type %d", h[6])
	}
	c.open[csid], c.missing[csid] = m, int(h[3])<<16|int(h[4])<<8|int(h[5])
	return m
}

// greet does the handshake and sends messages, in chunks of the default size.
func greet(t *testing.T, conn *rtmptest.Conn, messages ...rtmp.Message) *capture {
	t.Helper()
	if _, err := rtmp.DialHandshake(conn, conn, rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	var wire []byte
	for _, m := range messages {
		wire = rtmp.AppendMessage(wire, m, rtmp.DefaultChunkSize)
	}
	go func() { _, _ = conn.Write(wire) }()
	return newCapture(t, conn)
}

func connectCommand(app string) rtmp.Message {
	return rtmp.Command{Name: "connect", Transaction: 1, Object: amf.Object{{Name: "app", Value: app}}}.Message(0)
}

var createStream = rtmp.Command{Name: "createStream", Transaction: 2}.Message(0)

func playCommand(key string) rtmp.Message {
	return rtmp.Command{Name: "play", Args: []any{key}}.Message(1)
}

func frame(first byte, timestamp uint32, size int) rtmp.Message {
	payload := make([]byte, size)
	payload[0], payload[1], payload[size-1] = first, 1, byte(timestamp/100)
	return rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: timestamp, Payload: payload}
}

// TestThePlayersCapture looks at every chunk that a player is sent.
func TestThePlayersCapture(t *testing.T) {
	conformance.Covers(t, 61, 62, 66, 67, 70, 77)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		c := greet(t, conn, connectCommand("live"), createStream, playCommand("key"))
		var sizes, commands int
		for started := false; !started; {
			switch m := c.next(); m.Type {
			case rtmp.TypeSetChunkSize:
				if sizes++; commands > 0 {
					t.Error("the chunk size came after the first answer")
				}
			case rtmp.TypeWindowAckSize, rtmp.TypeSetPeerBandwidth:
				if binary.BigEndian.Uint32(m.Payload) == 0 {
					t.Errorf("%v 0", m.Type)
				}
			case rtmp.TypeCommand:
				commands++
				started = strings.Contains(string(m.Payload), rtmp.CodePlayStart)
			}
		}
		want := []rtmp.Message{frame(0x17, 0, 200_000), frame(0x27, 40, 100), frame(0x27, 40, 60_001), frame(0x17, 80, 120_000)}
		go func() {
			for _, m := range want {
				_ = publisher.WriteMessage(m)
			}
		}()
		for _, m := range want {
			got := c.next()
			if got.Type != m.Type || got.Timestamp != m.Timestamp || string(got.Payload) != string(m.Payload) {
				t.Errorf("%v of %d bytes at %d, want %d bytes at %d", got.Type, len(got.Payload), got.Timestamp, len(m.Payload), m.Timestamp)
			}
		}
		if sizes != 1 || c.longest != c.chunkSize || c.chunkSize != f.options.ChunkSize || c.continued < 5 {
			t.Errorf("the chunk size was announced %d times, as %d; the longest chunk had %d bytes, %d continued a message",
				sizes, c.chunkSize, c.longest, c.continued)
		}
	})
}

// No answer before that to connect is as long as 128 bytes today; one that was
// would come in several chunks.
func TestChunksHave128BytesUntilAnotherSizeIsAnnounced(t *testing.T) {
	conformance.Covers(t, 61)
	w, _ := backlog(t, 0)
	long := rtmp.OnStatus(0, failure(rtmp.CodeConnectRejected, strings.Repeat("x", 1000)))
	w.queue(nil, []rtmp.Message{long, rtmp.SetChunkSize(60000), long})
	c := newCapture(t, bytes.NewReader(w.control))
	if m := c.next(); !bytes.Equal(m.Payload, long.Payload) || c.longest != rtmp.DefaultChunkSize {
		t.Errorf("%d bytes in chunks of up to %d", len(m.Payload), c.longest)
	}
	c.next()
	if m := c.next(); !bytes.Equal(m.Payload, long.Payload) || c.longest != len(long.Payload) {
		t.Errorf("%d bytes in chunks of up to %d", len(m.Payload), c.longest)
	}
}

// throttled lets so many bytes through at a time, and then none until more are
// granted.
type throttled struct {
	io.Reader
	grant chan int
	left  int
}

func (r *throttled) Read(p []byte) (int, error) {
	for r.left == 0 {
		r.left = <-r.grant
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// A player is throttled in the midst of long messages, until frames are dropped
// for it: what had begun arrives whole, and what follows has its own time.
func TestASlowPlayerIsSentWholeMessagesWithTheirTimes(t *testing.T) {
	conformance.Covers(t, 68, 69)
	const size = 150_000
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		c := greet(t, conn, connectCommand("live"), createStream, playCommand("key"))
		for m := c.next(); !strings.Contains(string(m.Payload), rtmp.CodePlayStart); {
			m = c.next()
		}
		slow := &throttled{Reader: conn, grant: make(chan int, 100)}
		c.r = slow
		slow.grant <- 70_000 // in the first frame's second chunk
		go func() {
			for i := range 100 {
				at := uint32(i * 100)
				_ = publisher.WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i%10 == 0], at, size))
				time.Sleep(100 * time.Millisecond)
				if i == 44 { // just before it would be cut off
					slow.grant <- 1 << 30
				}
			}
			_ = publisher.WriteMessage(frame(0x17, 10_000, size))
		}()
		var dropped int
		for last := -100; last < 10_000; {
			m := c.next()
			if m.Type != rtmp.TypeVideo {
				continue
			}
			at := int(m.Timestamp)
			if want := frame(m.Payload[0], m.Timestamp, size); string(m.Payload) != string(want.Payload) || at <= last {
				t.Fatalf("%d bytes at %d after %d are not what was published", len(m.Payload), at, last)
			}
			dropped += (at-last)/100 - 1
			last = at
		}
		if dropped == 0 || f.journal.count("player too slow") == 0 {
			t.Errorf("%d frames were dropped:\n%s", dropped, strings.Join(f.journal.lines, ""))
		}
	})
}
