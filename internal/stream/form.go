package stream

import (
	"bytes"
	"encoding/binary"
	"sync/atomic"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// maxForms bounds the forms that a message keeps. It stops clients that announce
// ever other sets of codecs from filling the memory with copies of the newest
// group; real ones make a few classes. Viewers beyond it get copies of their own.
const maxForms = 8

// streamIDOffset is where the message stream id stands in the first chunk
// header of a message: behind a basic header of one byte, since all chunk
// streams in use are below 64.
const streamIDOffset = 1 + 7

// form is what the viewers of one class are sent for messages that they cannot
// take as they are.
type form struct {
	class media.Capabilities
	// chunks are what they get, for [PlayStream], and withheld counts the
	// messages of which they get nothing.
	chunks   []byte
	withheld uint64
	// tags are the chunks as FLV tags.
	tags tags
	// next is the form made before, and count how many there are with this one.
	next  *form
	count int
}

// formOverhead is what a form costs beside its bytes.
const formOverhead = 96

// size is what keeping the form takes, at most: its bytes may be those of the
// message.
func (f *form) size() int64 { return formOverhead + int64(cap(f.chunks)) }

// forms are those of a message, or of a run. Each is made when the first viewer
// needs it, and shared.
type forms struct{ newest atomic.Pointer[form] }

// get returns the form for a class, and makes it if there is none: then the
// counter, which may be nil, is told what it takes. It is safe for concurrent use.
func (fs *forms) get(class media.Capabilities, counter *atomic.Int64, lay func() (chunks []byte, withheld uint64)) *form {
	var made *form
	for {
		newest := fs.newest.Load()
		for f := newest; f != nil; f = f.next {
			if f.class == class {
				return f
			}
		}
		if made == nil {
			made = &form{class: class, count: 1}
			made.chunks, made.withheld = lay()
		}
		if newest != nil {
			made.next, made.count = newest, newest.count+1
		}
		if made.count > maxForms {
			made.next = nil
			return made
		}
		if fs.newest.CompareAndSwap(newest, made) {
			if counter != nil {
				counter.Add(made.size())
			}
			return made
		}
	}
}

// form returns the bytes for a viewer that does not take the message as it is;
// chunkSize is that of the log.
func (m *Message) form(viewer media.Capabilities, chunkSize int) *form {
	class := viewer.For(m.traits)
	return m.forms.get(class, m.copies, func() ([]byte, uint64) {
		chunks := m.adapt(class, chunkSize)
		if len(chunks) == 0 {
			return nil, 1
		}
		return chunks, 0
	})
}

// adapt lays out what viewers of a class get. The payload is not kept beside the
// chunks: it is taken back from them, for those few.
func (m *Message) adapt(class media.Capabilities, chunkSize int) (chunks []byte) {
	payload, _ := rtmp.CutMessage(m.chunks, chunkSize)
	payloads := class.Adapt(mediaKind(m.Type), payload)
	if len(payloads) == 1 && same(payloads[0], payload) {
		return m.chunks
	}
	for _, p := range payloads {
		chunks = rtmp.AppendMessage(chunks, rtmp.Message{
			Type:        m.Type,
			ChunkStream: rtmp.ChunkStreamFor(m.Type),
			Stream:      PlayStream,
			Timestamp:   m.Timestamp,
			Payload:     p,
		}, chunkSize)
	}
	return chunks
}

// same reports whether two slices are one, and not only equal.
func same(a, b []byte) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

func mediaKind(t rtmp.MessageType) media.Kind {
	if t == rtmp.TypeAudio {
		return media.Audio
	}
	return media.Video
}

// readdress returns a copy of chunks, one message or several, for another
// message stream than [PlayStream].
func readdress(chunks []byte, stream uint32, chunkSize int) []byte {
	chunks = bytes.Clone(chunks)
	for rest := chunks; len(rest) > 0; _, rest = rtmp.CutMessage(rest, chunkSize) {
		binary.LittleEndian.PutUint32(rest[streamIDOffset:], stream)
	}
	return chunks
}
