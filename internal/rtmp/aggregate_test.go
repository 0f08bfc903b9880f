package rtmp

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// part is one message of an aggregate with its back pointer.
func part(kind MessageType, timestamp uint32, payload []byte) []byte {
	b := []byte{byte(kind), 0, byte(len(payload) >> 8), byte(len(payload))}
	b = append(b, byte(timestamp>>16), byte(timestamp>>8), byte(timestamp), byte(timestamp>>24), 0, 0, 0)
	b = append(b, payload...)
	return binary.BigEndian.AppendUint32(b, uint32(aggregateTagHeader+len(payload)))
}

func aggregate(timestamp uint32, parts ...[]byte) []byte {
	payload := bytes.Join(parts, nil)
	return AppendMessage(nil, message(TypeAggregate, 4, 1, timestamp, payload), DefaultChunkSize)
}

var aggregateCases = []readCase{
	{
		name: "an aggregate counts from its own timestamp",
		wire: wire(
			"04 0003E8 000031 16 01000000",
			"08 000002 000064 00 000000 AF01 0000000D",
			"09 000002 00006E 00 000000 1701 0000000D",
			"08 000000 00008C 00 000000 0000000B",
			"84 000001", // the next aggregate inherits length and type
			"08 000002 000064 00 000000 AF02 0000000D",
			"12 000002 000063 00 000000 0200 0000000D",
			"0F 000000 000065 00 000000 0000000B",
		),
		want: []Message{
			audio(4, 1000, unhex("AF01")), video(4, 1010, unhex("1701")), audio(4, 1040, nil),
			audio(4, 1001, unhex("AF02")), message(TypeData, 4, 1, 1000, unhex("0200")), message(TypeDataAMF3, 4, 1, 1002, nil),
		},
	},
	{
		name: "the upper byte of a timestamp comes last",
		wire: wire("04 000000 00001E 16 01000000", "08 000000 FFFFFF 00 000000 0000000B", "08 000000 000010 01 000000 0000000B"),
		want: []Message{audio(4, 0, nil), audio(4, 0x11, nil)},
	},
	{
		name: "timestamps of parts wrap",
		wire: aggregate(0xFFFFFFF0, part(TypeAudio, 0xFFFFFFFF, []byte{1}), part(TypeAudio, 0x1F, []byte{2})),
		want: []Message{audio(4, 0xFFFFFFF0, []byte{1}), audio(4, 0x10, []byte{2})},
	},
	{
		name: "the last back pointer may be missing",
		wire: wire("04 000000 00000C 16 01000000", "08 000001 000000 00 000000 AF"),
		want: []Message{audio(4, 0, []byte{0xAF})},
	},
	{
		name: "the last back pointer may be cut",
		wire: wire("04 000000 00000E 16 01000000", "08 000001 000000 00 000000 AF 0000"),
		want: []Message{audio(4, 0, []byte{0xAF})},
	},
	{name: "an empty aggregate", wire: wire(aggregate(0), "C4 C4 05 000000 000001 08 01000000 AF"), want: []Message{audio(5, 0, []byte{0xAF})}},
	{name: "a part longer than the rest", wire: wire("04 000000 00000C 16 01000000", "08 000002 000000 00 000000 AF"), err: ErrProtocol},
	{name: "a part of 16 MiB in one of 12 bytes", wire: wire("04 000000 00000C 16 01000000", "08 FFFFFF 000000 00 000000 AF"), err: ErrProtocol},
	{name: "a part header that is cut", wire: wire("04 000000 00000A 16 01000000", "08 000000 000000 00 0000"), err: ErrProtocol},
	{
		name: "no part is delivered of an aggregate that is broken at its end",
		wire: aggregate(0, part(TypeAudio, 0, []byte{1}), []byte{8}),
		err:  ErrProtocol,
	},
	{name: "an aggregate within an aggregate", wire: aggregate(0, part(TypeAggregate, 0, part(TypeAudio, 0, nil))), err: ErrProtocol},
	{name: "a chunk size within an aggregate", wire: aggregate(0, part(TypeSetChunkSize, 0, unhex("00001000"))), err: ErrProtocol},
	{name: "a command within an aggregate", wire: aggregate(0, part(TypeCommand, 0, nil)), err: ErrProtocol},
	{
		name: "256 parts",
		wire: aggregate(0, bytes.Repeat(part(TypeAudio, 0, nil), 256)),
		want: repeated(audio(4, 0, nil), 256),
	},
	{name: "257 parts", wire: aggregate(0, bytes.Repeat(part(TypeAudio, 0, nil), 257)), err: ErrLimit},
	{
		name: "parts as long as their kind may be",
		wire: aggregate(0, part(TypeAudio, 0, fill(1200)), part(TypeData, 0, fill(1100))),
		want: []Message{audio(4, 0, fill(1200)), message(TypeData, 4, 1, 0, fill(1100))}, limits: tightLimits,
	},
	{name: "an audio part longer than audio may be", wire: aggregate(0, part(TypeAudio, 0, fill(1201))), err: ErrLimit, limits: tightLimits},
	{name: "a data part longer than data may be", wire: aggregate(0, part(TypeDataAMF3, 0, fill(1101))), err: ErrLimit, limits: tightLimits},
}

func repeated(m Message, n int) []Message {
	all := make([]Message, n)
	for i := range all {
		all[i] = m
	}
	return all
}

// A caller that appends to one part must not write into the next.
func TestPartsOfAnAggregateDoNotOverlap(t *testing.T) {
	stream := aggregate(0, part(TypeAudio, 0, []byte{1}), part(TypeAudio, 0, []byte{2}))
	got, _ := readAll(readerOf(stream, AcceptedLimits))
	if len(got) != 2 {
		t.Fatalf("got%s", describe(got))
	}
	_ = append(got[0].Payload, make([]byte, 20)...)
	if !bytes.Equal(got[1].Payload, []byte{2}) {
		t.Errorf("second part = %x", got[1].Payload)
	}
}

func TestPendingPartsOfAnAggregateNeedNoReading(t *testing.T) {
	stream := aggregate(0, part(TypeAudio, 0, []byte{1}), part(TypeAudio, 0, []byte{2}), part(TypeAudio, 0, []byte{3}))
	r := readerOf(stream, AcceptedLimits)
	for i, want := range []bool{false, true, true, false} {
		if r.Pending() != want {
			t.Errorf("before message %d: pending is %v", i, !want)
		}
		if m, err := r.ReadMessage(); i < 3 && (err != nil || m.Payload[0] != byte(i+1)) {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
}
