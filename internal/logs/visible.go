package logs

import (
	"bytes"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
)

// visible writes lines with the characters escaped that a terminal obeys rather than
// shows: U+009B begins what ESC [ begins, and U+202E turns a line around. JSON lets
// them be (RFC 8259 section 7), and so does slog.JSONHandler; slog.TextHandler quotes
// all but U+007F.
type visible struct{ out io.Writer }

// Write implements io.Writer. Such characters are in strings only, where both formats
// have this escape.
func (v visible) Write(line []byte) (int, error) {
	if bytes.IndexFunc(line, hidden) < 0 {
		return v.out.Write(line)
	}
	escaped := make([]byte, 0, 2*len(line))
	for _, r := range string(line) {
		if !hidden(r) {
			escaped = append(escaped, string(r)...)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	if _, err := v.out.Write(escaped); err != nil {
		return 0, err
	}
	return len(line), nil
}

// hidden leaves out those below U+0020, which slog escapes, or which end the line.
func hidden(r rune) bool { return r >= 0x7F && !unicode.IsPrint(r) }
