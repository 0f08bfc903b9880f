package bench

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Stream is a synthetic stream without a publisher: a server that makes it
// itself can be played, and measured, like one that somebody publishes to.
type Stream struct {
	synthetic    *synthetic
	source       uint64
	video, audio int64 // frames made so far
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
	return min(s.synthetic.videoDue(s.video), s.synthetic.audioDue(s.audio))
}

// Next makes the next frame, marked as sent at the given time. Its payload is
// valid until the next call. It allocates nothing.
func (s *Stream) Next(sent time.Time) rtmp.Message {
	mark := marker{source: s.source, sent: sent.UnixMicro()}
	video, audio := s.synthetic.videoDue(s.video), s.synthetic.audioDue(s.audio)
	if video <= audio {
		keyframe := s.video%int64(s.synthetic.gop) == 0
		s.video++
		mark.seq = uint64(s.video)
		return rtmp.Message{Type: rtmp.TypeVideo, Timestamp: uint32(video.Milliseconds()), Payload: s.synthetic.frame(keyframe, mark)}
	}
	s.audio++
	mark.seq = uint64(s.audio)
	return rtmp.Message{Type: rtmp.TypeAudio, Timestamp: uint32(audio.Milliseconds()), Payload: s.synthetic.sound(mark)}
}
