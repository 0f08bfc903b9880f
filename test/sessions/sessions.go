// Package sessions holds what real clients sent in whole sessions, from the
// first byte of the handshake on, as seeds for the fuzz targets. One file is one
// session of one program, cut off at 24 KiB; go run ./test/sessions/capture
// records all of them again.
package sessions

import (
	"embed"
	"io/fs"
	"testing"
)

//go:embed testdata/*.rtmp
var recorded embed.FS

// Shaken is the length of C0, C1 and C2, behind which the chunks begin.
const Shaken = 1 + 2*1536

// All returns the sessions.
func All(tb testing.TB) [][]byte {
	tb.Helper()
	names, err := fs.Glob(recorded, "testdata/*.rtmp")
	if err != nil {
		tb.Fatal(err)
	}
	all := make([][]byte, 0, len(names))
	for _, name := range names {
		b, err := recorded.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		if len(b) <= Shaken {
			tb.Fatalf("%s ends within the handshake", name)
		}
		all = append(all, b)
	}
	return all
}
