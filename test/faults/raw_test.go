package faults

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// raw is a connection on which a test writes what it likes.
type raw struct {
	*net.TCPConn
}

// connect opens a connection from a local address, without a handshake. It is
// closed when the test ends.
func (f *fault) connect(from, addr string) (raw, error) {
	conn, err := f.connection(from, addr)
	if err != nil {
		return raw{}, err
	}
	f.Cleanup(func() { _ = conn.Close() })
	return raw{conn}, nil
}

// handshake plays the simple handshake, without looking at what comes.
func (r raw) handshake() error {
	hello := make([]byte, 1+2*1536)
	hello[0] = 3
	if _, err := r.Write(hello); err != nil {
		return err
	}
	_, err := io.ReadFull(r, hello)
	return err
}

// outlived waits for the server to close the connection, reading what it says, and
// returns how long that took. ok is false if it did not do so in time.
func (r raw) outlived(limit time.Duration) (took time.Duration, ok bool) {
	start := time.Now()
	_ = r.SetReadDeadline(start.Add(limit))
	_, err := io.Copy(io.Discard, r)
	return time.Since(start), !errors.Is(err, os.ErrDeadlineExceeded)
}

// reset closes the connection without a word.
func (r raw) reset() {
	_ = r.SetLinger(0)
	_ = r.Close()
}

// header is the start of a chunk of type 0 on chunk stream 3 to 63 (RTMP 1.0
// section 5.3.1), which announces a message of any length.
func header(chunkStream byte, length int, kind rtmp.MessageType, stream uint32) []byte {
	b := []byte{chunkStream, 0, 0, 0, byte(length >> 16), byte(length >> 8), byte(length), byte(kind)}
	return binary.LittleEndian.AppendUint32(b, stream)
}

// whole is a message of at most 128 bytes, which is one chunk.
func whole(chunkStream byte, kind rtmp.MessageType, stream uint32, payload ...byte) []byte {
	return append(header(chunkStream, len(payload), kind, stream), payload...)
}
