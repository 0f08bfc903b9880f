package hook

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// maxRecord bounds a line of the journal in bytes. It stops files that are no journal from filling the memory.
const maxRecord = 64 << 10

// The kinds of records.
const (
	opStart = "start"
	opStop  = "stop"
)

// record is one line of the journal: eight hexadecimal digits of the CRC-32C of what follows them and a space, which is the record as
// JSON. JSON has no line ends inside, so whatever happened to a line, the next one can be read.
type record struct {
	Op  string `json:"op"`
	Seq uint64 `json:"seq"`

	// Only a start has these; a stop refers to it by its number.
	Channel  string     `json:"channel,omitempty"`
	Key      string     `json:"key,omitempty"`
	Client   netip.Addr `json:"client,omitzero"`
	StreamID string     `json:"stream_id,omitempty"`
}

func startRecord(seq uint64, s session) record {
	return record{Op: opStart, Seq: seq, Channel: s.Channel, Key: s.Key, Client: s.Client, StreamID: s.streamID}
}

func stopRecord(seq uint64) record { return record{Op: opStop, Seq: seq} }

func (r record) session() session {
	return session{access.Request{Channel: r.Channel, Key: r.Key, Client: r.Client}, r.StreamID}
}

var (
	errLongRecord = errors.New("record is too long")
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
)

// crcLength is that of the checksum and the space after it.
const crcLength = 9

// encode returns the line of r, with its end.
func (r record) encode() ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	if crcLength+len(text)+1 > maxRecord {
		return nil, errLongRecord
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.Checksum(text, castagnoli), text), nil
}

// decode reads a line, with or without its end. It is not ok if the line is not as encode wrote it.
func decode(line []byte) (r record, ok bool) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if len(line) < crcLength || !bytes.Equal(line[:crcLength], fmt.Appendf(nil, "%08x ", crc32.Checksum(line[crcLength:], castagnoli))) {
		return record{}, false
	}
	if err := json.Unmarshal(line[crcLength:], &r); err != nil {
		return record{}, false
	}
	switch r.Op {
	case opStart:
		ok = validStreamID(r.StreamID) && len(r.StreamID) <= maxStreamID
	case opStop:
		ok = true
	}
	return r, ok
}

// readRecords reads a journal and returns the starts without a stop, in any order, and the number of lines that
// cannot be read. The error is that of from.
func readRecords(from io.Reader) (open []record, skipped int, err error) {
	lines := bufio.NewReaderSize(from, maxRecord)
	started := make(map[uint64]record)
	for overlong := false; ; {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			overlong = true
			continue
		}
		if len(line) > 0 || overlong {
			r, ok := decode(line)
			switch {
			case overlong || !ok:
				skipped++
			case r.Op == opStart:
				started[r.Seq] = r
			default:
				delete(started, r.Seq)
			}
			overlong = false
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, skipped, err
		}
	}
	for _, r := range started {
		open = append(open, r)
	}
	return open, skipped, nil
}
