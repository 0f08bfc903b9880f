package rtmp

import (
	"encoding/binary"
	"fmt"
)

// DefaultWindow is the acknowledgement window, in bytes, that is assumed for peers
// that announce none.
const DefaultWindow = 2_500_000

// UserEvent is the kind of a User Control message (RTMP 1.0 section 7.1.7).
type UserEvent uint16

// The user control events in use; all others are ignored.
const (
	EventStreamBegin     UserEvent = 0
	EventStreamEOF       UserEvent = 1
	EventStreamDry       UserEvent = 2
	EventSetBufferLength UserEvent = 3
	EventStreamRecorded  UserEvent = 4
	EventPingRequest     UserEvent = 6
	EventPingResponse    UserEvent = 7
)

// LimitDynamic is the limit type of a Set Peer Bandwidth message that servers
// send (RTMP 1.0 section 5.4.5).
const LimitDynamic = 2

func control(t MessageType, payload []byte) Message {
	return Message{Type: t, ChunkStream: ChunkStreamControl, Payload: payload}
}

func controlUint32(t MessageType, v uint32) Message {
	return control(t, binary.BigEndian.AppendUint32(nil, v))
}

// SetChunkSize announces that the chunks which follow are at most size bytes.
func SetChunkSize(size uint32) Message { return controlUint32(TypeSetChunkSize, size) }

// Abort tells the peer to forget the incomplete message on a chunk stream.
func Abort(chunkStream uint32) Message { return controlUint32(TypeAbort, chunkStream) }

// Acknowledgement tells the peer how many bytes arrived, modulo 2^32.
func Acknowledgement(received uint32) Message {
	return controlUint32(TypeAcknowledgement, received)
}

// WindowAckSize asks the peer to acknowledge every window bytes.
func WindowAckSize(window uint32) Message { return controlUint32(TypeWindowAckSize, window) }

// SetPeerBandwidth asks the peer to keep at most window bytes unacknowledged.
func SetPeerBandwidth(window uint32, limit byte) Message {
	return control(TypeSetPeerBandwidth, append(binary.BigEndian.AppendUint32(nil, window), limit))
}

// UserControl is a user control message with 32-bit values: a message stream
// id, a time, or a stream id and a buffer length in milliseconds.
func UserControl(event UserEvent, values ...uint32) Message {
	payload := binary.BigEndian.AppendUint16(nil, uint16(event))
	for _, v := range values {
		payload = binary.BigEndian.AppendUint32(payload, v)
	}
	return control(TypeUserControl, payload)
}

// ParseUint32 returns the value of a Set Chunk Size, Abort, Acknowledgement,
// Window Acknowledgement Size or Set Peer Bandwidth message. Longer payloads
// are tolerated.
func ParseUint32(m Message) (uint32, error) {
	if len(m.Payload) < 4 {
		return 0, fmt.Errorf("%v message of %d bytes: %w", m.Type, len(m.Payload), ErrProtocol)
	}
	return binary.BigEndian.Uint32(m.Payload), nil
}

// ParseUserControl returns the event of a User Control message and the first
// value of it. Clients send events that nobody documented, of any length: ok is
// false for those that are to be ignored.
func ParseUserControl(m Message) (event UserEvent, value uint32, ok bool) {
	if len(m.Payload) < 6 {
		return 0, 0, false
	}
	return UserEvent(binary.BigEndian.Uint16(m.Payload)), binary.BigEndian.Uint32(m.Payload[2:]), true
}

// minWindow is the smallest acknowledgement window that is honoured. It stops
// the peer that asks for an answer to every byte.
const minWindow = 4 << 10

// AckWindow decides when an Acknowledgement is due. The zero value assumes
// [DefaultWindow]: Flash-era encoders and Wirecast stall without
// acknowledgements although they never announce a window.
type AckWindow struct {
	window uint64
	acked  uint64
}

// Set takes the window that the peer announced; 0 is ignored.
func (a *AckWindow) Set(window uint32) {
	if window > 0 {
		a.window = max(uint64(window), minWindow)
	}
}

// Due reports whether an acknowledgement is due now that received bytes
// arrived in all, and the sequence number for it, which wraps at 2^32. It asks
// for one every half window, so that a peer which waits never waits long.
func (a *AckWindow) Due(received uint64) (sequence uint32, due bool) {
	window := a.window
	if window == 0 {
		window = DefaultWindow
	}
	if received-a.acked < window/2 {
		return 0, false
	}
	a.acked = received
	return uint32(received), true
}
