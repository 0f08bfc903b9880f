package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// framesOf returns the frames of an FLV file as messages.
func framesOf(t *testing.T, file string) []rtmp.Message {
	t.Helper()
	return slices.DeleteFunc(messagesOf(t, file), func(m rtmp.Message) bool { return !stage.IsMedia(m) })
}

// messagesOf returns the tags of an FLV file as messages, without the marker at
// its end.
func messagesOf(t *testing.T, file string) []rtmp.Message {
	t.Helper()
	var list []rtmp.Message
	for _, tag := range readTags(t, file) {
		m := rtmp.Message{Type: rtmp.MessageType(tag.Type), Timestamp: tag.Timestamp, Payload: tag.Payload}
		if m.Type != rtmp.TypeVideo || media.InspectVideo(m.Payload).Type != media.SequenceEnd {
			list = append(list, m)
		}
	}
	return list
}

// feed publishes messages in real time, again and again until ctx ends, and
// returns the frames it sent.
func feed(ctx context.Context, c *stage.Client, messages []rtmp.Message) ([]rtmp.Message, error) {
	var sent []rtmp.Message
	start := time.Now()
	// The last sound of a file lies a little behind its end.
	for base := time.Duration(0); ; base += mediaLength + 100*time.Millisecond {
		for _, m := range messages {
			m.Stream = c.Stream
			m.Timestamp += uint32(base.Milliseconds())
			if !stage.Pause(ctx, time.Until(start.Add(time.Duration(m.Timestamp)*time.Millisecond))) {
				return sent, nil
			}
			if err := c.WriteMessage(m); err != nil {
				return sent, err
			}
			if stage.IsMedia(m) {
				sent = append(sent, m)
			}
		}
	}
}
