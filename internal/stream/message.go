package stream

import (
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// PlayStream is the message stream id for which messages are laid out: the one
// that every client gets from its first createStream.
const PlayStream = 1

// messageOverhead is what a message costs beside its bytes. Counting it bounds
// the log against a publisher that sends a hundred thousand one-byte frames a
// second.
const messageOverhead = 256

// Message is one immutable message of a log. All viewers share it.
type Message struct {
	next atomic.Pointer[Message]

	// sequence and position count the messages and the bytes of the log up to
	// and with this message.
	sequence uint64
	position uint64
	// arrival is when the publisher's message was read, on the clock of the
	// log's owner.
	arrival time.Duration
	chunks  []byte

	// Timestamp is that of the publisher, in milliseconds modulo 2^32, unless
	// the log had to mend it.
	Timestamp uint32
	// Type is rtmp.TypeAudio, TypeVideo or TypeData.
	Type rtmp.MessageType
	// packet is media.Metadata for onMetaData, too.
	packet media.PacketType
	// starts marks the frames at which a viewer may start with their track, and
	// groupStart those of the track that the log cuts its groups at.
	starts, groupStart bool
	// traits are what it asks of a viewer.
	traits media.Traits
	// track is the id of the only track; several says that there are more.
	track   uint8
	several bool
	// forms are what viewers that cannot take the message are sent instead, and
	// copies counts what they take, together with those of the message's group. It
	// is nil for messages that are in no log.
	forms  forms
	copies *atomic.Int64
	// tags are the chunks as FLV tags.
	tags tags
}

// newMessage lays out m for players. It takes the payload over, which may still
// be read: see [rtmp.EncodeMessage].
func newMessage(m rtmp.Message, chunkSize int) *Message {
	m.Stream = PlayStream
	m.ChunkStream = rtmp.ChunkStreamFor(m.Type)
	return &Message{
		chunks:    rtmp.EncodeMessage(m, chunkSize),
		Timestamp: m.Timestamp,
		Type:      m.Type,
	}
}

// atZero returns a copy with the timestamp 0.
func (m *Message) atZero(chunkSize int) *Message {
	payload, _ := rtmp.CutMessage(m.chunks, chunkSize)
	zero := newMessage(rtmp.Message{Type: m.Type, Payload: payload}, chunkSize)
	zero.packet = m.packet
	return zero
}

// Chunks returns the message as RTMP chunks for message stream [PlayStream].
// The bytes are shared: nobody may change them.
func (m *Message) Chunks() []byte { return m.chunks }

// tracks returns the video tracks of a message as a set of bits, the ids from 63
// on as one. A message with several counts as one of all tracks: any of them may
// be in it.
func (m *Message) tracks() uint64 {
	if m.several {
		return ^uint64(0)
	}
	return 1 << min(m.track, 63)
}
