package bench

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// seen is an arrival whose payload was copied.
type seen struct {
	kind    rtmp.MessageType
	length  uint32
	payload string
}

// parseChunks feeds a parser with pieces and returns what arrived.
func parseChunks(pieces ...[]byte) ([]seen, error) {
	var c chunkParser
	c.reset()
	var all []seen
	for _, in := range pieces {
		for len(in) > 0 {
			m, n, complete, err := c.next(in)
			if err != nil {
				return all, err
			}
			if n == 0 {
				return all, errors.New("no progress")
			}
			in = in[n:]
			if complete {
				all = append(all, seen{m.kind, m.length, string(m.payload)})
			}
		}
	}
	return all, nil
}

var chunkTests = []struct {
	name string
	wire string
	want []seen
}{
	{
		"header of type 0",
		"04 000000 000003 08 01000000 616263",
		[]seen{{rtmp.TypeAudio, 3, "abc"}},
	},
	{
		"types 1, 2 and 3 build on the one before",
		"04 000000 000002 08 01000000 6162" +
			"44 000017 000003 09 636465" +
			"84 000017 666768" +
			"c4 696a6b",
		[]seen{{rtmp.TypeAudio, 2, "ab"}, {rtmp.TypeVideo, 3, "cde"}, {rtmp.TypeVideo, 3, "fgh"}, {rtmp.TypeVideo, 3, "ijk"}},
	},
	{
		"first header of type 1, as librtmp sends it",
		"42 000000 000004 05 00010000",
		[]seen{{rtmp.TypeWindowAckSize, 4, "\x00\x01\x00\x00"}},
	},
	{
		"message of length 0",
		"04 000000 000000 08 01000000 c4 04 000000 000001 08 01000000 61",
		[]seen{{rtmp.TypeAudio, 0, ""}, {rtmp.TypeAudio, 0, ""}, {rtmp.TypeAudio, 1, "a"}},
	},
	{
		"chunk stream ids of two and three bytes",
		"00 05 000000 000001 08 01000000 61" +
			"01 0502 000000 000001 09 01000000 62" +
			"c0 05 63",
		[]seen{{rtmp.TypeAudio, 1, "a"}, {rtmp.TypeVideo, 1, "b"}, {rtmp.TypeAudio, 1, "c"}},
	},
	{
		"chunks of two messages in turn",
		"02 000000 000004 01 00000000 00000002" +
			"04 000000 000005 08 01000000 6162" +
			"06 000000 000003 09 01000000 7879" +
			"c4 6364 c6 7a c4 65",
		[]seen{{rtmp.TypeSetChunkSize, 4, "\x00\x00\x00\x02"}, {rtmp.TypeVideo, 3, "xyz"}, {rtmp.TypeAudio, 5, "abcde"}},
	},
	{
		"command in several chunks",
		"02 000000 000004 01 00000000 00000002" +
			"03 000000 000005 14 00000000 6162 c3 6364 c3 65",
		[]seen{{rtmp.TypeSetChunkSize, 4, "\x00\x00\x00\x02"}, {rtmp.TypeCommand, 5, "abcde"}},
	},
	{
		"extended timestamp, repeated by the headers of type 3",
		"02 000000 000004 01 00000000 00000002" +
			"04 ffffff 000003 08 01000000 01000000 6162 c4 01000000 63" +
			"c4 01000000 6465 c4 01000000 66",
		[]seen{{rtmp.TypeSetChunkSize, 4, "\x00\x00\x00\x02"}, {rtmp.TypeAudio, 3, "abc"}, {rtmp.TypeAudio, 3, "def"}},
	},
	{
		"extended timestamp that ends",
		"04 ffffff 000001 08 01000000 01000000 61 84 000010 62 c4 63",
		[]seen{{rtmp.TypeAudio, 1, "a"}, {rtmp.TypeAudio, 1, "b"}, {rtmp.TypeAudio, 1, "c"}},
	},
	{
		"abort",
		"02 000000 000004 01 00000000 00000002" +
			"04 000000 000003 08 01000000 6162" +
			"02 000000 000004 02 00000000 0000 c2 0004" +
			"04 000000 000001 08 01000000 7a" +
			"02 000000 000004 02 00000000 0000 c2 0063",
		[]seen{
			{rtmp.TypeSetChunkSize, 4, "\x00\x00\x00\x02"}, {rtmp.TypeAbort, 4, "\x00\x00\x00\x04"},
			{rtmp.TypeAudio, 1, "z"}, {rtmp.TypeAbort, 4, "\x00\x00\x00\x63"},
		},
	},
	{
		"of what is long the head is kept",
		"04 000000 0000c8 09 01000000" + strings.Repeat("61", 128) + "c4" + strings.Repeat("62", 72),
		[]seen{{rtmp.TypeVideo, 200, strings.Repeat("a", headSize)}},
	},
}

func TestChunksOfEveryFormAtEverySplit(t *testing.T) {
	for _, test := range chunkTests {
		t.Run(test.name, func(t *testing.T) {
			wire := unhex(t, test.wire)
			for at := range wire {
				got, err := parseChunks(wire[:at], wire[at:])
				if err != nil || !reflect.DeepEqual(got, test.want) {
					t.Fatalf("split at %d: %+v, %v, want %+v", at, got, err, test.want)
				}
			}
			var bytewise [][]byte
			for i := range wire {
				bytewise = append(bytewise, wire[i:i+1])
			}
			if got, err := parseChunks(bytewise...); err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("byte by byte: %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

func TestChunksOfAnySize(t *testing.T) {
	payload := bytes.Repeat([]byte("0123456789"), 1000)
	for _, size := range []int{1, 127, 4096, 9999, 10000, 65536} {
		wire := rtmp.AppendMessage(nil, rtmp.SetChunkSize(uint32(size)), rtmp.DefaultChunkSize)
		for range 3 {
			wire = rtmp.AppendMessage(wire, rtmp.Message{
				Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Timestamp: 1 << 25, Payload: payload,
			}, size)
			wire = rtmp.AppendMessage(wire, rtmp.Message{Type: rtmp.TypeCommand, ChunkStream: 3, Payload: payload}, size)
		}
		got, err := parseChunks(wire[:7001], wire[7001:])
		if err != nil || len(got) != 7 {
			t.Fatalf("chunks of %d: %d messages, %v", size, len(got), err)
		}
		for i, m := range got[1:] {
			if want := string(payload); i%2 == 1 && m.payload != want {
				t.Errorf("chunks of %d: the command has %d bytes", size, len(m.payload))
			}
			if !bytes.HasPrefix(payload, []byte(m.payload)[:headSize]) || m.length != 10000 {
				t.Errorf("chunks of %d: message of %d bytes begins with %q", size, m.length, m.payload[:headSize])
			}
		}
	}
}

func TestChunksThatCannotBe(t *testing.T) {
	var streams strings.Builder
	for id := range maxChunkStreams + 1 {
		streams.WriteString("0" + string("3456789abc"[id]) + "000000 000000 08 01000000")
	}
	for _, test := range []struct {
		name, wire string
		want       error
	}{
		{"first header of type 2", "84 000000", rtmp.ErrProtocol},
		{"first header of type 3", "c4", rtmp.ErrProtocol},
		{"header within a message", "04 000000 000102 08 01000000" + strings.Repeat("61", 128) + "04 000000 000102 08 01000000", rtmp.ErrProtocol},
		{"chunk size 0", "02 000000 000004 01 00000000 00000000", rtmp.ErrProtocol},
		{"chunk size of three bytes", "02 000000 000003 01 00000000 000001", rtmp.ErrProtocol},
		{"more chunk streams than expected", streams.String(), rtmp.ErrLimit},
		{"command that is too long", "03 000000 010001 14 00000000 02", rtmp.ErrLimit},
	} {
		wire := unhex(t, test.wire)
		if _, err := parseChunks(wire); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// Whatever comes, in whichever pieces: no panic, always progress, and the same
// messages.
func FuzzChunks(f *testing.F) {
	for _, test := range chunkTests {
		f.Add(unhex(f, test.wire), 5)
	}
	f.Fuzz(func(t *testing.T, wire []byte, at int) {
		if len(wire) == 0 {
			return
		}
		at = int(uint(at) % uint(len(wire)))
		whole, err := parseChunks(wire)
		split, splitErr := parseChunks(wire[:at], wire[at:])
		if (err == nil) != (splitErr == nil) || !reflect.DeepEqual(whole, split) {
			t.Fatalf("in one piece %+v, %v; split at %d %+v, %v", whole, err, at, split, splitErr)
		}
	})
}
