package stream

import (
	"bytes"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

const (
	// maxTracks bounds the tracks of one kind whose headers are kept. It stops
	// the publisher that sends headers for 256 tracks.
	maxTracks = 16
	// maxHeaderBytes bounds all headers of a log together. They are laid out
	// anew at each keyframe: it stops the publisher that sends headers of
	// megabytes and then tiny keyframes.
	maxHeaderBytes = 256 << 10
)

// header is what a newcomer needs to know before the frames of one track, or of
// all: the metadata, of type rtmp.TypeData.
type header struct {
	kind  rtmp.MessageType
	track uint8
	// packet is SequenceHeader, or ChannelConfig or Metadata, which complete
	// it and travel behind it.
	packet  media.PacketType
	traits  media.Traits
	payload []byte
}

// compare orders headers for newcomers: the metadata, then track by track, the
// picture first, since players open it while sound waits.
func (h header) compare(other header) int { return h.place() - other.place() }

func (h header) place() int {
	if h.kind == rtmp.TypeData {
		return -1
	}
	n := int(h.track) * 4
	if h.kind == rtmp.TypeAudio {
		n += 2
	}
	if h.packet != media.SequenceHeader {
		n++
	}
	return n
}

// headers is a set of headers in their order. It is the publisher's; newcomers
// get messages made from it.
type headers []header

// put stores a header in place of the one for the same, if there is room, and
// reports whether the set changed. The payload is kept, not copied.
func (hs *headers) put(h header) bool {
	i, found := slices.BinarySearchFunc(*hs, h, header.compare)
	if found {
		if bytes.Equal((*hs)[i].payload, h.payload) {
			return false
		}
		*hs = slices.Delete(*hs, i, i+1)
		hs.forgetChannels(h)
	}
	if !hs.room(h) {
		return found
	}
	*hs = slices.Insert(*hs, i, h)
	return true
}

// forgetChannels drops the channel configuration of an audio track whose
// sequence header was replaced: it described the old one. A video track keeps
// its colour information, which encoders send before the header.
func (hs *headers) forgetChannels(h header) {
	if h.kind == rtmp.TypeAudio && h.packet == media.SequenceHeader {
		h.packet = media.ChannelConfig
		hs.remove(h)
	}
}

// room reports whether the set can take one more header.
func (hs *headers) room(h header) bool {
	n, size := 0, len(h.payload)
	for _, other := range *hs {
		size += len(other.payload)
		if other.kind == h.kind && other.packet == h.packet {
			n++
		}
	}
	return n < maxTracks && size <= maxHeaderBytes
}

// has reports whether there is a header for the same.
func (hs *headers) has(h header) bool {
	_, found := slices.BinarySearchFunc(*hs, h, header.compare)
	return found
}

// remove drops the header for the same and reports whether there was one.
func (hs *headers) remove(h header) bool {
	i, found := slices.BinarySearchFunc(*hs, h, header.compare)
	if found {
		*hs = slices.Delete(*hs, i, i+1)
	}
	return found
}

// removeTrack drops all headers of a track and reports whether there were any.
func (hs *headers) removeTrack(kind rtmp.MessageType, track uint8) bool {
	before := len(*hs)
	*hs = slices.DeleteFunc(*hs, func(h header) bool { return h.kind == kind && h.track == track })
	return len(*hs) < before
}

// messages lays the set out for newcomers whose first frame has the given
// timestamp: Flash wants timestamps that never decrease.
func (hs *headers) messages(timestamp uint32, chunkSize int) []*Message {
	messages := make([]*Message, len(*hs))
	for i, h := range *hs {
		messages[i] = newMessage(rtmp.Message{Type: h.kind, Timestamp: timestamp, Payload: h.payload}, chunkSize)
		messages[i].packet = h.packet
		if h.kind == rtmp.TypeData {
			messages[i].packet = media.Metadata
		}
		messages[i].traits = h.traits
	}
	return messages
}
