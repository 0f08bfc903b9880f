package rtmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

var encodeChunkSizes = []int{60000, 1, 128, 129, MaxMessageSize}

// checkEncode lays m out in both ways. It may be called once for a message that
// was read.
func checkEncode(m Message, chunkSize int) error {
	payload := bytes.Clone(m.Payload)
	want := AppendMessage(nil, m, chunkSize)
	if got := EncodeMessage(m, chunkSize); !bytes.Equal(got, want) {
		return fmt.Errorf("%v of %d bytes in chunks of %d: %x, want %x", m.Type, len(payload), chunkSize, got, want)
	}
	if !bytes.Equal(m.Payload, payload) {
		return fmt.Errorf("%v of %d bytes: the payload was changed", m.Type, len(payload))
	}
	return nil
}

func TestEncodeMessageWritesWhatAppendMessageWrites(t *testing.T) {
	for _, c := range allReadCases() {
		for _, chunkSize := range encodeChunkSizes {
			got, _ := readAll(readerOf(c.wire, c.limits))
			for _, m := range got {
				if err := checkEncode(m, chunkSize); err != nil {
					t.Errorf("%s: %v", c.name, err)
				}
			}
		}
	}
	for _, c := range writeCases {
		if err := checkEncode(c.message, c.chunkSize); err != nil {
			t.Errorf("%s, not read: %v", c.name, err)
		}
		got, err := readAll(readerOf(AppendMessage(nil, c.message, DefaultChunkSize), AcceptedLimits))
		if !errors.Is(err, io.EOF) || len(got) != 1 {
			t.Fatal(describe(got), err)
		}
		if err := checkEncode(got[0], c.chunkSize); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCutMessageTakesBackWhatAppendMessageWrote(t *testing.T) {
	for _, chunkSize := range encodeChunkSizes {
		var chunks []byte
		for _, c := range writeCases {
			chunks = AppendMessage(chunks, c.message, chunkSize)
		}
		for _, c := range writeCases {
			var payload []byte
			if payload, chunks = CutMessage(chunks, chunkSize); !bytes.Equal(payload, c.message.Payload) {
				t.Fatalf("%s, in chunks of %d: got %x", c.name, chunkSize, payload)
			}
		}
		if len(chunks) > 0 {
			t.Errorf("%d bytes left", len(chunks))
		}
	}
}

// readOne returns a message as a Reader returns it.
func readOne(t *testing.T, m Message) Message {
	t.Helper()
	got, err := readAll(readerOf(AppendMessage(nil, m, DefaultChunkSize), AcceptedLimits))
	if !errors.Is(err, io.EOF) || len(got) != 1 {
		t.Fatal(describe(got), err)
	}
	return got[0]
}

// The header may change as long as it fits; the payload is taken over only
// where nothing else shares its memory.
func TestEncodeMessageCopiesOnlyWhereItHasTo(t *testing.T) {
	const chunkSize = 1000
	replace := func(payload []byte) func(*Message) { return func(m *Message) { m.Payload = payload } }
	for _, c := range []struct {
		name   string
		size   int
		change func(m *Message)
		copied bool
	}{
		{"as it was read", 500, func(*Message) {}, false},
		{"one byte", 1, func(*Message) {}, false},
		{"one chunk", chunkSize, func(*Message) {}, false},
		{"two chunks", chunkSize + 1, func(*Message) {}, true},
		{"on another chunk stream", 500, func(m *Message) { m.ChunkStream, m.Stream = 63, 7 }, false},
		{"with an extended timestamp", 500, func(m *Message) { m.Timestamp = extendedTimestamp }, false},
		{"of another type", 500, func(m *Message) { m.Type = TypeData }, false},
		{"on a chunk stream of two bytes", 500, func(m *Message) { m.ChunkStream = 64 }, false},
		{"with too long a header", 500, func(m *Message) { m.ChunkStream, m.Timestamp = 64, extendedTimestamp }, true},
		{"without its first byte", 500, func(m *Message) { m.Payload = m.Payload[1:] }, true},
		{"without its last byte", 500, func(m *Message) { m.Payload = m.Payload[:499] }, true},
		{"with one byte more", 500, func(m *Message) { m.Payload = append(m.Payload, 1) }, true},
		{"with another payload", 500, replace(fill(500)), true},
		{"with an empty payload", 500, replace([]byte{}), true},
		{"without a payload", 500, replace(nil), true},
		{"empty as it was read", 0, func(*Message) {}, true},
	} {
		m := readOne(t, video(320, 40, fill(c.size)))
		m.ChunkStream = ChunkStreamVideo
		c.change(&m)
		payload := m.Payload
		want := AppendMessage(nil, m, chunkSize)
		var got []byte
		allocs := allocated(func() { got = EncodeMessage(m, chunkSize) })
		if !bytes.Equal(got, want) {
			t.Errorf("%s: %x", c.name, got)
		}
		copied := len(payload) == 0 || &got[len(got)-1] != &payload[len(payload)-1]
		if copied != c.copied || !copied && allocs != 0 {
			t.Errorf("%s: copied = %t with %d bytes allocated, want %t", c.name, copied, allocs, c.copied)
		}
	}
}

// The parts of an aggregate share its memory: a header in front of one would
// overwrite the part before it.
func TestEncodeMessageLeavesTheNeighboursInAnAggregateAlone(t *testing.T) {
	parts := wire(part(TypeAudio, 0, fill(30)), part(TypeVideo, 0, fill(40)), part(TypeAudio, 20, fill(30)))
	got, _ := readAll(readerOf(aggregate(0, parts), AcceptedLimits))
	if len(got) != 3 {
		t.Fatal(describe(got))
	}
	for _, m := range got {
		EncodeMessage(m, DefaultChunkSize)
	}
	want := []Message{audio(4, 0, fill(30)), video(4, 0, fill(40)), audio(4, 20, fill(30))}
	if !sameMessages(got, want) {
		t.Errorf("got%s\nwant%s", describe(got), describe(want))
	}
}
