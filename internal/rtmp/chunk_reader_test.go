package rtmp

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func allReadCases() []readCase {
	var all []readCase
	for _, table := range [][]readCase{headerCases, timestampCases, dialectCases, chunkControlCases, limitCases, aggregateCases} {
		for _, c := range table {
			all = append(all, c.withDefaults())
		}
	}
	return all
}

func (c readCase) check(r *Reader) error {
	got, err := readAll(r)
	if !sameMessages(got, c.want) {
		return fmt.Errorf("got%s\nwant%s\nthen %w", describe(got), describe(c.want), err)
	}
	if !errors.Is(err, c.err) {
		return fmt.Errorf("error = %w, want %w", err, c.err)
	}
	if errors.Is(c.err, io.EOF) && r.Received() != uint64(len(c.wire)) {
		return fmt.Errorf("received = %d of %d bytes", r.Received(), len(c.wire))
	}
	if held := partialBytes(r); r.held != held || held > c.limits.Partial {
		return fmt.Errorf("counts %d bytes of incomplete messages, holds %d", r.held, held)
	}
	return nil
}

// The result must not depend on how the bytes arrive or are buffered.
func TestReaderReadsChunks(t *testing.T) {
	for _, c := range allReadCases() {
		t.Run(c.name, func(t *testing.T) {
			sizes := make([]byte, 64)
			random := rand.New(rand.NewPCG(uint64(len(c.wire)), 1))
			for i := range sizes {
				sizes[i] = byte(random.IntN(40))
			}
			sources := map[string]func() io.Reader{
				"whole":     func() io.Reader { return bytes.NewReader(c.wire) },
				"one byte":  func() io.Reader { return iotest.OneByteReader(bytes.NewReader(c.wire)) },
				"half":      func() io.Reader { return iotest.HalfReader(bytes.NewReader(c.wire)) },
				"data, EOF": func() io.Reader { return iotest.DataErrReader(bytes.NewReader(c.wire)) },
				"fragments": func() io.Reader { return &handshakeFragments{r: bytes.NewReader(c.wire), sizes: sizes} },
			}
			for name, source := range sources {
				if err := c.check(NewReader(bufio.NewReader(source()), c.limits)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if err := c.check(NewReader(bufio.NewReaderSize(source(), 16), c.limits)); err != nil {
					t.Errorf("%s, small buffer: %v", name, err)
				}
			}
		})
	}
}

// sessionChunks is one chunk an entry, of every kind of header and message.
func sessionChunks() [][]byte {
	return [][]byte{
		wire(setChunkSize("00000040")),
		wire("03 000000 000050 14 00000000", fill(80)[:64]),
		wire("C3", fill(80)[64:]),
		wire("01 0001 FFFFFF 000050 09 01000000 01000000", fill(80)[:64]),
		wire("44 000001 000003 08 AF0102"),
		wire("C1 0001 01000000", fill(80)[64:]),
		wire("C1 0001 01000000", fill(80)[:64]),
		wire("C1 0001 01000000", fill(80)[64:]),
		wire("00 05 000000 000046 63 00000000", fill(70)[:64]),
		wire("C0 05", fill(70)[64:]),
		wire("84 000001 AF0103"),
		wire("C4 AF0104"),
		wire("06 000064 00000D 16 01000000 08 000002 00000A 00 000000 AF01"),
		wire("06 000064 000000 09 01000000"),
		wire("C6"),
	}
}

func TestReaderTellsTheEndBetweenChunksFromTheEndWithinOne(t *testing.T) {
	var whole []byte
	boundary := map[int]bool{0: true}
	for _, chunk := range sessionChunks() {
		whole = append(whole, chunk...)
		boundary[len(whole)] = true
	}
	all, _ := readAll(readerOf(whole, AcceptedLimits))
	if len(all) != 11 {
		t.Fatalf("the session has messages%s", describe(all))
	}
	for n := range len(whole) + 1 {
		want := io.ErrUnexpectedEOF
		if boundary[n] {
			want = io.EOF
		}
		got, err := readAll(readerOf(whole[:n], AcceptedLimits))
		if !errors.Is(err, want) {
			t.Errorf("%d of %d bytes: error = %v, want %v", n, len(whole), err, want)
		}
		if len(got) > len(all) || !sameMessages(got, all[:len(got)]) {
			t.Errorf("%d of %d bytes: messages%s", n, len(whole), describe(got))
		}
	}
}

func TestReaderCountsBytesAndChunks(t *testing.T) {
	chunks := sessionChunks()
	r := readerOf(bytes.Join(chunks, nil), AcceptedLimits)
	var bytesRead, chunksRead uint64
	// The chunks that end a message.
	for _, n := range []int{1, 2, 2, 1, 2, 2, 1, 1, 1, 1, 1} {
		for _, chunk := range chunks[:n] {
			bytesRead += uint64(len(chunk))
			chunksRead++
		}
		chunks = chunks[n:]
		if _, err := r.ReadMessage(); err != nil {
			t.Fatal(err)
		}
		if r.Received() != bytesRead || r.Chunks() != chunksRead {
			t.Errorf("received %d bytes in %d chunks, want %d in %d", r.Received(), r.Chunks(), bytesRead, chunksRead)
		}
	}
}

// A deadline must not look like the end of the stream, wherever it strikes.
func TestReaderReturnsTheErrorOfItsSource(t *testing.T) {
	var whole []byte
	for _, chunk := range sessionChunks() {
		whole = append(whole, chunk...)
	}
	for n := 1; n <= len(whole); n++ {
		// One read succeeds, the next one fails, and those after it would
		// succeed again.
		rest := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(whole[n-1:])))
		r := NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(whole[:n-1]), rest)), AcceptedLimits)
		if _, err := readAll(r); !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("after %d bytes: error = %v", n, err)
		}
	}
}

func TestReaderLeavesPayloadsToTheCaller(t *testing.T) {
	r := readerOf(wire("06 000001 000003 09 01000000 170102", "C6 270304", "C6 270506"), AcceptedLimits)
	got, _ := readAll(r)
	want := []Message{video(6, 1, unhex("170102")), video(6, 2, unhex("270304")), video(6, 3, unhex("270506"))}
	if !sameMessages(got, want) {
		t.Errorf("got%s", describe(got))
	}
}
