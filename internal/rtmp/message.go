package rtmp

import "strconv"

// MessageType is the type field of a message header (RTMP 1.0 sections 5.4,
// 6.2 and 7.1).
type MessageType uint8

// The message types in use. All others are read and dropped.
const (
	TypeSetChunkSize     MessageType = 1
	TypeAbort            MessageType = 2
	TypeAcknowledgement  MessageType = 3
	TypeUserControl      MessageType = 4
	TypeWindowAckSize    MessageType = 5
	TypeSetPeerBandwidth MessageType = 6
	TypeAudio            MessageType = 8
	TypeVideo            MessageType = 9
	TypeDataAMF3         MessageType = 15
	TypeCommandAMF3      MessageType = 17
	TypeData             MessageType = 18
	TypeCommand          MessageType = 20
	TypeAggregate        MessageType = 22
)

// typeNames has a name for the known types only. It is no map since it is asked
// for every chunk.
var typeNames = [256]string{
	TypeSetChunkSize:     "SetChunkSize",
	TypeAbort:            "Abort",
	TypeAcknowledgement:  "Acknowledgement",
	TypeUserControl:      "UserControl",
	TypeWindowAckSize:    "WindowAckSize",
	TypeSetPeerBandwidth: "SetPeerBandwidth",
	TypeAudio:            "Audio",
	TypeVideo:            "Video",
	TypeDataAMF3:         "DataAMF3",
	TypeCommandAMF3:      "CommandAMF3",
	TypeData:             "Data",
	TypeCommand:          "Command",
	TypeAggregate:        "Aggregate",
}

// Known reports whether the payload of such a message is of use to this
// package. A [Reader] drains the payload of all others without keeping it.
func (t MessageType) Known() bool { return typeNames[t] != "" }

func (t MessageType) String() string {
	if t.Known() {
		return typeNames[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// Chunk stream ids that this package writes. Any id from 3 upwards is legal;
// all of these fit the one-byte header, the only one FFmpeg writes and some
// clients read.
const (
	ChunkStreamControl = 2
	ChunkStreamCommand = 3
	ChunkStreamAudio   = 4
	ChunkStreamStatus  = 5
	ChunkStreamVideo   = 6
	ChunkStreamData    = 8
)

// MaxMessageSize is the longest message that the 24-bit length field can
// announce.
const MaxMessageSize = 1<<24 - 1

// Message is one complete RTMP message.
type Message struct {
	Type MessageType
	// ChunkStream is the chunk stream id it travels on.
	ChunkStream uint32
	// Stream is the message stream id; 0 is the connection itself.
	Stream uint32
	// Timestamp is in milliseconds, modulo 2^32.
	Timestamp uint32
	Payload   []byte

	// frame is the memory that a [Reader] put the payload into: headroom bytes
	// for a header, and then the payload. It is nil for messages that were not
	// read, and for the parts of an aggregate.
	frame []byte
}

// headroom is the room in front of a payload that was read. It holds the
// longest header of a message on a chunk stream below 64, as are all that this
// package writes, and keeps the payload aligned.
const headroom = 1 + 11 + 4

// ChunkStreamFor returns the chunk stream on which this package sends a media
// or data message.
func ChunkStreamFor(t MessageType) uint32 {
	switch t {
	case TypeAudio:
		return ChunkStreamAudio
	case TypeVideo:
		return ChunkStreamVideo
	default:
		return ChunkStreamData
	}
}
