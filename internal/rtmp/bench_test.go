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

// benchmarkMessage is a video message of an ordinary stream.
func benchmarkMessage() Message { return video(6, 40, fill(10_000)) }

func BenchmarkReadMessage(b *testing.B) {
	for _, chunkSize := range []int{1, 128, 4096, 60000} {
		b.Run(fmt.Sprintf("chunks of %d", chunkSize), func(b *testing.B) {
			stream := AppendMessage(nil, benchmarkMessage(), chunkSize)
			source := bytes.NewReader(binary.BigEndian.AppendUint32(unhex("02 000000 000004 01 00000000"), uint32(chunkSize)))
			r := NewReader(bufio.NewReaderSize(source, 64<<10), AcceptedLimits)
			if _, err := readAll(r); !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			b.SetBytes(10_000)
			b.ReportAllocs()
			for b.Loop() {
				source.Reset(stream)
				if _, err := r.ReadMessage(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m := benchmarkMessage()
	for _, chunkSize := range []int{1, 128, 4096, 60000} {
		b.Run(fmt.Sprintf("chunks of %d", chunkSize), func(b *testing.B) {
			dst := make([]byte, 0, EncodedSize(m, chunkSize))
			b.SetBytes(10_000)
			b.ReportAllocs()
			for b.Loop() {
				dst = AppendMessage(dst[:0], m, chunkSize)
			}
		})
	}
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
