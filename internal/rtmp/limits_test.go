package rtmp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// tightLimits tell every kind of message apart.
var tightLimits = Limits{Partial: 4096, Upfront: 256, Command: 1000, Data: 1100, Audio: 1200, Video: 3000}

// header is a chunk header of type 0 in front of no payload.
func header(csid byte, kind MessageType, length int) []byte {
	b := []byte{csid, 0, 0, 0, byte(length >> 16), byte(length >> 8), byte(length), byte(kind)}
	return append(b, 1, 0, 0, 0)
}

// manyStreams opens n chunk streams with a complete message each.
func manyStreams(n int) (stream []byte, messages []Message) {
	for i := range n {
		m := audio(uint32(3+i*500), uint32(i), []byte{byte(i)})
		stream = AppendMessage(stream, m, DefaultChunkSize)
		messages = append(messages, m)
	}
	return stream, messages
}

var (
	wire64, messages64 = manyStreams(MaxChunkStreams)
	wire65, _          = manyStreams(MaxChunkStreams + 1)
)

var limitCases = []readCase{
	{name: "64 chunk streams", wire: wire64, want: messages64},
	{name: "64 chunk streams and a known one again", wire: wire(wire64, "C3 07"), want: append(slices.Clone(messages64), audio(3, 0, []byte{7}))},
	{name: "65 chunk streams", wire: wire65, want: messages64, err: ErrLimit},
	{
		name: "incomplete messages share a budget",
		wire: wire(setChunkSize("00000834"), header(5, TypeVideo, 2600), fill(2100), header(6, TypeVideo, 2600), fill(2100)),
		want: []Message{chunkSizeMessage("00000834")}, err: ErrLimit, limits: tightLimits,
	},
	{
		name: "a complete message gives its budget back",
		wire: wire(
			setChunkSize("000009C4"), header(5, TypeVideo, 3000), fill(3000)[:2500],
			header(6, TypeVideo, 1000), fill(1000), "C6", fill(1000), "C5", fill(3000)[2500:], header(6, TypeVideo, 2500), fill(2500),
		),
		want: []Message{
			chunkSizeMessage("000009C4"), video(6, 0, fill(1000)), video(6, 0, fill(1000)), video(5, 0, fill(3000)), video(6, 0, fill(2500)),
		},
		limits: tightLimits,
	},
	{
		name: "an aborted message gives its budget back",
		wire: wire(
			setChunkSize("000007D0"), header(5, TypeVideo, 2500), fill(2000), abort("00000005"), header(6, TypeVideo, 2500), fill(2000),
			abort("00000006"), header(7, TypeVideo, 2000), fill(2000),
		),
		want: []Message{
			chunkSizeMessage("000007D0"), abortMessage("00000005"), abortMessage("00000006"), video(7, 0, fill(2000)),
		},
		limits: tightLimits,
	},
	{
		name: "drained messages cost no budget",
		wire: wire(header(5, 99, 1<<20), fill(128), header(6, 99, 1<<20), fill(128), header(4, TypeVideo, 3000), fill(128), abort("00000004")),
		want: []Message{abortMessage("00000004")}, limits: tightLimits,
	},
	{
		name: "unknown types are drained",
		wire: wire(
			"02 000000 000003 63 00000000 010203", "03 000000 000002 10 00000000 0102", "43 000000 000002 13 0102", "43 000000 000002 07 0102",
			"43 000000 000000 00", header(5, 99, 200), fill(128), "04 000000 000001 08 01000000 AF", "C5", fill(72),
		),
		want: []Message{
			message(99, 2, 0, 0, nil), message(16, 3, 0, 0, nil), message(19, 3, 0, 0, nil), message(7, 3, 0, 0, nil), message(0, 3, 0, 0, nil),
			audio(4, 0, []byte{0xAF}), message(99, 5, 1, 0, nil),
		},
	},
}

// A message that is too long ends the connection before any of its payload
// arrives.
func TestReaderChecksTheLengthAtTheHeader(t *testing.T) {
	conformance.Covers(t, 54)
	longest := map[MessageType]int{
		TypeSetChunkSize: 64, TypeAbort: 64, TypeAcknowledgement: 64, TypeUserControl: 64, TypeWindowAckSize: 64, TypeSetPeerBandwidth: 64,
		TypeAudio: 1200, TypeVideo: 3000, TypeAggregate: 3000, TypeData: 1100, TypeDataAMF3: 1100, TypeCommand: 1000, TypeCommandAMF3: 1000,
		0: MaxMessageSize, 16: MaxMessageSize, 99: MaxMessageSize, 255: MaxMessageSize,
	}
	for kind, length := range longest {
		if _, err := readAll(readerOf(header(3, kind, length), tightLimits)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v of %d bytes: %v", kind, length, err)
		}
		if length == MaxMessageSize {
			continue
		}
		if _, err := readAll(readerOf(header(3, kind, length+1), tightLimits)); !errors.Is(err, ErrLimit) {
			t.Errorf("%v of %d bytes: %v", kind, length+1, err)
		}
		// The length of an earlier header counts when only the type changes.
		inherited := wire("03 000000 000001 63 00000000 00", "43 000000", header(3, kind, length+1)[4:8])
		if _, err := readAll(readerOf(inherited, tightLimits)); !errors.Is(err, ErrLimit) {
			t.Errorf("%v of %d bytes in a header of type 1: %v", kind, length+1, err)
		}
	}
}

func TestSetLimitsHoldsFromTheNextMessage(t *testing.T) {
	r := readerOf(wire(header(3, TypeAudio, 1201)), tightLimits)
	r.SetLimits(AcceptedLimits)
	if _, err := r.ReadMessage(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("larger limits: %v", err)
	}
	r = readerOf(wire(header(3, TypeAudio, 1201)), AcceptedLimits)
	r.SetLimits(tightLimits)
	if _, err := r.ReadMessage(); !errors.Is(err, ErrLimit) {
		t.Errorf("smaller limits: %v", err)
	}
}

func TestZeroLimitsRefuseEveryPayload(t *testing.T) {
	if got, err := readAll(readerOf(wire(abort("00000003")), Limits{})); got != nil || !errors.Is(err, ErrLimit) {
		t.Errorf("got%s\nthen %v", describe(got), err)
	}
}

func TestPreparedLimitsFitTheirUse(t *testing.T) {
	for _, l := range []Limits{UnacceptedLimits, AcceptedLimits} {
		for name, longest := range map[string]int{"command": l.Command, "data": l.Data, "audio": l.Audio, "video": l.Video} {
			if headroom+longest > l.Partial {
				t.Errorf("a %s message of %d bytes does not fit the budget of %d", name, longest, l.Partial)
			}
		}
	}
}

func TestReaderHoldsNoMoreThanArrived(t *testing.T) {
	conformance.Covers(t, 51)
	var stream []byte
	for i := range 60 {
		stream = append(append(stream, header(byte(3+i), TypeVideo, MaxMessageSize)...), 0x17)
		// The byte is a chunk of its own.
		if i == 0 {
			stream = wire(setChunkSize("00000001"), stream)
		}
	}
	r := readerOf(stream, AcceptedLimits)
	var err error
	total := allocated(func() { _, err = readAll(r) })
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if held := partialBytes(r); held > 60*AcceptedLimits.Upfront || held != r.held {
		t.Errorf("holds %d bytes and counts %d", held, r.held)
	}
	if total > 1<<20 {
		t.Errorf("allocated %d bytes for %d", total, len(stream))
	}
}

func TestReaderDoublesWhatItHolds(t *testing.T) {
	const length = 1 << 20
	payload := fill(length)
	stream := AppendMessage(wire(setChunkSize("00000400")), video(6, 0, payload), 1024)
	for sent := 2000; sent < len(stream); sent += 50_000 {
		r := readerOf(stream[:sent], AcceptedLimits)
		if _, err := readAll(r); err == nil {
			t.Fatal("no error")
		}
		if r.held > max(AcceptedLimits.Upfront, 2*sent) {
			t.Errorf("holds %d bytes after %d", r.held, sent)
		}
	}
}

// What a peer has sent once may be set aside at once later on, so that nothing
// is moved as it arrives; but over all messages together, and never beyond what
// the peer has sent in one.
func TestReaderTrustsWhatThePeerHasShown(t *testing.T) {
	const chunkSize = 1 << 10
	announce := func(csid byte, length int) []byte { return wire(header(csid, TypeVideo, length), fill(chunkSize)) }
	for _, c := range []struct {
		name  string
		shown int
		wire  []byte
		held  int
	}{
		{"nothing shown", 0, announce(7, 100_000), AcceptedLimits.Upfront},
		{"as long as before", 100_000, announce(7, 100_000), headroom + 100_000},
		{"shorter than before", 100_000, announce(7, 50_000), headroom + 50_000},
		{"longer than before", 100_000, announce(7, 1<<20), headroom + 100_000},
		{"two in the place of one", 100_000, wire(announce(7, 60_000), announce(8, 60_000)), headroom + 100_000},
		{
			"many at once", 100_000, wire(announce(7, 1<<20), announce(8, 1<<20), announce(9, 1<<20)),
			headroom + 100_000 + 2*AcceptedLimits.Upfront,
		},
		{"more than is ever trusted", 4 << 20, announce(7, 4<<20), maxShown},
	} {
		stream := AppendMessage(wire(setChunkSize("00000400")), video(6, 0, fill(c.shown)), chunkSize)
		r := readerOf(wire(stream, c.wire), AcceptedLimits)
		if _, err := readAll(r); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if r.held != c.held || partialBytes(r) != r.held {
			t.Errorf("%s: counts %d bytes and holds %d, want %d", c.name, r.held, partialBytes(r), c.held)
		}
	}
}

func TestAnEstablishedPublishersKeyframesAreNotMoved(t *testing.T) {
	stream := AppendMessage(wire(setChunkSize("00001000")), video(6, 0, fill(300_000)), 4096)
	again := stream[len(wire(setChunkSize("00001000"))):]
	source := bytes.NewReader(stream)
	r := NewReader(bufio.NewReader(source), AcceptedLimits)
	if _, err := readAll(r); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	allocs := testing.AllocsPerRun(10, func() {
		source.Reset(again)
		if m, err := r.ReadMessage(); err != nil || len(m.Payload) != 300_000 {
			t.Fatal(len(m.Payload), err)
		}
	})
	if allocs != 1 {
		t.Errorf("%v allocations, want the message alone", allocs)
	}
}

// What a thousand readers allocate does not depend on the chunk size that was
// announced to them.
func TestChunkSizeIsNoReasonToAllocate(t *testing.T) {
	conformance.Covers(t, 47)
	const readers = 1000
	source := bytes.NewReader(nil)
	buffered := bufio.NewReader(source)
	cost := func(size string) uint64 {
		stream := wire(setChunkSize(size), "06 000000 000005 09 01000000 1701020304", "06 000000 FFFFFF 09 01000000 17")
		return allocated(func() {
			for range readers {
				source.Reset(stream)
				buffered.Reset(source)
				if got, err := readAll(NewReader(buffered, AcceptedLimits)); len(got) != 2 || !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(len(got), err)
				}
			}
		})
	}
	small, large := cost("00000080"), cost("7FFFFFFF")
	if large > small+readers*64 || large > readers*20<<10 {
		t.Errorf("allocated %d bytes with the largest chunk size, %d with the default", large, small)
	}
}

func TestLargeVideoPasses(t *testing.T) {
	conformance.Covers(t, 55)
	for _, size := range []int{4 << 20, MaxMessageSize} {
		want := video(6, 40, fill(size))
		for _, chunkSize := range []int{128, 65536, MaxMessageSize} {
			stream := binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), uint32(chunkSize))
			stream = AppendMessage(stream, want, chunkSize)
			got, err := readAll(readerOf(stream, AcceptedLimits))
			if !errors.Is(err, io.EOF) || len(got) != 2 || !sameMessages(got[1:], []Message{want}) {
				t.Errorf("%d bytes in chunks of %d: got%s\nthen %v", size, chunkSize, describe(got), err)
			}
		}
	}
}

func TestReaderDrainsWithoutHolding(t *testing.T) {
	conformance.Covers(t, 57)
	stream := AppendMessage(wire(setChunkSize("00001000")), Message{Type: 99, ChunkStream: 5, Payload: fill(1 << 20)}, 4096)
	stream = AppendMessage(stream, audio(4, 7, []byte{0xAF}), 4096)
	source := bufio.NewReader(bytes.NewReader(stream))
	var got []Message
	total := allocated(func() { got, _ = readAll(NewReader(source, UnacceptedLimits)) })
	if want := []Message{message(99, 5, 0, 0, nil), audio(4, 7, []byte{0xAF})}; len(got) != 3 || !sameMessages(got[1:], want) {
		t.Errorf("got%s", describe(got))
	}
	if total > 8<<10 {
		t.Errorf("allocated %d bytes", total)
	}
}

// The smallest chunks must not cost more than their bytes.
func TestChunksAreReadWithoutAllocating(t *testing.T) {
	conformance.Covers(t, 56)
	for _, chunkSize := range []int{1, 128} {
		stream := binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), uint32(chunkSize))
		stream = AppendMessage(stream, video(6, 0, fill(AcceptedLimits.Upfront)), chunkSize)
		again := append([]byte{0xC6}, stream[len(stream)-chunkedSize(AcceptedLimits.Upfront, chunkSize):]...)
		source := bytes.NewReader(stream)
		r := NewReader(bufio.NewReader(source), AcceptedLimits)
		if _, err := readAll(r); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		allocs := testing.AllocsPerRun(10, func() {
			source.Reset(again)
			if m, err := r.ReadMessage(); err != nil || len(m.Payload) != AcceptedLimits.Upfront {
				t.Fatal(fmt.Errorf("%d bytes: %w", len(m.Payload), err))
			}
		})
		if allocs != 1 {
			t.Errorf("%v allocations for a message in chunks of %d", allocs, chunkSize)
		}
	}
}

// chunkedSize is the size of a payload and the one-byte headers between its
// chunks.
func chunkedSize(payload, chunkSize int) int { return payload + (payload-1)/chunkSize }
