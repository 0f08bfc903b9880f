package rtmp

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// Command is a NetConnection or NetStream call, or the answer to one (RTMP 1.0
// section 7.2).
type Command struct {
	Name string
	// Transaction is 0 when no answer is wanted.
	Transaction float64
	// Object is the command object, usually an amf.Object or nil.
	Object any
	Args   []any
}

// ParseCommand decodes a Command or CommandAMF3 message. Arguments after the
// name may be missing, and bytes behind the last argument that do not decode
// are ignored, since encoders pad commands; a broken name, transaction or
// command object is an error that wraps [ErrProtocol], and more values or
// deeper nesting than [amf.CommandLimits] one that wraps [ErrLimit].
func ParseCommand(m Message) (Command, error) {
	payload := m.Payload
	// Type 17 starts with a format selector, always 0. Some SDKs leave it out.
	if m.Type == TypeCommandAMF3 && len(payload) > 0 && payload[0] == 0 {
		payload = payload[1:]
	}
	values, err := decodeCommand(payload)
	if err != nil {
		return Command{}, err
	}
	var head [commandHead]any
	n := copy(head[:], values)
	name, ok := amf.AsString(head[0])
	if !ok {
		return Command{}, fmt.Errorf("command without a name: %w", ErrProtocol)
	}
	// A transaction that cannot be answered counts as none.
	transaction, _ := StreamID(head[1])
	return Command{Name: name, Transaction: float64(transaction), Object: head[2], Args: values[n:]}, nil
}

// commandHead counts the values in front of the arguments: name, transaction
// and command object.
const commandHead = 3

// decodeCommand returns the values up to the end or the padding.
func decodeCommand(payload []byte) ([]any, error) {
	d := amf.NewDecoder(payload, amf.CommandLimits)
	var values []any
	for {
		v, err := d.Decode()
		switch {
		case err == nil:
			values = append(values, v)
		case errors.Is(err, io.EOF):
			return values, nil
		case errors.Is(err, amf.ErrDepth), errors.Is(err, amf.ErrValues):
			return nil, fmt.Errorf("decode command: %w: %w", err, ErrLimit)
		case len(values) < commandHead:
			return nil, fmt.Errorf("decode command: %w: %w", err, ErrProtocol)
		default:
			return values, nil
		}
	}
}

// Arg returns argument i, or nil if the sender left it out.
func (c Command) Arg(i int) any {
	if i >= len(c.Args) {
		return nil
	}
	return c.Args[i]
}

// Message encodes the command for a message stream, on the chunk stream that
// fits: FMLE-style clients expect connection-level commands on chunk stream 3.
func (c Command) Message(stream uint32) Message {
	payload := amf.Append(nil, c.Name)
	payload = amf.Append(payload, c.Transaction)
	payload = amf.Append(payload, c.Object)
	for _, arg := range c.Args {
		payload = amf.Append(payload, arg)
	}
	chunkStream := uint32(ChunkStreamCommand)
	if stream != 0 {
		chunkStream = ChunkStreamStatus
	}
	return Message{Type: TypeCommand, ChunkStream: chunkStream, Stream: stream, Payload: payload}
}

// StreamID converts a decoded value to a message stream id. It is false for
// anything but an integer that fits.
func StreamID(v any) (uint32, bool) {
	n, ok := amf.AsNumber(v)
	if !ok || n < 0 || n > math.MaxUint32 || n != math.Trunc(n) {
		return 0, false
	}
	return uint32(n), true
}
