package rtmp

// Limits is what one peer may make a [Reader] hold.
type Limits struct {
	// Partial is the most memory for incomplete messages, over all chunk
	// streams together: their payloads, and a few bytes for the header that
	// EncodeMessage writes. It stops the peer that opens many messages and
	// finishes none.
	Partial int
	// Upfront is the most memory set aside for a message when its header
	// arrives, unless the peer has sent a longer one before; from there the
	// buffer grows with the bytes that really come. It stops the peer that
	// announces 16 MiB and sends one byte.
	Upfront int
	// Command, Data, Audio and Video are the longest payloads of each kind;
	// longer ones are refused at their header. Video holds for aggregates
	// too.
	Command, Data, Audio, Video int
}

// UnacceptedLimits holds for a connection that has neither been allowed to
// publish nor to play: room for every command a real client sends, and not
// worth flooding.
var UnacceptedLimits = Limits{
	Partial: headroom + 64<<10,
	Upfront: 1 << 10,
	Command: 64 << 10,
	Data:    64 << 10,
	Audio:   64 << 10,
	Video:   64 << 10,
}

// AcceptedLimits holds once a publish or play was accepted. Keyframes of 4K
// streams pass 1 MiB regularly, so video gets all that the wire can carry.
var AcceptedLimits = Limits{
	Partial: headroom + 16<<20,
	Upfront: 16 << 10,
	Command: 64 << 10,
	Data:    1 << 20,
	Audio:   1 << 20,
	Video:   MaxMessageSize,
}

const (
	// MaxChunkStreams is how many chunk streams of one peer may have state. It
	// stops the peer that touches all 65,597 ids. FFmpeg uses 5, OBS 3.
	MaxChunkStreams = 64

	// maxShown bounds what is set aside for a message because the peer has sent
	// one as long before. It stops the peer that sends 16 MiB once and then
	// holds as much with one byte, on a thousand connections.
	maxShown = 1 << 20

	// maxControlPayload is the longest protocol control message; the longest
	// that exists is the SWF verification response of 44 bytes.
	maxControlPayload = 64
)

// payload returns the longest payload of a message of type t.
func (l Limits) payload(t MessageType) int {
	switch t {
	case TypeSetChunkSize, TypeAbort, TypeAcknowledgement, TypeUserControl, TypeWindowAckSize, TypeSetPeerBandwidth:
		return maxControlPayload
	case TypeAudio:
		return l.Audio
	case TypeVideo, TypeAggregate:
		return l.Video
	case TypeData, TypeDataAMF3:
		return l.Data
	case TypeCommand, TypeCommandAMF3:
		return l.Command
	default:
		return MaxMessageSize // drained, never held
	}
}
