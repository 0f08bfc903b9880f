package rtmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// TestReaderConforms names the cases that prove each row of the list.
func TestReaderConforms(t *testing.T) {
	cases := make(map[string]readCase)
	for _, c := range allReadCases() {
		cases[c.name] = c
	}
	for _, test := range []struct {
		covers []int
		cases  []string
	}{
		{covers: []int{22}, cases: []string{"the chunk size is 128 at first"}},
		{covers: []int{23}, cases: []string{
			"chunk stream ids of one byte", "chunk stream ids of two bytes", "chunk stream ids of three bytes are little-endian",
		}},
		{covers: []int{24}, cases: []string{"two and three bytes address the same chunk stream"}},
		{covers: []int{25}, cases: []string{"the message stream id is little-endian"}},
		{covers: []int{26}, cases: []string{"OBS sends everything on one chunk stream", "chunk streams inherit from themselves only"}},
		{covers: []int{27}, cases: []string{"OBS sends everything on one chunk stream"}},
		{covers: []int{28}, cases: []string{
			"librtmp starts the control stream with a header of type 1", "a first header of type 1 counts from zero",
		}},
		{covers: []int{29}, cases: []string{
			"a first header of type 2 is refused", "a first header of type 3 is refused",
			"a first header of type 3 in the long form is refused",
		}},
		{covers: []int{30}, cases: []string{
			"chunk streams interleave and a chunk size applies within a message", "two messages interleave chunk by chunk",
		}},
		{covers: []int{31}, cases: []string{"the example of the specification, section 5.3.2.1"}},
		{covers: []int{32}, cases: []string{
			"FMLE takes its first timestamp for the delta", "a first timestamp of one second is a delta still",
			"a later first timestamp stays, as librtmp means it",
		}},
		{covers: []int{33}, cases: []string{"a delta counts once a message", "a message of several chunks hides no first timestamp"}},
		{covers: []int{34}, cases: []string{"0xFFFFFE has no extension", "0xFFFFFF has an extension"}},
		{covers: []int{35}, cases: []string{
			"the extension may be a small value and is repeated all the same", "a header without extension ends the repetition",
		}},
		{covers: []int{36}, cases: []string{"the extension is repeated", "the extension is a delta and is repeated"}},
		{covers: []int{37}, cases: []string{"OBS before 30.1 omits the extension"}},
		{covers: []int{38}, cases: []string{"gortmplib writes zeros"}},
		{covers: []int{39}, cases: []string{
			"whoever repeated once repeats always, whatever the value", "whoever repeated on one chunk stream repeats on all",
			"whoever omitted once omits always, whatever the payload",
		}},
		{covers: []int{40}, cases: []string{
			"an extension of type 1 is a delta modulo 2^32", "an extension of type 2 is a delta, and so it stays for type 3",
		}},
		{covers: []int{42}, cases: []string{"an empty message needs no payload"}},
		{covers: []int{43}, cases: []string{
			"a header of type 0 within a message is refused", "a header of type 1 within a message is refused",
			"a header of type 2 within a message is refused",
		}},
		{covers: []int{44}, cases: []string{
			"chunk streams interleave and a chunk size applies within a message", "the chunk size grows and shrinks within a message",
		}},
		{covers: []int{46}, cases: []string{"chunk size 0 is refused", "a chunk size with the top bit is refused"}},
		{covers: []int{48}, cases: []string{"an abort drops the message but not its header", "any header may follow an abort"}},
		{covers: []int{49}, cases: []string{
			"an abort of an unknown chunk stream is ignored", "an abort of an idle chunk stream is ignored",
		}},
		{covers: []int{50}, cases: []string{"a chunk size counts on any chunk stream and message stream"}},
		{covers: []int{52}, cases: []string{"64 chunk streams and a known one again", "65 chunk streams"}},
		{covers: []int{58}, cases: []string{
			"an aggregate counts from its own timestamp", "the upper byte of a timestamp comes last", "timestamps of parts wrap",
		}},
		{covers: []int{59}, cases: []string{
			"a part longer than the rest", "a part of 16 MiB in one of 12 bytes", "an aggregate within an aggregate",
		}},
	} {
		for _, name := range test.cases {
			t.Run(fmt.Sprint(test.covers[0], " ", name), func(t *testing.T) {
				conformance.Covers(t, test.covers...)
				c, ok := cases[name]
				if !ok {
					t.Fatal("there is no such case")
				}
				if err := c.check(readerOf(c.wire, c.limits)); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestAnyChunkSizeCarriesLongVideo(t *testing.T) {
	conformance.Covers(t, 45)
	want := video(6, 40, fill(300<<10))
	for _, size := range []uint32{1, 127, 65537, 10_000_000, 1<<31 - 1} {
		stream := binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), size)
		stream = AppendMessage(stream, want, int(size))
		got, err := readAll(readerOf(stream, AcceptedLimits))
		if !errors.Is(err, io.EOF) || len(got) != 2 || !sameMessages(got[1:], []Message{want}) {
			t.Errorf("chunk size %d: got%s\nthen %v", size, describe(got), err)
		}
	}
}

// Three messages of 10 MiB, all but complete, are more than one peer may have
// in the server.
func TestLongMessagesShareOneBudget(t *testing.T) {
	conformance.Covers(t, 53)
	const length, sent = 10 << 20, 10<<20 - 1
	stream := binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), sent)
	payload := make([]byte, sent)
	for csid := range 3 {
		stream = wire(stream, header(byte(5+csid), TypeVideo, length), payload)
	}
	r := readerOf(stream, AcceptedLimits)
	got, err := readAll(r)
	if len(got) != 1 || !errors.Is(err, ErrLimit) {
		t.Errorf("got%s\nthen %v", describe(got), err)
	}
	if held := partialBytes(r); held > AcceptedLimits.Partial || held != r.held {
		t.Errorf("holds %d bytes and counts %d, may have %d", held, r.held, AcceptedLimits.Partial)
	}
}

// A message in chunks of one byte costs what its bytes cost: a few allocations
// as it grows, whatever the number of chunks, and none of its bytes is looked at
// more often than that.
func TestSmallChunksCostTheirBytesOnly(t *testing.T) {
	conformance.Covers(t, 56)
	const length = 1 << 20
	stream := AppendMessage(wire(setChunkSize("00000001")), video(6, 0, fill(length)), 1)
	source := &countingSource{Source: readerOf(stream, AcceptedLimits).src}
	r := NewReader(source, AcceptedLimits)
	var got []Message
	total := allocated(func() { got, _ = readAll(r) })
	if len(got) != 2 || !bytes.Equal(got[1].Payload, fill(length)) {
		t.Fatalf("got%s", describe(got))
	}
	if total > 4*length {
		t.Errorf("allocated %d bytes for a message of %d", total, length)
	}
	// A header byte and a payload byte for each chunk.
	if chunks := int(r.Chunks()); source.calls > 2*chunks+10 {
		t.Errorf("%d reads for %d chunks", source.calls, chunks)
	}
}

// countingSource counts the calls that a Reader makes.
type countingSource struct {
	Source
	calls int
}

func (s *countingSource) Read(p []byte) (int, error) { s.calls++; return s.Source.Read(p) }
func (s *countingSource) ReadByte() (byte, error)    { s.calls++; return s.Source.ReadByte() }
func (s *countingSource) Peek(n int) ([]byte, error) { s.calls++; return s.Source.Peek(n) }
func (s *countingSource) Discard(n int) (int, error) { s.calls++; return s.Source.Discard(n) }
