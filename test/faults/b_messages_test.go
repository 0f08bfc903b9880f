package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// aggregatePart is a message in an aggregate (RTMP 1.0 section 7.1.6), with the length that
// it claims to have.
func aggregatePart(kind rtmp.MessageType, timestamp uint32, claims int, payload []byte) []byte {
	b := []byte{
		byte(kind), byte(claims >> 16), byte(claims >> 8), byte(claims),
		byte(timestamp >> 16), byte(timestamp >> 8), byte(timestamp), byte(timestamp >> 24), 0, 0, 0,
	}
	return binary.BigEndian.AppendUint32(append(b, payload...), uint32(11+len(payload)))
}

func TestAggregatesOfAllKinds(t *testing.T) {
	t.Parallel()
	f := begin(t, "B13")
	frame := picture(1, 1, 40).Payload
	good := aggregatePart(rtmp.TypeVideo, 1000, len(frame), frame)
	refused := map[string][]byte{
		"a part longer than the whole":  aggregatePart(rtmp.TypeVideo, 0, 0xFFFFFF, frame),
		"a second part that lies":       append(slices.Clone(good), aggregatePart(rtmp.TypeAudio, 0, 1000, []byte{1})...),
		"half a header":                 good[:7],
		"a header behind a part":        append(slices.Clone(good), good[:7]...),
		"an aggregate in it":            aggregatePart(rtmp.TypeAggregate, 0, len(good), good),
		"a chunk size in it":            aggregatePart(rtmp.TypeSetChunkSize, 0, 4, []byte{0, 0, 0, 0}),
		"a command in it":               aggregatePart(rtmp.TypeCommand, 0, 20, noop(20)),
		"an unknown type in it":         aggregatePart(99, 0, 1, []byte{1}),
		"257 parts":                     bytes.Repeat(aggregatePart(rtmp.TypeVideo, 0, 0, nil), 257),
		"a million empty parts":         bytes.Repeat(aggregatePart(rtmp.TypeVideo, 0, 0, nil), 1<<20),
		"an audio part of 2 MiB":        aggregatePart(rtmp.TypeAudio, 0, 2<<20, make([]byte, 2<<20)),
		"a back pointer and no header":  append(slices.Clone(good), 0xFF),
		"a part that claims one more":   aggregatePart(rtmp.TypeVideo, 0, len(frame)+5, frame),
		"only back pointers":            make([]byte, 4),
		"types of nothing, all zeros":   make([]byte, 1000),
		"ones":                          bytes.Repeat([]byte{0xFF}, 1000),
		"a data part and half a header": append(aggregatePart(rtmp.TypeData, 0, 3, []byte{2, 0, 0}), 18, 0),
	}
	var names []string
	for name := range refused {
		names = append(names, name)
	}
	aggregate := func(a *attacker, payload []byte) rtmp.Message {
		return rtmp.Message{Type: rtmp.TypeAggregate, ChunkStream: 6, Stream: a.Stream, Timestamp: 5000, Payload: payload}
	}
	f.assault(len(names), asPublisher, func(a *attacker, i int) {
		a.say(rtmp.AppendMessage(nil, aggregate(a, refused[names[i]]), 60_000))
		if err := a.answers(); !errors.Is(err, errGone) {
			f.Errorf("%s: %v", names[i], err)
		}
	})
	f.figure("refused", len(names))
	if got := f.ended("protocol error") + f.ended("limit exceeded"); got != len(names) {
		f.Errorf("%d were refused for what they are, want %d", got, len(names))
	}
	// One that is right, and an empty one.
	a, err := f.attack(1, asPublisher)
	if err != nil {
		f.Fatal(err)
	}
	player := f.watch(a.channel)
	var all []byte
	for n := range 256 {
		payload := picture(1, n, 20).Payload
		all = append(all, aggregatePart(rtmp.TypeVideo, uint32(1000+40*n), len(payload), payload)...)
	}
	a.say(rtmp.AppendMessage(nil, aggregate(a, nil), 60_000), rtmp.AppendMessage(nil, aggregate(a, all), 60_000))
	a.say(rtmp.AppendMessage(nil, rtmp.Message{
		Type: rtmp.TypeVideo, ChunkStream: 6, Stream: a.Stream, Timestamp: 20_000, Payload: picture(1, 999, 9).Payload,
	}, 60_000))
	got := f.seen(player, 999)
	if len(got) != 256 {
		f.Fatalf("%d of 256 parts came", len(got))
	}
	for n, m := range got {
		if m.Timestamp-got[0].Timestamp != uint32(40*n) || !bytes.Equal(m.Payload, picture(1, n, 20).Payload) {
			f.Fatalf("part %d came with %d ms behind the first one, as %x", n, m.Timestamp-got[0].Timestamp, m.Payload)
		}
	}
}

func TestMessagesOfTypesThatNobodyUses(t *testing.T) {
	t.Parallel()
	f := begin(t, "B14")
	var kinds []rtmp.MessageType
	for kind := range 256 {
		if k := rtmp.MessageType(kind); !k.Known() && (*long || kind < 32 || kind%32 == 31) {
			kinds = append(kinds, k)
		}
	}
	const tolerated = 100
	f.assault(len(kinds), asConnected, func(a *attacker, i int) {
		for n := range tolerated {
			length := n
			if n == 0 {
				length = 1 << 20 // drained, and not kept
			}
			m := rtmp.Message{Type: kinds[i], ChunkStream: 6, Stream: a.Stream, Payload: make([]byte, length)}
			a.say(rtmp.AppendMessage(nil, m, 60_000))
		}
		if err := a.answers(); err != nil {
			f.Errorf("%d messages of type %d: %v", tolerated, kinds[i], err)
		}
		a.say(whole(6, kinds[i], a.Stream))
		if !a.isClosed() {
			f.Errorf("message %d of type %d is tolerated", tolerated+1, kinds[i])
		}
	})
	f.figure("types", len(kinds))
	f.wantEnded("too many messages of unknown types", len(kinds))
}

// B15: what is too short to be anything disturbs nobody, or is refused.
func TestMessagesOfAFewBytes(t *testing.T) {
	t.Parallel()
	f := begin(t, "B15")
	var fillings [][]byte
	for length := range 17 {
		for _, fill := range []byte{0x00, 0x02, 0x17, 0xAF, 0xFF} {
			fillings = append(fillings, bytes.Repeat([]byte{fill}, length))
		}
	}
	for _, at := range []attackState{asConnected, asPublisher} {
		for _, kind := range []rtmp.MessageType{rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData, rtmp.TypeDataAMF3} {
			f.assault(1, at, func(a *attacker, _ int) {
				for _, payload := range fillings {
					a.say(whole(6, kind, a.Stream, payload...))
				}
				if err := a.answers(); err != nil {
					f.Errorf("%v of up to 16 bytes, %s: %v", kind, at, err)
				}
			})
		}
	}
	// A command, or an aggregate, that is none ends the connection.
	var ended atomic.Int64
	kinds := []rtmp.MessageType{rtmp.TypeCommand, rtmp.TypeCommandAMF3, rtmp.TypeAggregate}
	for _, kind := range kinds {
		f.assault(len(fillings), asConnected, func(a *attacker, i int) {
			a.say(whole(6, kind, a.Stream, fillings[i]...))
			switch err := a.answers(); {
			case errors.Is(err, errGone):
				ended.Add(1)
			case err != nil:
				f.Errorf("%v of %x: %v", kind, fillings[i], err)
			}
		})
	}
	f.figure("messages", len(fillings)*(len(kinds)+8))
	f.figure("ended", fmt.Sprint(ended.Load()))
	if ended.Load() == 0 {
		f.Error("no command is refused")
	}
}
