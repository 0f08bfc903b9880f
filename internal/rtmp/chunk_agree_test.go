package rtmp

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/sessions"
)

var modelSeeds = []string{
	"",
	"04 00 05 00 01 00",             // one message of type 0
	"09 10 FF 01 09 06 14 0B 0A 05", // types 1, 2 and 3 on a fresh stream
	"0C 83 FF 01 01 02 0C 10 82 90 00 0F 10 0F 0F",   // two messages interleaved, extended
	"E0 02 08 C5 7F 01 01 01 08 E1 02 08 0B 00 0B",   // chunk size, then an abort
	"E4 00 08 1A 0C 01 01 01 0B 0B 0B 0B 0B 0B 0B",   // chunk size 1
	"10 45 30 01 01 01 13 13 13 14 45 30 01 01 01",   // two-byte ids in both forms
	"1C C4 FF 04 01 01 1F 1F 1D C5 90 04 1F 1E 86",   // three-byte ids, drained
	"08 1A 02 00 01 01 0B 0B 08 E9 02 00 01 01 0B",   // timestamps that type 3 repeats
	"0C 85 10 01 01 01 0E 84 0F 0D 83 10 01 0F 0F0F", // deltas around the wrap
}

// Two readers of the same specification, written apart, must agree on streams
// that follow it.
func FuzzReaderAgreesWithTheModel(f *testing.F) {
	for _, seed := range modelSeeds {
		f.Add(unhex(seed))
	}
	random := rand.NewChaCha8([32]byte{})
	for range 200 {
		seed := make([]byte, 100)
		if _, err := random.Read(seed); err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		stream := modelEncode(in)
		if failure := agree(t, stream, AcceptedLimits); !errors.Is(failure, io.EOF) {
			t.Errorf("%x: failed with %v", stream, failure)
		}
	})
}

// maxModelInput keeps executions short, and what a Reader holds below
// Limits.Partial, which the model does not know of.
const maxModelInput = 48 << 10

// The two readers must agree on anything else as well: on the messages, on the
// failure, and on the byte that it is found at.
func FuzzReaderFailsLikeTheModel(f *testing.F) {
	for _, c := range allReadCases() {
		if len(c.wire) <= maxModelInput {
			f.Add(c.wire, c.limits == tightLimits)
		}
	}
	whole := bytes.Join(sessionChunks(), nil)
	f.Add(whole, true)
	f.Add(whole[:len(whole)-1], false)
	for _, session := range sessions.All(f) {
		f.Add(session[sessions.Shaken:], false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, tight bool) {
		limits := AcceptedLimits
		if tight {
			limits = tightLimits
			limits.Partial = AcceptedLimits.Partial
		}
		stream = stream[:min(len(stream), maxModelInput)]
		_ = agree(t, stream, limits)
	})
}

// agree has both readers read the stream, and returns the failure that the model
// ends with.
func agree(t *testing.T, stream []byte, limits Limits) error {
	t.Helper()
	want, failure := modelDecode(stream, limits)
	r := readerOf(stream, limits)
	got, err := readAll(r)
	if !sameMessages(got, want.messages) {
		t.Errorf("%x:\ngot%s\nwant%s\nthen %v and %v", stream, describe(got), describe(want.messages), err, failure)
	}
	if class := errorClass(err); !errors.Is(class, failure) {
		t.Errorf("%x: failed with %v, want %v", stream, err, failure)
	}
	if r.Received() != uint64(want.received) || r.Chunks() != uint64(want.chunks) {
		t.Errorf("%x: %v at byte %d and chunk %d, want %d and %d",
			stream, err, r.Received(), r.Chunks(), want.received, want.chunks)
	}
	if held := partialBytes(r); r.held != held {
		t.Errorf("%x: counts %d bytes of incomplete messages, holds %d", stream, r.held, held)
	}
	return failure
}
