package simulation

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// mark stands at the end of every payload and says what the payload is.
type mark struct {
	Source  uint32 // see source.id
	Order   uint32 // of the frame among all of its source
	Number  uint32 // of the frame on its track, from 1; 0 for a header
	Version uint32 // of the track's header, the one that a frame needs
	Magic   uint32
}

// maxSkew is how far, in milliseconds, the tracks of a publisher are apart.
const maxSkew = 100

const (
	markMagic = 0x73696d21
	markSize  = 20
)

func (m mark) append(payload []byte) []byte {
	m.Magic = markMagic
	payload, _ = binary.Append(payload, binary.BigEndian, m)
	return payload
}

func readMark(payload []byte) (m mark, ok bool) {
	if len(payload) < markSize {
		return m, false
	}
	_, err := binary.Decode(payload[len(payload)-markSize:], binary.BigEndian, &m)
	return m, err == nil && m.Magic == markMagic
}

// trackID names a track.
type trackID struct {
	kind media.Kind
	id   uint8
}

func (t trackID) String() string { return fmt.Sprintf("%v track %d", t.kind, t.id) }

// track is one track of a publisher.
type track struct {
	trackID
	version, number uint32
	group           uint32 // frames in a keyframe group
	first           uint32 // which frame is the first keyframe
	lastKey         uint32
	// headerLast says that the newest message of the track is a header.
	headerLast bool
}

// source is one publication as its publisher sees it.
type source struct {
	id           uint32
	channel, key string
	stream       uint32
	// live says that the server accepted it, and over that it ended.
	live, over bool
	hushed     bool
	// heard is when the server had media of it last, or accepted it.
	heard time.Time
	// excused is until when the publisher may learn that it was replaced, since it
	// was silent before.
	excused time.Time

	random *rand.Rand
	// video and audio are the codecs of the tracks 0.
	video, audio string
	// packed says that the video tracks come in one message.
	packed     bool
	interval   time.Duration
	skew       uint32 // by which audio is behind video, in milliseconds
	lateHeader bool   // the audio header comes behind the first keyframe
	eager      bool   // media comes before the server's answer
	tracks     []*track
	order      uint32
	start      time.Time
	base       uint32
	timestamp  uint32
	begun      bool
}

func newSource(id uint32, s step, stream uint32) *source {
	r := rand.New(rand.NewPCG(s.seed, 1))
	src := &source{
		id: id, channel: s.channel, key: s.key, stream: stream, random: r,
		video:    oneOf(r, codecLegacy, codecLegacy, codecLegacy, "hvc1", "hvc1", codecHEVC12, "av01"),
		audio:    oneOf(r, codecLegacy, codecLegacy, codecLegacy, "Opus"),
		interval: between(r, 60*time.Millisecond, 250*time.Millisecond),
		skew:     uint32(r.IntN(maxSkew)), lateHeader: r.IntN(3) == 0,
	}
	src.base = oneOf(r, 0, uint32(r.IntN(1<<30)), ^uint32(0)-uint32(r.IntN(5000))) + src.skew
	src.tracks = []*track{{trackID: trackID{media.Video, 0}, group: uint32(1 + r.IntN(30)), first: 1}}
	if r.IntN(8) == 0 {
		src.tracks[0].first = uint32(1 + r.IntN(10)) // joined in the middle of a group
	}
	if r.IntN(4) == 0 {
		src.tracks = append(src.tracks, &track{trackID: trackID{media.Video, 1}, group: uint32(1 + r.IntN(30)), first: 1})
	}
	if r.IntN(8) != 0 {
		src.tracks = append(src.tracks, &track{trackID: trackID{media.Audio, 0}})
	}
	if r.IntN(4) == 0 {
		src.tracks = append(src.tracks, &track{trackID: trackID{media.Audio, 1}})
	}
	if second := src.tracks[min(1, len(src.tracks)-1)]; src.video == "hvc1" && second.kind == media.Video && second.id == 1 {
		src.packed = r.IntN(2) == 0
		second.group, second.first = src.tracks[0].group, src.tracks[0].first // their keyframes come together
	}
	src.eager = r.IntN(4) == 0
	return src
}

// tick returns the messages of one moment.
func (s *source) tick(now time.Time) (messages []rtmp.Message) {
	if !s.begun {
		s.begun, s.start = true, now
		messages = append(messages, s.metadata())
		s.timestamp = s.base
		for _, t := range s.tracks {
			if t.kind == media.Video || !s.lateHeader {
				messages = append(messages, s.header(t))
			}
		}
	}
	if at := s.base + uint32(now.Sub(s.start).Milliseconds()); int32(at-s.timestamp) > 0 {
		s.timestamp = at
	}
	for _, t := range s.tracks {
		if t.version == 0 {
			messages = append(messages, s.header(t))
		}
		messages = append(messages, s.frame(t))
		if n := len(messages); s.packed && t.kind == media.Video && t.id == 1 {
			messages = append(messages[:n-2], pack(messages[n-2], messages[n-1]))
		}
	}
	s.heard = now
	return messages
}

// pack makes one message of the frames of the two video tracks.
func pack(first, second rtmp.Message) rtmp.Message {
	const manyTracks, headerSize = 1, len("\x96\x01hvc1\x01")
	frame := first.Payload[0] &^ 0x0f
	payload := append([]byte{frame | 6, manyTracks<<4 | first.Payload[0]&0x0f}, "hvc1"...)
	for track, body := range [][]byte{first.Payload[headerSize-2:], second.Payload[headerSize:]} {
		payload = append(payload, byte(track), byte(len(body)>>16), byte(len(body)>>8), byte(len(body)))
		payload = append(payload, body...)
	}
	first.Payload = payload
	return first
}

// newHeaders returns another header for all tracks of a kind; frames of video
// go on with a keyframe.
func (s *source) newHeaders(kind media.Kind) (messages []rtmp.Message) {
	for _, t := range s.tracks {
		if t.kind == kind && t.version > 0 {
			messages = append(messages, s.header(t))
		}
	}
	return messages
}

func (s *source) metadata() rtmp.Message {
	payload := amf.Append(nil, "@setDataFrame")
	payload = amf.Append(payload, "onMetaData")
	payload = amf.Append(payload, amf.ECMAArray{{Name: "source", Value: float64(s.id)}, {Name: "width", Value: 640.0}})
	return rtmp.Message{Type: rtmp.TypeData, Stream: s.stream, Timestamp: s.base, Payload: payload}
}

func (s *source) header(t *track) rtmp.Message {
	t.version++
	t.headerLast = true
	return s.message(t, mark{Source: s.id, Version: t.version}, false)
}

func (s *source) frame(t *track) rtmp.Message {
	t.number++
	s.order++
	key := t.kind == media.Video && t.number >= t.first &&
		(t.lastKey == 0 || t.headerLast || t.number-t.lastKey >= t.group)
	if key {
		t.lastKey = t.number
	}
	if key || t.kind == media.Audio {
		t.headerLast = false
	}
	return s.message(t, mark{Source: s.id, Order: s.order, Number: t.number, Version: t.version}, key)
}

func (s *source) message(t *track, m mark, key bool) rtmp.Message {
	payload := s.layout(t, m.Number == 0, key)
	if m.Number > 0 {
		payload = append(payload, make([]byte, s.random.IntN(200))...)
		if key && s.random.IntN(4) == 0 {
			payload = append(payload, make([]byte, s.random.IntN(5000))...)
		}
	}
	message := rtmp.Message{Type: rtmp.TypeVideo, Stream: s.stream, Timestamp: s.timestamp, Payload: m.append(payload)}
	if t.kind == media.Audio {
		message.Type = rtmp.TypeAudio
		message.Timestamp -= s.skew
	}
	return message
}

// layout is what comes in front of the codec's own bytes.
func (s *source) layout(t *track, header, key bool) []byte {
	packet, frame := byte(1), byte(2)
	if header {
		packet = 0
	}
	if header || key {
		frame = 1
	}
	codec := s.codec(t.trackID)
	if t.kind == media.Audio {
		return audioLayout(codec, packet, t.id)
	}
	var payload []byte
	switch {
	case codec == codecLegacy:
		return []byte{frame<<4 | 7, packet, 0, 0, 0}
	case codec == codecHEVC12:
		return []byte{frame<<4 | 12, packet, 0, 0, 0}
	case t.id != 0:
		payload = append([]byte{0x80 | frame<<4 | 6, packet}, codec+string(rune(t.id))...)
	default:
		payload = append([]byte{0x80 | frame<<4 | packet}, codec...)
	}
	if codec == "hvc1" && !header {
		payload = append(payload, 0, 0, 0) // composition time
	}
	return payload
}

func audioLayout(codec string, packet, track byte) []byte {
	switch {
	case codec == codecLegacy:
		return []byte{0xaf, packet}
	case track != 0:
		return append([]byte{0x95, packet}, codec+string(rune(track))...)
	default:
		return append([]byte{0x90 | packet}, codec...)
	}
}
