package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// web is the way over which a player plays FLV.
type web uint8

const (
	webNone   web = iota // RTMP
	webHTTP              // the body of a GET
	webSocket            // binary messages
)

var (
	errAnswer = errors.New("the server answered")
	errFLV    = errors.New("the server does not send FLV")
)

// maxAnswer is the longest header of an answer. It stops a server from making
// thousands of players hold what it likes.
const maxAnswer = 8 << 10

// webParser finds the tags in an answer that comes in pieces of any size.
type webParser struct {
	socket bool
	chunks bool   // the body comes in chunks
	answer []byte // the header of the answer, nil once it is complete
	skip   int    // of what is not looked at: back pointers, the rest of payloads

	frame []byte // the header of a frame
	left  int    // of the payload of a frame, which is media if it is not aside
	aside bool

	header [media.TagHeaderSize]byte // of FLV, or of a tag
	begun  int
	opened bool // the header of FLV has come
	head   []byte
	want   int // of head
}

// request appends what asks for the stream, and forgets what was.
func (w *webParser) request(t *target, out []byte) []byte {
	*w = webParser{socket: t.web == webSocket, answer: make([]byte, 0, 512), head: w.head[:0]}
	out = fmt.Appendf(out, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: rtmp-server bench\r\n", t.name, t.addr)
	if w.socket {
		// The key says only that the server has understood (RFC 6455 section 1.3).
		out = append(out, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
			"Sec-WebSocket-Key: cnRtcC1zZXJ2ZXIgYmVuYw==\r\n"...)
	}
	return append(out, "\r\n"...)
}

// feed takes what was read, and hands over each message.
func (w *webParser) feed(in []byte, take func(arrival)) error {
	if w.answer != nil {
		var err error
		if in, err = w.read(in); err != nil || w.answer != nil {
			return err
		}
	}
	if !w.socket && !w.chunks {
		return w.tags(in, take)
	}
	header := w.frameHeader
	if w.chunks {
		header = w.chunkHeader
	}
	for len(in) > 0 {
		if w.left == 0 {
			var err error
			if in, err = header(in); err != nil || w.left == 0 {
				if err != nil || len(in) == 0 {
					return err
				}
				continue
			}
		}
		n := min(w.left, len(in))
		if !w.aside {
			if err := w.tags(in[:n], take); err != nil {
				return err
			}
		}
		w.left -= n
		in = in[n:]
	}
	return nil
}

// read takes the header of the answer, and returns what is behind it.
func (w *webParser) read(in []byte) ([]byte, error) {
	before := len(w.answer)
	w.answer = append(w.answer, in[:min(len(in), maxAnswer-before)]...)
	end := bytes.Index(w.answer, []byte("\r\n\r\n"))
	if end < 0 {
		if len(w.answer) == maxAnswer {
			return nil, fmt.Errorf("%w with a header without end", errAnswer)
		}
		return nil, nil
	}
	line, _, _ := bytes.Cut(w.answer, []byte("\r\n"))
	want := " 200 "
	if w.socket {
		want = " 101 "
	}
	if !bytes.Contains(line, []byte(want)) {
		return nil, fmt.Errorf("%w: %s", errAnswer, line)
	}
	w.chunks = bytes.Contains(bytes.ToLower(w.answer[:end]), []byte("transfer-encoding: chunked"))
	w.answer = nil
	return in[end+4-before:], nil
}

// frameHeader takes the header of a WebSocket frame, as far as it is there.
func (w *webParser) frameHeader(in []byte) ([]byte, error) {
	for len(w.frame) < frameHeaderSize(w.frame) {
		if len(in) == 0 {
			return nil, nil
		}
		w.frame = append(w.frame, in[0])
		in = in[1:]
	}
	switch len(w.frame) {
	case 2:
		w.left = int(w.frame[1] & 0x7F)
	case 4:
		w.left = int(binary.BigEndian.Uint16(w.frame[2:]))
	default:
		w.left = int(binary.BigEndian.Uint64(w.frame[2:]) & (1<<40 - 1))
	}
	code := w.frame[0] & 0x0F
	w.frame = w.frame[:0]
	if code == 8 {
		return nil, fmt.Errorf("%w: closed the WebSocket", errAnswer)
	}
	w.aside = code > 8
	return in, nil
}

// maxLine is the longest line before a chunk.
const maxLine = 64

// chunkHeader takes the line with the size of a chunk, as far as it is there, or
// the end of line behind one.
func (w *webParser) chunkHeader(in []byte) ([]byte, error) {
	line, rest, whole := bytes.Cut(in, []byte("\n"))
	if len(w.frame)+len(line) > maxLine {
		return nil, fmt.Errorf("%w with a chunk without a size", errAnswer)
	}
	w.frame = append(w.frame, line...)
	if !whole {
		return nil, nil
	}
	text := bytes.TrimRight(w.frame, "\r")
	w.frame = w.frame[:0]
	if len(text) == 0 {
		return rest, nil
	}
	size, err := strconv.ParseUint(string(text), 16, 31)
	if err != nil || size == 0 {
		return nil, fmt.Errorf("%w: the body ends with chunk %q", errAnswer, text)
	}
	w.left = int(size)
	return rest, nil
}

// frameHeaderSize returns how long the header is that begins so.
func frameHeaderSize(begun []byte) int {
	switch {
	case len(begun) < 2 || begun[1] < 126:
		return 2
	case begun[1] == 126:
		return 4
	default:
		return 10
	}
}

// tags takes bytes of FLV.
func (w *webParser) tags(in []byte, take func(arrival)) error {
	for len(in) > 0 {
		switch {
		case w.skip > 0:
			n := min(w.skip, len(in))
			w.skip -= n
			in = in[n:]
		case w.want > 0:
			n := min(w.want, len(in))
			w.head = append(w.head, in[:n]...)
			w.want -= n
			in = in[n:]
			if w.want == 0 {
				w.deliver(take)
			}
		default:
			size := media.TagHeaderSize
			if !w.opened {
				size = media.FLVHeaderSize
			}
			n := copy(w.header[w.begun:size], in)
			w.begun += n
			in = in[n:]
			if w.begun == size {
				w.begun = 0
				if err := w.begin(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// begin starts the tag whose header is complete, or the file.
func (w *webParser) begin() error {
	if !w.opened {
		if string(w.header[:3]) != "FLV" {
			return errFLV
		}
		w.opened, w.skip = true, media.BackPointerSize
		return nil
	}
	w.head = w.head[:0]
	w.want = min(w.length(), headSize)
	if w.want == 0 {
		w.skip = media.BackPointerSize
	}
	return nil
}

func (w *webParser) length() int {
	return int(w.header[1])<<16 | int(w.header[2])<<8 | int(w.header[3])
}

// deliver hands over the tag whose head is complete, and passes over the rest.
func (w *webParser) deliver(take func(arrival)) {
	take(arrival{kind: rtmp.MessageType(w.header[0]), length: uint32(w.length()), payload: w.head})
	w.skip = w.length() - len(w.head) + media.BackPointerSize
}

// feedWeb is [player.feed] for players over HTTP. They have joined with the first
// message.
func (p *player) feedWeb(now int64, in []byte, t *tally) error {
	p.received += uint64(len(in))
	return p.web.feed(in, func(m arrival) {
		if m.kind == rtmp.TypeAudio || m.kind == rtmp.TypeVideo {
			p.joined = true
			t.media(now, &p.progress, m)
		}
	})
}
