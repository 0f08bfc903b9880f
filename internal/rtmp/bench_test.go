package rtmp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
)

// benchmarkSizes are those of a sound frame, of a picture in an ordinary stream,
// and of a keyframe.
var (
	benchmarkSizes      = []int{500, 10_000, 100_000}
	benchmarkChunkSizes = []int{128, 4096, 60000}
)

// benchmarkEach runs f for messages of each size in chunks of each size, and in
// the smallest chunks that there are.
func benchmarkEach(b *testing.B, f func(b *testing.B, m Message, chunkSize int)) {
	run := func(size, chunkSize int) {
		b.Run(fmt.Sprintf("%dB/chunks of %d", size, chunkSize), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			f(b, video(6, 40, fill(size)), chunkSize)
		})
	}
	for _, size := range benchmarkSizes {
		for _, chunkSize := range benchmarkChunkSizes {
			run(size, chunkSize)
		}
	}
	run(10_000, 1)
}

// benchmarkReader returns a function that reads a message over and over.
func benchmarkReader(b *testing.B, m Message, chunkSize int) func() Message {
	stream := AppendMessage(nil, m, chunkSize)
	source := bytes.NewReader(binary.BigEndian.AppendUint32(unhex("02 000000 000004 01 00000000"), uint32(chunkSize)))
	r := NewReader(bufio.NewReaderSize(source, 64<<10), AcceptedLimits)
	if _, err := readAll(r); !errors.Is(err, io.EOF) {
		b.Fatal(err)
	}
	return func() Message {
		source.Reset(stream)
		m, err := r.ReadMessage()
		if err != nil {
			b.Fatal(err)
		}
		return m
	}
}

func BenchmarkReadMessage(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, m Message, chunkSize int) {
		read := benchmarkReader(b, m, chunkSize)
		for b.Loop() {
			read()
		}
	})
}

func BenchmarkAppendMessage(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, m Message, chunkSize int) {
		dst := make([]byte, 0, EncodedSize(m, chunkSize))
		for b.Loop() {
			dst = AppendMessage(dst[:0], m, chunkSize)
		}
	})
}

// BenchmarkReencode is all that happens to the bytes of a message on their way
// from the read buffer into a log: chunks come in as the publisher likes them,
// and leave in the default size of the server.
func BenchmarkReencode(b *testing.B) {
	benchmarkEach(b, func(b *testing.B, m Message, chunkSize int) {
		read := benchmarkReader(b, m, chunkSize)
		for b.Loop() {
			EncodeMessage(read(), 60000)
		}
	})
}

func BenchmarkParseCommand(b *testing.B) {
	m := ConnectResult(1, 0)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCommand(m); err != nil {
			b.Fatal(err)
		}
	}
}
