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
	d := amf.NewDecoder(payload, amf.CommandLimits)
	var c Command
	var values [3]any
	for i := range values {
		v, err := d.Decode()
		if errorIsEnd(err) && i > 0 {
			return c, nil
		}
		if err != nil {
			return Command{}, commandError(err)
		}
		switch i {
		case 0:
			name, ok := amf.AsString(v)
			if !ok {
				return Command{}, fmt.Errorf("command without a name: %w", ErrProtocol)
			}
			c.Name = name
		case 1:
			c.Transaction = transaction(v)
		case 2:
			c.Object = v
		}
	}
	for {
		v, err := d.Decode()
		switch {
		case err == nil:
			c.Args = append(c.Args, v)
		case exceeds(err):
			return Command{}, commandError(err)
		default:
			return c, nil
		}
	}
}

// transaction returns a transaction id that can be answered, or 0.
func transaction(v any) float64 {
	n, ok := amf.AsNumber(v)
	if !ok || n < 0 || n > math.MaxUint32 || n != math.Trunc(n) {
		return 0
	}
	return n
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

// errorIsEnd reports that the values are at their end.
func errorIsEnd(err error) bool { return errors.Is(err, io.EOF) }

// exceeds reports that a command asks for more work than it is granted, as
// opposed to being broken.
func exceeds(err error) bool {
	return errors.Is(err, amf.ErrDepth) || errors.Is(err, amf.ErrValues)
}

func commandError(err error) error {
	if exceeds(err) {
		return fmt.Errorf("decode command: %w: %w", err, ErrLimit)
	}
	return fmt.Errorf("decode command: %w: %w", err, ErrProtocol)
}
