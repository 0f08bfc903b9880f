package media

import (
	"encoding/hex"
	"fmt"
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

// field, ue and se write one field of a bit stream as text; packBits makes bytes of such texts.
func field(width int, v uint64) string { return fmt.Sprintf("%0*b", width, v) }

func ue(v uint64) string {
	code := field(1, v+1)
	return strings.Repeat("0", len(code)-1) + code
}

func se(v int) string {
	if v > 0 {
		return ue(uint64(2*v - 1))
	}
	return ue(uint64(-2 * v))
}

func packBits(fields ...string) []byte {
	bits := strings.Join(fields, "")
	out := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		if bit == '1' {
			out[i/8] |= 0x80 >> (i % 8)
		}
	}
	return out
}

// concat joins slices into new memory.
func concat(parts ...[]byte) []byte {
	var out []byte
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// exact returns a copy whose capacity ends with its length, so that reading on is a panic.
func exact(b []byte) []byte {
	out := make([]byte, len(b))
	copy(out, b)
	return out[:len(out):len(out)]
}

// same tells whether a and b are the same memory.
func same(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
