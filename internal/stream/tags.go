package stream

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// tags are chunks laid out as FLV tags, once a viewer wants them so, for all who
// do. The zero value has none yet.
type tags struct{ made atomic.Pointer[[]byte] }

// of returns the tags of chunks, which must be the same at each call. When it makes
// them, the counter, which may be nil, is told what they take. It is safe for
// concurrent use.
func (t *tags) of(chunks []byte, chunkSize int, counter *atomic.Int64) []byte {
	if made := t.made.Load(); made != nil {
		return *made
	}
	made := appendTags(make([]byte, 0, tagsSize(chunks)), chunks, chunkSize)
	if t.made.CompareAndSwap(nil, &made) {
		if counter != nil {
			counter.Add(int64(cap(made)))
		}
		return made
	}
	return *t.made.Load()
}

// The header of the first chunk of a message, behind a basic header of one byte:
// all chunk streams in use are below 64 (RTMP 1.0 section 5.3.1.2.1).
const (
	chunkTimestamp = 1
	chunkType      = 7
	chunkHeader    = 12
	extendedTime   = 0xFFFFFF
)

// tagsSize is about what the tags of one message take, and no less.
func tagsSize(chunks []byte) int {
	return len(chunks) + media.TagHeaderSize + media.BackPointerSize
}

// appendTags appends the messages of chunks as FLV tags, each with its back
// pointer.
func appendTags(dst, chunks []byte, chunkSize int) []byte {
	for len(chunks) > 0 {
		header := chunks
		timestamp := binary.BigEndian.Uint32(header[chunkTimestamp-1:]) & extendedTime
		if timestamp == extendedTime {
			timestamp = binary.BigEndian.Uint32(header[chunkHeader:])
		}
		var payload []byte
		payload, chunks = rtmp.CutMessage(chunks, chunkSize)
		dst = media.AppendTagHeader(dst, media.TagType(header[chunkType]), len(payload), timestamp)
		// Files end the line at 2^31 ms. A live stream goes on to 2^32, as RTMP
		// does, which is where FFmpeg expects it to start over.
		dst[len(dst)-4] = byte(timestamp >> 24)
		dst = append(dst, payload...)
		dst = media.AppendBackPointer(dst, len(payload))
	}
	return dst
}

// Tags is [Cursor.Chunks] in the form of FLV tags, each with its back pointer,
// whose timestamps have all 32 bits. The bytes are shared: nobody may change
// them.
func (c *Cursor) Tags(m *Message) []byte {
	if m.traits&c.refused == 0 {
		return m.tags.of(m.chunks, c.log.chunkSize, m.copies)
	}
	f := m.form(c.capabilities, c.log.chunkSize)
	return f.tags.of(f.chunks, c.log.chunkSize, m.copies)
}

// JoinedTags is [Cursor.Joined] in the form of FLV tags.
func (c *Cursor) JoinedTags() []byte {
	chunks, tags := c.joined()
	if chunks == nil {
		return nil
	}
	return tags.of(chunks, c.log.chunkSize, nil)
}

// Kinds returns which kinds of media the publication has so far, and whether
// that is all for what is known: both have come, or it is not young any more. FLV
// names them in its header.
func (l *Log) Kinds() (audio, video, settled bool) {
	kinds := l.kinds.Load()
	audio, video = kinds&kindBit(media.Audio) != 0, kinds&kindBit(media.Video) != 0
	return audio, video, audio && video || !l.young()
}

// Kinds is [Log.Kinds] of the cursor's log, which is settled as well once it has
// ended.
func (c *Cursor) Kinds() (audio, video, settled bool) {
	ended := c.log.ended.Load()
	audio, video, settled = c.log.Kinds()
	return audio, video, settled || ended
}

// noteKind keeps that there is media of a kind which players can show.
func (l *Log) noteKind(p media.Packet) {
	if p.Type != media.Frame && p.Type != media.SequenceHeader {
		return
	}
	if kinds := l.kinds.Load(); kinds&kindBit(p.Kind) == 0 {
		l.kinds.Store(kinds | kindBit(p.Kind))
	}
}

func kindBit(k media.Kind) uint32 { return 1 << k }
