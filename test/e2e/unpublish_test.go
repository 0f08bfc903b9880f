package e2e

import (
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// However an encoder stops, its channel is free at once for the next one, and
// players are told.
func TestEachWayToStopFreesTheChannel(t *testing.T) {
	t.Parallel()
	s := startServer(t, "PUBLISH_TAKEOVER=never", "MAX_IP_CONCURRENT_CONNECTIONS=0")
	call := func(name string, stream bool, args ...any) func(*client) error {
		return func(c *client) error {
			on := uint32(0)
			if stream {
				on = c.stream
			}
			return c.WriteMessage(rtmp.Command{Name: name, Transaction: 9, Args: args}.Message(on))
		}
	}
	tests := []struct {
		name string
		stop func(*client) error
		told bool // that it stopped, on the connection that goes on
	}{
		{"FCUnpublish", call("FCUnpublish", false, "key"), true},
		{"deleteStream", call("deleteStream", false, 1.0), true},
		{"deleteStream by name", call("deleteStream", false, "key"), true},
		{"closeStream", call("closeStream", true), true},
		{"FIN", func(c *client) error { return c.conn.CloseWrite() }, false},
		{"RST", func(c *client) error { c.reset(); return nil }, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := string(rune('a'+i)) + "/key"
			player := play(t, s, path).record()
			first := publish(t, s, path)
			answers := first.record()
			frame := framesOf(t, mediaPath(fileVideo))[0]
			frame.Stream = first.stream
			if err := first.WriteMessage(frame); err != nil {
				t.Fatal(err)
			}
			awaitEvent(t, player, 1, keyframe)
			if err := tt.stop(first); err != nil {
				t.Fatal(err)
			}
			stopped := time.Now()
			awaitEvent(t, player, 1, rtmp.CodePlayUnpublishNotify)
			if took := time.Since(stopped); took > time.Second {
				t.Errorf("players were told after %v", took)
			}
			if _, err := tryPublish(t, "", s.addr, path); err != nil {
				t.Errorf("the next publisher: %v", err)
			}
			awaitEvent(t, player, 2, rtmp.CodePlayPublishNotify)
			if tt.told {
				awaitEvent(t, answers, 1, rtmp.CodeUnpublishSuccess)
			} else if !answers.awaitEnd(2 * time.Second) {
				t.Error("the connection is still open")
			}
		})
	}
}
