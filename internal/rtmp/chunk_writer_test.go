package rtmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

var writeCases = []struct {
	name      string
	message   Message
	chunkSize int
	wire      []byte
}{
	{"the shortest id", audio(2, 0, []byte{0xAF}), 128, wire("02 000000 000001 08 01000000 AF")},
	{"the last id of one byte", audio(63, 0, []byte{0xAF}), 128, wire("3F 000000 000001 08 01000000 AF")},
	{"the first id of two bytes", audio(64, 0, []byte{0xAF}), 128, wire("00 00 000000 000001 08 01000000 AF")},
	{"the last id of two bytes", audio(319, 0, []byte{0xAF}), 128, wire("00 FF 000000 000001 08 01000000 AF")},
	{"the first id of three bytes", audio(320, 0, []byte{0xAF}), 128, wire("01 0001 000000 000001 08 01000000 AF")},
	{"an id of three bytes", audio(365, 0, []byte{0xAF}), 128, wire("01 2D01 000000 000001 08 01000000 AF")},
	{"the last id", audio(65599, 0, []byte{0xAF}), 128, wire("01 FFFF 000000 000001 08 01000000 AF")},
	{"continued with one byte", video(63, 0, unhex("010203")), 2, wire("3F 000000 000003 09 01000000 0102 FF 03")},
	{"continued with two bytes", video(64, 0, unhex("010203")), 2, wire("00 00 000000 000003 09 01000000 0102 C0 00 03")},
	{"continued with three bytes", video(65599, 0, unhex("010203")), 2, wire("01 FFFF 000000 000003 09 01000000 0102 C1 FFFF 03")},
	{"the message stream id is little-endian", message(TypeAudio, 3, 0x04030201, 0, []byte{0xAF}), 128, wire("03 000000 000001 08 01020304 AF")},
	{"before the extension", video(6, 0xFFFFFE, []byte{0x17}), 128, wire("06 FFFFFE 000001 09 01000000 17")},
	{"the first extension", video(6, 0xFFFFFF, []byte{0x17}), 128, wire("06 FFFFFF 000001 09 01000000 00FFFFFF 17")},
	{"the last extension", video(6, 0xFFFFFFFF, []byte{0x17}), 128, wire("06 FFFFFF 000001 09 01000000 FFFFFFFF 17")},
	{
		"the extension is repeated", video(6, 0x1000000, fill(200)), 128,
		wire("06 FFFFFF 0000C8 09 01000000 01000000", fill(200)[:128], "C6 01000000", fill(200)[128:]),
	},
	{
		"the example of the specification, section 5.3.2.2", message(TypeVideo, 4, 12346, 1000, fill(307)), 128,
		wire("04 0003E8 000133 09 3A300000", fill(307)[:128], "C4", fill(307)[128:256], "C4", fill(307)[256:]),
	},
	{"no payload", audio(4, 0, nil), 128, wire("04 000000 000000 08 01000000")},
	{"one byte less than a chunk", video(6, 0, fill(127)), 128, wire("06 000000 00007F 09 01000000", fill(127))},
	{"one chunk", video(6, 0, fill(128)), 128, wire("06 000000 000080 09 01000000", fill(128))},
	{"one byte more than a chunk", video(6, 0, fill(129)), 128, wire("06 000000 000081 09 01000000", fill(129)[:128], "C6", fill(129)[128:])},
	{"two chunks", video(6, 0, fill(256)), 128, wire("06 000000 000100 09 01000000", fill(256)[:128], "C6", fill(256)[128:])},
	{"chunks of one byte", video(6, 0, unhex("010203")), 1, wire("06 000000 000003 09 01000000 01 C6 02 C6 03")},
}

func TestAppendMessageWritesChunks(t *testing.T) {
	for _, c := range writeCases {
		got := AppendMessage(unhex("CAFE"), c.message, c.chunkSize)
		if want := wire("CAFE", c.wire); !bytes.Equal(got, want) {
			t.Errorf("%s:\n\t%x, want\n\t%x", c.name, got, want)
		}
		if size := EncodedSize(c.message, c.chunkSize); size != len(c.wire) {
			t.Errorf("%s: size = %d, want %d", c.name, size, len(c.wire))
		}
	}
}

// Whoever lays out a message without copying its payload relies on the parts.
func TestEncodedSizeIsTheSumOfItsParts(t *testing.T) {
	for _, c := range writeCases {
		m := c.message
		header, further := headerSize(m), continuations(len(m.Payload), c.chunkSize)
		end := header
		payload := m.Payload
		for range further {
			end += c.chunkSize
			payload = payload[c.chunkSize:]
			if c.wire[end]>>6 != chunkSame {
				t.Errorf("%s: no header of type 3 at %d", c.name, end)
			}
			end += continuationSize(m)
		}
		if !bytes.Equal(c.wire[end:], payload) || len(payload) > c.chunkSize {
			t.Errorf("%s: the last chunk at %d is %x", c.name, end, c.wire[end:])
		}
	}
}

func TestAppendMessageAllocatesNothingWhereThereIsRoom(t *testing.T) {
	m := video(6, 0x1000000, fill(10_000))
	dst := make([]byte, 0, EncodedSize(m, 128))
	if n := testing.AllocsPerRun(10, func() { dst = AppendMessage(dst[:0], m, 128) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := AppendMessage(nil, m, 128); len(got) != cap(dst) {
		t.Errorf("%d bytes in place of %d", len(got), cap(dst))
	}
}

func TestReaderReadsWhatAppendMessageWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	ids := []uint32{2, 3, 63, 64, 65, 319, 320, 321, 65598, 65599}
	timestamps := []uint32{0, 1, 1000, 1001, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF}
	types := []MessageType{TypeAudio, TypeVideo, TypeData, TypeDataAMF3, TypeCommand, TypeCommandAMF3, TypeUserControl}
	for _, chunkSize := range []int{1, 2, 3, 4, 5, 127, 128, 129, 4096, 60000, 65536, MaxMessageSize} {
		t.Run(fmt.Sprint(chunkSize), func(t *testing.T) {
			stream := binary.BigEndian.AppendUint32(wire("02 000000 000004 01 00000000"), uint32(chunkSize))
			var want []Message
			for _, n := range []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 2*chunkSize - 1, 2 * chunkSize, 2*chunkSize + 1, 5 * chunkSize} {
				for range 10 {
					m := Message{
						Type:        types[random.IntN(len(types))],
						ChunkStream: ids[random.IntN(len(ids))],
						Stream:      random.Uint32(),
						Timestamp:   timestamps[random.IntN(len(timestamps))] + uint32(random.IntN(2)),
						Payload:     fill(min(n, 10_000)),
					}
					if m.Type == TypeUserControl {
						m.Payload = m.Payload[:min(len(m.Payload), 6)]
					}
					before := len(stream)
					stream = AppendMessage(stream, m, chunkSize)
					if size := EncodedSize(m, chunkSize); len(stream)-before != size {
						t.Fatalf("%d bytes for %v, size says %d", len(stream)-before, m, size)
					}
					want = append(want, m)
				}
			}
			got, err := readAll(readerOf(stream, AcceptedLimits))
			if !errors.Is(err, io.EOF) || len(got) != len(want)+1 || !sameMessages(got[1:], want) {
				t.Errorf("got%s\nwant%s\nthen %v", describe(got), describe(want), err)
			}
		})
	}
}

// Messages written one after the other on one chunk stream do not depend on
// each other: any may be left out.
func TestMessagesCanBeLeftOut(t *testing.T) {
	var want []Message
	for i, timestamp := range []uint32{0, 0x1000000, 40, 0xFFFFFFFF, 80} {
		want = append(want, video(6, timestamp, fill(100+i)))
	}
	for skip := range 1 << len(want) {
		var stream []byte
		var kept []Message
		for i, m := range want {
			if skip>>i&1 == 0 {
				stream = AppendMessage(stream, m, DefaultChunkSize)
				kept = append(kept, m)
			}
		}
		if got, _ := readAll(readerOf(stream, AcceptedLimits)); !sameMessages(got, kept) {
			t.Errorf("without %b: got%s", skip, describe(got))
		}
	}
}
