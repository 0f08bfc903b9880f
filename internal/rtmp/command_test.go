package rtmp

import (
	"errors"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// Starts of commands: the name "c" and transaction 1, then a command object.
const (
	nameAndOne = "02 0001 63 00 3FF0000000000000"
	toObject   = nameAndOne + "05"
)

// nested is a value within n strict arrays.
func nested(n int) []byte {
	var b []byte
	for range n {
		b = append(b, unhex("0A 00000001")...)
	}
	return append(b, 5)
}

var commandCases = []struct {
	name    string
	payload []byte
	want    Command
	err     error
}{
	{
		name:    "createStream",
		payload: unhex(`02 000C 63 72 65 61 74 65 53 74 72 65 61 6D 00 4010000000000000 05`),
		want:    Command{Name: "createStream", Transaction: 4},
	},
	{
		name:    "publish",
		payload: unhex(`02 0007 7075626C697368 00 4014000000000000 05 02 0003 6B6579 02 0004 6C697665`),
		want:    Command{Name: "publish", Transaction: 5, Args: []any{"key", "live"}},
	},
	{
		name:    "play",
		payload: unhex(`02 0004 706C6179 00 0000000000000000 05 02 0003 6B6579 00 C09F400000000000`),
		want:    Command{Name: "play", Args: []any{"key", -2000.0}},
	},
	{
		name:    "a command object and arguments of every kind",
		payload: wire(nameAndOne, "03 0001 61 01 01 000009", "06 05 01 00 08 00000000 000009"),
		want: Command{
			Name: "c", Transaction: 1, Object: amf.Object{{Name: "a", Value: true}},
			Args: []any{amf.Undefined{}, nil, false, amf.ECMAArray{}},
		},
	},
	{name: "no transaction", payload: unhex("02 0001 63"), want: Command{Name: "c"}},
	{name: "no command object", payload: unhex(nameAndOne), want: Command{Name: "c", Transaction: 1}},
	{name: "no arguments", payload: unhex(toObject), want: Command{Name: "c", Transaction: 1}},
	{name: "a long string for a name", payload: unhex("0C 00000001 63"), want: Command{Name: "c"}},
	{name: "padding of zeros is no number", payload: wire(toObject, "02 0001 6B 00 0000"), want: Command{Name: "c", Transaction: 1, Args: []any{"k"}}},
	{name: "padding of an unknown marker", payload: wire(toObject, "02 0001 6B FF FF"), want: Command{Name: "c", Transaction: 1, Args: []any{"k"}}},
	{name: "padding of an object end", payload: wire(toObject, "000009"), want: Command{Name: "c", Transaction: 1}},
	{name: "the last object has no end", payload: wire(toObject, "03 0001 61 02 0001 62"), want: Command{
		Name: "c", Transaction: 1, Args: []any{amf.Object{{Name: "a", Value: "b"}}},
	}},
	{name: "the command object has no end", payload: wire(nameAndOne, "03 0001 61 02 0001 62"), want: Command{
		Name: "c", Transaction: 1, Object: amf.Object{{Name: "a", Value: "b"}},
	}},
	{name: "an AMF3 value", payload: wire(nameAndOne, "05 11 0403"), want: Command{
		Name: "c", Transaction: 1, Args: []any{amf.AVMPlus{Value: amf.Integer(3)}},
	}},
	{name: "an AMF3 string for a name", payload: unhex("11 06 03 63"), want: Command{Name: "c"}},

	{name: "a transaction that is NaN", payload: unhex("02 0001 63 00 7FF8000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction that is infinite", payload: unhex("02 0001 63 00 7FF0000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction that is minus infinite", payload: unhex("02 0001 63 00 FFF0000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction that is a fraction", payload: unhex("02 0001 63 00 3FF8000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction that is negative", payload: unhex("02 0001 63 00 BFF0000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction of 2^32-1", payload: unhex("02 0001 63 00 41EFFFFFFFE00000 05"), want: Command{Name: "c", Transaction: math.MaxUint32}},
	{name: "a transaction of 2^32", payload: unhex("02 0001 63 00 41F0000000000000 05"), want: Command{Name: "c"}},
	{name: "a transaction that is text", payload: unhex("02 0001 63 02 0001 31 05"), want: Command{Name: "c"}},

	{name: "nothing", err: ErrProtocol},
	{name: "a number for a name", payload: unhex("00 3FF0000000000000 00 3FF0000000000000 05"), err: ErrProtocol},
	{name: "null for a name", payload: unhex("05"), err: ErrProtocol},
	{name: "a name that is cut", payload: unhex("02 0007 7075"), err: ErrProtocol},
	{name: "a transaction that is cut", payload: unhex("02 0001 63 00 3FF0"), err: ErrProtocol},
	{name: "a command object of an unknown marker", payload: wire(nameAndOne, "FF"), err: ErrProtocol},
	{name: "a command object that is too deep", payload: wire(nameAndOne, nested(17)), err: ErrLimit},
	{name: "an argument that is too deep", payload: wire(toObject, nested(17)), err: ErrLimit},
	{name: "too many arguments", payload: append(unhex(toObject), make1024Nulls()...), err: ErrLimit},
	{name: "an array of too many values", payload: wire(toObject, "0A 00000400", make1024Nulls()), err: ErrLimit},
}

func make1024Nulls() []byte {
	b := make([]byte, 1024)
	for i := range b {
		b[i] = 5
	}
	return b
}

// checkCommandError checks that an error says whether the peer was wrong or
// greedy, and does not look like the end of the connection.
func checkCommandError(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, ErrProtocol) == errors.Is(err, ErrLimit) {
		t.Errorf("error %v is of no class or two", err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %q wraps the end of the stream", err)
	}
}

func TestParseCommand(t *testing.T) {
	messages := map[string]func(payload []byte) Message{
		"type 20":                  func(p []byte) Message { return Message{Type: TypeCommand, Payload: p} },
		"type 17":                  func(p []byte) Message { return Message{Type: TypeCommandAMF3, Payload: append([]byte{0}, p...)} },
		"type 17 without selector": func(p []byte) Message { return Message{Type: TypeCommandAMF3, Payload: p} },
	}
	for _, c := range commandCases {
		for kind, message := range messages {
			if kind == "type 17 without selector" && len(c.payload) > 0 && c.payload[0] == 0 {
				continue // it starts like a selector
			}
			got, err := ParseCommand(message(c.payload))
			if len(got.Args) == 0 {
				got.Args = nil
			}
			if !reflect.DeepEqual(got, c.want) || !errors.Is(err, c.err) {
				t.Errorf("%s, %s: got %#v, %v; want %#v, %v", c.name, kind, got, err, c.want, c.err)
			}
			if err != nil {
				checkCommandError(t, err)
			}
		}
	}
}

func TestCommandSurvivesTruncation(t *testing.T) {
	whole := ConnectResult(1, 0).Payload
	for n := range whole {
		if _, err := ParseCommand(Message{Type: TypeCommand, Payload: whole[:n]}); err != nil {
			checkCommandError(t, err)
		}
	}
}

func TestCommandMessage(t *testing.T) {
	c := Command{Name: "c", Transaction: 1, Object: amf.Object{}, Args: []any{"k", 2.0}}
	payload := wire(nameAndOne, "03 000009 02 0001 6B 00 4000000000000000")
	for _, want := range []Message{
		message(TypeCommand, ChunkStreamCommand, 0, 0, payload),
		message(TypeCommand, ChunkStreamStatus, 7, 0, payload),
	} {
		if got := c.Message(want.Stream); !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestArgIsNilWhereTheSenderLeftItOut(t *testing.T) {
	c := Command{Args: []any{"a", 1.0}}
	for i, want := range []any{"a", 1.0, nil, nil} {
		if got := c.Arg(i); got != want {
			t.Errorf("argument %d = %v, want %v", i, got, want)
		}
	}
}

func TestStreamIDTakesIntegersOnly(t *testing.T) {
	conformance.Covers(t, 136)
	for _, c := range []struct {
		value any
		want  uint32
		ok    bool
	}{
		{0.0, 0, true}, {1.0, 1, true}, {math.Copysign(0, -1), 0, true}, {float64(math.MaxUint32), math.MaxUint32, true},
		{amf.AVMPlus{Value: amf.Integer(3)}, 3, true},
		{-1.0, 0, false}, {1.5, 0, false}, {math.MaxUint32 + 1.0, 0, false}, {1e300, 0, false},
		{math.NaN(), 0, false}, {math.Inf(1), 0, false}, {math.Inf(-1), 0, false},
		{"1", 0, false}, {nil, 0, false}, {true, 0, false}, {amf.Object{}, 0, false},
	} {
		if got, ok := StreamID(c.value); got != c.want || ok != c.ok {
			t.Errorf("stream id of %v = %d, %v", c.value, got, ok)
		}
	}
}
