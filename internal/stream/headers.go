package stream

import (
	"bytes"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// maxTracks bounds the tracks of one kind whose headers are kept. It stops the
// publisher that sends headers for 256 tracks.
const maxTracks = 16

// header is what a newcomer needs to know about one track before its frames.
type header struct {
	kind  media.Kind
	track uint8
	// packet is SequenceHeader, or ChannelConfig or Metadata, which complete
	// it and travel behind it.
	packet  media.PacketType
	payload []byte
}

func (h header) compare(other header) int {
	order := func(h header) int {
		n := int(h.track) * 2
		if h.kind == media.Audio {
			n += 1 << 10 // video first: players open the picture while sound waits
		}
		if h.packet != media.SequenceHeader {
			n++
		}
		return n
	}
	return order(h) - order(other)
}

// headers is the set of everything that goes before the frames of a stream.
// It is the publisher's; newcomers get messages made from it.
type headers struct {
	metadata []byte
	tracks   []header
}

// change tells what a header did to the set.
type change uint8

const (
	unchanged change = iota
	added
	replaced
)

// put stores a header. The payload is kept, not copied.
func (hs *headers) put(h header) change {
	i, found := slices.BinarySearchFunc(hs.tracks, h, header.compare)
	switch {
	case found && bytes.Equal(hs.tracks[i].payload, h.payload):
		return unchanged
	case found:
		hs.tracks[i].payload = h.payload
		if h.packet == media.SequenceHeader {
			hs.forgetCompanion(i)
		}
		return replaced
	case hs.count(h.kind, h.packet) >= maxTracks:
		return unchanged
	default:
		hs.tracks = slices.Insert(hs.tracks, i, h)
		return added
	}
}

// forgetCompanion drops the channel configuration of an audio track whose
// sequence header at i was replaced: it described the old one. A video track
// keeps its colour information, which encoders send before the header.
func (hs *headers) forgetCompanion(i int) {
	if i+1 == len(hs.tracks) {
		return
	}
	next := hs.tracks[i+1]
	if next.packet == media.ChannelConfig && next.track == hs.tracks[i].track {
		hs.tracks = slices.Delete(hs.tracks, i+1, i+2)
	}
}

// remove drops all headers of a track that has ended.
func (hs *headers) remove(kind media.Kind, track uint8) {
	hs.tracks = slices.DeleteFunc(hs.tracks, func(h header) bool {
		return h.kind == kind && h.track == track
	})
}

func (hs *headers) count(kind media.Kind, packet media.PacketType) int {
	n := 0
	for _, h := range hs.tracks {
		if h.kind == kind && h.packet == packet {
			n++
		}
	}
	return n
}

// messages lays the set out for newcomers whose first frame has the given
// timestamp: Flash wants timestamps that never decrease.
func (hs *headers) messages(timestamp uint32, chunkSize int) []*Message {
	var messages []*Message
	add := func(t rtmp.MessageType, payload []byte) {
		m := newMessage(rtmp.Message{Type: t, Timestamp: timestamp, Payload: payload}, chunkSize)
		m.packet = media.SequenceHeader
		messages = append(messages, m)
	}
	if hs.metadata != nil {
		add(rtmp.TypeData, hs.metadata)
	}
	for _, h := range hs.tracks {
		if h.kind == media.Audio {
			add(rtmp.TypeAudio, h.payload)
		} else {
			add(rtmp.TypeVideo, h.payload)
		}
	}
	return messages
}
