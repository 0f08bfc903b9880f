package bench

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// sequence is how far a stream got: the frames made so far.
type sequence struct{ video, audio int64 }

// due is when the next frame is to be sent, from the start of the stream.
func (q *sequence) due(s shape) time.Duration {
	return min(s.videoDue(q.video), s.audioDue(q.audio))
}

// next makes the next frame of a source. Its payload is valid until the next
// call, for any stream, with the same y. It allocates nothing.
func (q *sequence) next(y *synthetic, source uint64, sent int64) rtmp.Message {
	mark := marker{source: source, sent: sent}
	video, audio := y.videoDue(q.video), y.audioDue(q.audio)
	if video <= audio {
		keyframe := q.video%int64(y.gop) == 0
		q.video++
		mark.seq = uint64(q.video)
		return rtmp.Message{Type: rtmp.TypeVideo, Timestamp: uint32(video.Milliseconds()), Payload: y.frame(keyframe, mark)}
	}
	q.audio++
	mark.seq = uint64(q.audio)
	return rtmp.Message{Type: rtmp.TypeAudio, Timestamp: uint32(audio.Milliseconds()), Payload: y.sound(mark)}
}

// Stream is a synthetic stream without a publisher: a server that makes it
// itself can be played, and measured, like one that somebody publishes to.
type Stream struct {
	synthetic *synthetic
	source    uint64
	sequence  sequence
}

// NewStream returns the stream that a publisher with the same options sends.
func NewStream(o Options) (*Stream, error) {
	s, err := newShape(o)
	if err != nil {
		return nil, err
	}
	return &Stream{synthetic: newSynthetic(s), source: uint64(time.Now().UnixMicro()) << 20}, nil
}

// Headers returns the messages that every player needs first.
func (s *Stream) Headers() []rtmp.Message {
	return []rtmp.Message{
		{Type: rtmp.TypeVideo, Payload: videoHeader},
		{Type: rtmp.TypeAudio, Payload: audioHeader},
	}
}

// Due returns when the next frame is due, from the start of the stream.
func (s *Stream) Due() time.Duration {
	return s.sequence.due(s.synthetic.shape)
}

// Next makes the next frame, marked as sent at the given time. Its payload is
// valid until the next call. It allocates nothing.
func (s *Stream) Next(sent time.Time) rtmp.Message {
	return s.sequence.next(s.synthetic, s.source, sent.UnixMicro())
}
