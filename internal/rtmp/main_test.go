package rtmp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// unhex reads bytes written in hexadecimal with spaces anywhere.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// wire joins bytes and texts in hexadecimal.
func wire(parts ...any) []byte {
	var out []byte
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			out = append(out, unhex(part)...)
		case []byte:
			out = append(out, part...)
		default:
			panic(fmt.Sprintf("wire of %T", part))
		}
	}
	return out
}

// fill returns a payload of n bytes that differ from their neighbours.
func fill(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + 1)
	}
	return b
}

// readAll reads to the first error.
func readAll(r *Reader) ([]Message, error) {
	var messages []Message
	for {
		m, err := r.ReadMessage()
		if err != nil {
			return messages, err
		}
		messages = append(messages, m)
	}
}

func readerOf(b []byte, limits Limits) *Reader {
	return NewReader(bufio.NewReader(bytes.NewReader(b)), limits)
}

// describe writes messages so that a difference can be read.
func describe(messages []Message) string {
	var s strings.Builder
	for _, m := range messages {
		start := m.Payload[:min(len(m.Payload), 12)]
		fmt.Fprintf(&s, "\n\t%v csid=%d msid=%d ts=%d %d bytes %x", m.Type, m.ChunkStream, m.Stream, m.Timestamp, len(m.Payload), start)
	}
	return s.String()
}

// sameMessages does not tell an empty payload from none.
func sameMessages(a, b []Message) bool {
	if len(a) != len(b) {
		return false
	}
	for i, m := range a {
		if !bytes.Equal(m.Payload, b[i].Payload) || m.Type != b[i].Type || m.ChunkStream != b[i].ChunkStream ||
			m.Stream != b[i].Stream || m.Timestamp != b[i].Timestamp {
			return false
		}
	}
	return true
}

// partialBytes adds up what the reader holds in incomplete messages.
func partialBytes(r *Reader) int {
	sum := 0
	for _, s := range r.streams {
		sum += cap(s.frame)
	}
	return sum
}

// allocated returns the bytes that f allocated, those freed since included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// errorClass returns which of the errors that a peer may cause err is. It
// panics on any other.
func errorClass(err error) error {
	for _, class := range []error{io.EOF, io.ErrUnexpectedEOF, ErrProtocol, ErrLimit} {
		if errors.Is(err, class) {
			return class
		}
	}
	panic(err)
}
