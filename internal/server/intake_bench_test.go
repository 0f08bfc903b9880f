package server

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// BenchmarkIntake reads messages that come over the loopback interface as fast
// as it takes them: it is the cost of a publisher without what the log costs.
// One buffer of 64 KiB for good is what there is to compare with.
func BenchmarkIntake(b *testing.B) {
	for _, size := range []int{500, 10_000, 100_000} {
		for _, chunkSize := range []int{128, 4096, 60000} {
			b.Run(fmt.Sprintf("%dB/chunks of %d", size, chunkSize), func(b *testing.B) {
				m := rtmp.Message{Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: make([]byte, size)}
				eachIntake(b, func(b *testing.B, in *intake, _ *journey, client, _ *net.TCPConn) {
					benchmarkMessages(b, in, client, m, chunkSize)
				})
				b.Run("bufio", func(b *testing.B) {
					client, server := tcpPair(b)
					benchmarkMessages(b, bufio.NewReaderSize(server, 64<<10), client, m, chunkSize)
				})
			})
		}
	}
}

func benchmarkMessages(b *testing.B, in rtmp.Source, client net.Conn, m rtmp.Message, chunkSize int) {
	b.Helper()
	r := rtmp.NewReader(in, rtmp.AcceptedLimits)
	if _, err := client.Write(rtmp.AppendMessage(nil, rtmp.SetChunkSize(uint32(chunkSize)), rtmp.DefaultChunkSize)); err != nil {
		b.Fatal(err)
	}
	if _, err := r.ReadMessage(); err != nil {
		b.Fatal(err)
	}
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		var batch []byte
		for len(batch) < 64<<10 {
			batch = rtmp.AppendMessage(batch, m, chunkSize)
		}
		for {
			if _, err := client.Write(batch); err != nil {
				return
			}
		}
	}()
	b.SetBytes(int64(len(m.Payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadMessage(); err != nil {
			b.Fatal(err)
		}
	}
	_ = client.Close()
	<-sender
}

// BenchmarkWriteAndRead has the bytes of each read come in one write just before
// it: there is never more, as with a live stream at its own pace.
func BenchmarkWriteAndRead(b *testing.B) {
	for _, size := range []int{200, 10_000} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			eachIntake(b, func(b *testing.B, in *intake, _ *journey, client, _ *net.TCPConn) {
				sent := make([]byte, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := client.Write(sent); err != nil {
						b.Fatal(err)
					}
					if _, err := in.Discard(size); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
