package faults

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// slot is where a value can stand: wrap makes the message that holds it.
type slot struct {
	name string
	at   attackState
	wrap func(stream uint32, value []byte) rtmp.Message
}

var slots = []slot{
	{"the object of connect", asNewcomer, func(_ uint32, value []byte) rtmp.Message {
		return spell(rtmp.TypeCommand, 0, "connect", value)
	}},
	{"an argument before connect", asNewcomer, func(_ uint32, value []byte) rtmp.Message {
		return spell(rtmp.TypeCommand, 0, "connect", []byte{5}, value)
	}},
	{"an argument of a command", asConnected, func(_ uint32, value []byte) rtmp.Message {
		return spell(rtmp.TypeCommand, 0, "attack", []byte{5}, value)
	}},
	{"an argument of a command of AMF3", asConnected, func(_ uint32, value []byte) rtmp.Message {
		m := spell(rtmp.TypeCommandAMF3, 0, "attack", []byte{5}, value)
		m.Payload = append([]byte{0}, m.Payload...)
		return m
	}},
	{"metadata", asPublisher, func(stream uint32, value []byte) rtmp.Message {
		payload := append([]byte("\x02\x00\x0D@setDataFrame\x02\x00\x0AonMetaData"), value...)
		return rtmp.Message{Type: rtmp.TypeData, ChunkStream: 6, Stream: stream, Payload: payload}
	}},
	{"data", asPublisher, func(stream uint32, value []byte) rtmp.Message {
		return rtmp.Message{Type: rtmp.TypeData, ChunkStream: 6, Stream: stream, Payload: append([]byte("\x02\x00\x05onCue"), value...)}
	}},
}

// spell is a command of a name with values that are written already.
func spell(kind rtmp.MessageType, stream uint32, name string, values ...[]byte) rtmp.Message {
	payload := append([]byte{2, 0, byte(len(name))}, name...)
	payload = append(payload, 0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0) // transaction 1
	return rtmp.Message{Type: kind, ChunkStream: 6, Stream: stream, Payload: append(payload, bytes.Join(values, nil)...)}
}

// nesters are the containers, as the bytes that open one within another.
var nesters = map[string]struct{ first, open []byte }{
	"objects":         {nil, []byte{3, 0, 1, 'a'}},
	"ECMA arrays":     {nil, []byte{8, 0, 0, 0, 1, 0, 1, 'a'}},
	"strict arrays":   {nil, []byte{10, 0, 0, 0, 1}},
	"typed objects":   {nil, []byte{16, 0, 1, 't', 0, 1, 'a'}},
	"arrays of AMF3":  {[]byte{17}, []byte{9, 3, 1}},
	"objects of AMF3": {[]byte{17}, []byte{10, 11, 1, 3, 'a'}},
	"dictionaries":    {[]byte{17}, []byte{17, 3, 0}},
}

// deliver has a new client send a value in a place so many times, and wants an
// answer to what follows.
func (f *fault) deliver(n int, in slot, value []byte, times int) error {
	a, err := f.attack(n, in.at)
	if err != nil {
		return err
	}
	defer func() { _ = a.Conn.Close() }()
	size := 60_000
	if in.at == asNewcomer {
		size = rtmp.DefaultChunkSize
	}
	a.say(bytes.Repeat(rtmp.AppendMessage(nil, in.wrap(a.Stream, value), size), times))
	return a.answers()
}

// C1: internal/amf has the exact depth.
func TestNestedValuesDoNotEndTheProcess(t *testing.T) {
	t.Parallel()
	f := begin(t, "C1")
	const most = 16
	type bomb struct {
		place  int
		nester string
		depth  int
	}
	var bombs []bomb
	for place, where := range slots {
		limit := rtmp.AcceptedLimits.Data
		if where.at != asPublisher {
			limit = rtmp.UnacceptedLimits.Command
		}
		for nester, b := range nesters {
			for _, depth := range []int{most, most + 1, 1000, (limit - 100) / len(b.open)} {
				bombs = append(bombs, bomb{place, nester, depth})
			}
		}
	}
	busy := f.processor()
	const lanes = 16
	crowd(lanes, func(lane int) {
		for i := lane; i < len(bombs); i += lanes {
			one := bombs[i]
			place, nester := slots[one.place], nesters[one.nester]
			value := append(bytes.Clone(nester.first), bytes.Repeat(nester.open, one.depth)...)
			err := f.deliver(i, place, append(value, 5), 1)
			// What cannot be read of data is left out, and the publisher stays.
			if err != nil && (place.at == asPublisher || !errors.Is(err, errGone)) {
				f.Errorf("%d %s in %s: %v", one.depth, one.nester, place.name, err)
			}
		}
	})
	f.figure("bombs", len(bombs))
	f.figure("processor time", f.processor()-busy)
	if got := f.ended("limit exceeded"); got < len(nesters) {
		f.Errorf("%d were refused for their depth", got)
	}
	// The same where nothing of that length may come at all.
	const clients = 20
	wire := append(header(3, 8<<20, rtmp.TypeCommand, 0), bytes.Repeat([]byte{3, 0, 1, 'a'}, 2<<20)...)
	for range f.scale(1, 25) {
		f.assault(clients, asNewcomer, func(a *attacker, _ int) {
			a.say(wire)
			if !a.isClosed() {
				f.Error("8 MiB before connect are read")
			}
		})
	}
}

// lies are counts and lengths behind which there is nothing.
func lies() map[string][]byte {
	const huge = "\xff\xff\xff\xff"
	return map[string][]byte{
		"a strict array":         []byte("\x0a" + huge),
		"strict arrays in turn":  bytes.Repeat([]byte("\x0a\x00\x00\xff\xff"), 16),
		"an ECMA array":          []byte("\x08" + huge),
		"ECMA arrays in turn":    bytes.Repeat([]byte("\x08"+huge+"\x00\x01a"), 16),
		"a long string":          []byte("\x0c" + huge),
		"an XML document":        []byte("\x0f" + huge),
		"a string":               []byte("\x02\xff\xffabc"),
		"a date":                 []byte("\x0b\x7f\xef"),
		"a reference to nothing": []byte("\x07\xff\xff"),
		"a reference to itself":  []byte("\x03\x00\x01a\x07\x00\x00\x00\x00\x09"),
		"a typed object":         []byte("\x10\xff\xffname"),
		"unsupported":            []byte("\x0d"),
		"a movie clip":           []byte("\x04"),
		"a record set":           []byte("\x0e"),
		"an unknown marker":      []byte("\x7f"),
		"an end without object":  []byte("\x09"),
		"AMF3 without a value":   []byte("\x11"),
		"an array of AMF3":       []byte("\x11\x09\xff\xff\xff\xff\x01"),
		"a vector of int":        []byte("\x11\x0d\xff\xff\xff\xff\x00"),
		"a vector of double":     []byte("\x11\x0f\xff\xff\xff\xff\x00"),
		"a vector of objects":    []byte("\x11\x10\xff\xff\xff\xff\x00\x01"),
		"a dictionary":           []byte("\x11\x11\xff\xff\xff\xff\x00"),
		"a byte array":           []byte("\x11\x0c\xff\xff\xff\xff"),
		"traits":                 []byte("\x11\x0a\xff\xff\xff\xff\x01"),
		"an externalizable":      []byte("\x11\x0a\x07\x01"),
		"references that double": []byte("\x0a\x00\x00\x00\x03" + "\x0a\x00\x00\x00\x00" + "\x07\x00\x01\x07\x00\x01"),
	}
}

// C2: FuzzDecodeAMF0 and FuzzDecodeAMF3 bound what is allocated for any input.
func TestCountsThatLieTakeNoMemory(t *testing.T) {
	t.Parallel()
	f := begin(t, "C2")
	const repeated = 30 // by each client
	list := lies()
	kinds := slices.Sorted(maps.Keys(list))
	n := len(kinds) * f.scale(2, 40)
	before := f.resident()
	most := residentDuring(f, func() {
		for _, where := range slots {
			crowd(n, func(i int) {
				what := kinds[i%len(kinds)]
				if err := f.deliver(i, where, list[what], repeated); err != nil && !errors.Is(err, errGone) {
					f.Errorf("%s in %s: %v", what, where.name, err)
				}
			})
		}
	})
	f.figure("bombs", repeated*n*len(slots))
	f.figure("memory for them", megabytes(most-before))
	if most-before > 64<<20 {
		f.Errorf("they took %s", megabytes(most-before))
	}
}

// objectOf is an object of n keys, none of which is the same.
func objectOf(n int) []byte {
	b := []byte{3}
	for i := range n {
		b = append(b, 0, 4)
		b = binary.BigEndian.AppendUint32(b, uint32(i))
		b = append(b, 5)
	}
	return append(b, 0, 0, 9)
}

// C3: BenchmarkDecode of internal/amf has the time of each.
func TestValuesByTheThousand(t *testing.T) {
	t.Parallel()
	for _, debug := range []string{"NO", "YES"} {
		t.Run("debug "+debug, func(t *testing.T) {
			t.Parallel()
			f := begin(t, "C3", "LOG_DEBUG="+debug)
			const most = 9000 // keys, in 64 KiB
			commands, messages := f.scale(20, 400), f.scale(20, 200)
			f.assault(commands, asConnected, func(a *attacker, i int) {
				m := spell(rtmp.TypeCommand, 0, "attack", objectOf(1100+i%(most-1100)))
				a.say(rtmp.AppendMessage(nil, m, 60_000))
				if err := a.answers(); !errors.Is(err, errGone) {
					f.Errorf("more than a thousand values: %v", err)
				}
			})
			f.wantEnded("limit exceeded", commands)
			var took [2]time.Duration
			for i, n := range []int{60_000, 120_000} { // the second has too many
				a, err := f.attack(i, asPublisher)
				if err != nil {
					f.Fatal(err)
				}
				m := rtmp.Message{
					Type: rtmp.TypeData, ChunkStream: 6, Stream: a.Stream, Payload: append([]byte("\x02\x00\x05onCue"), objectOf(n)...),
				}
				wire, busy := rtmp.AppendMessage(nil, m, 60_000), f.processor()
				for range messages {
					a.say(wire)
				}
				if err := a.answers(); err != nil {
					f.Errorf("data of %d keys: %v", n, err)
				}
				took[i] = (f.processor() - busy) / time.Duration(messages)
				f.figure(fmt.Sprintf("processor time for %d keys", n), took[i])
			}
			if took[1] > time.Second {
				f.Errorf("120,000 keys take %v", took[1])
			}
			// A name of 60 KiB is cut in the log, or is not there.
			a, err := f.attack(1, asConnected)
			if err != nil {
				f.Fatal(err)
			}
			name := strings.Repeat("x", 60<<10)
			m := rtmp.Command{Name: name, Transaction: 3}.Message(0)
			m.ChunkStream = 6
			a.say(rtmp.AppendMessage(nil, m, 60_000))
			if err := a.answers(); err != nil {
				f.Errorf("a command with a long name: %v", err)
			}
			for _, line := range f.server.Log.All() {
				if len(line) > 4096 && !strings.Contains(line, "BIND_ADDRESS") {
					f.Errorf("a line of %d bytes: %.200s", len(line), line)
				}
			}
		})
	}
}

func TestOddKeysComeAsTheyWereSent(t *testing.T) {
	t.Parallel()
	f := begin(t, "C5")
	deep := amf.Object{{Name: "end", Value: true}}
	for range 12 {
		deep = amf.Object{{Name: "deeper", Value: deep}}
	}
	odd := amf.Object{
		{Name: "constructor", Value: "a"},
		{Name: "__proto__", Value: amf.Object{{Name: "polluted", Value: true}}},
		{Name: "hasOwnProperty", Value: nil},
		{Name: "twice", Value: 1.0},
		{Name: "twice", Value: 2.0},
		{Name: "länge\x00\n", Value: "\xff\xfe"},
		{Name: strings.Repeat("k", 60_000), Value: amf.StrictArray{1.0, amf.Undefined{}, "x"}},
		{Name: "deep", Value: deep},
	}
	// The same in connect, of which the last app counts.
	a, err := f.attack(1, asNewcomer)
	if err == nil {
		_, err = a.Connect(rtmp.ConnectOptions{App: "wrong", Extra: append(odd[:6:6], amf.Property{Name: "app", Value: "odd"})})
	}
	if err == nil {
		a.Stream, err = a.CreateStream()
	}
	if err == nil {
		err = a.Publish(a.Stream, "key")
	}
	if err != nil {
		f.Fatal(err)
	}
	player := f.watch("odd")
	if err := a.WriteMessage(rtmp.Message{
		Type: rtmp.TypeData, Stream: a.Stream, Payload: amf.Append(amf.Append(nil, "onCue"), odd),
	}); err != nil {
		f.Fatal(err)
	}
	var got []any
	var once sync.Once
	player.heard(f, func(m rtmp.Message) bool {
		if m.Type != rtmp.TypeData {
			return false
		}
		once.Do(func() {
			d := amf.NewDecoder(m.Payload, amf.DataLimits)
			for v, err := d.Decode(); err == nil; v, err = d.Decode() {
				got = append(got, v)
			}
		})
		return true
	})
	if want := []any{"onCue", odd}; !reflect.DeepEqual(got, want) {
		f.Errorf("an object with odd keys came as %.300q", fmt.Sprint(got))
	}
	f.figure("keys", len(odd))
}

// heard reads messages up to one that is right.
func (a *attacker) heard(f *fault, right func(rtmp.Message) bool) {
	f.Helper()
	_ = a.Conn.SetReadDeadline(time.Now().Add(2 * stage.Soon))
	for {
		m, err := a.ReadMessage()
		if err != nil {
			f.Errorf("the message did not come: %v", err)
			return
		}
		if right(m) {
			return
		}
	}
}
