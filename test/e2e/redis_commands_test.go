package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// commandLimit is within how long a command has to act.
const commandLimit = 2 * time.Second

func TestKillSessionClosesPublisherAndPlayersOfItsChannel(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	other := stage.StartPlainNumbered(t, s, "other")
	n := stage.StartPlainNumbered(t, s, "channel")
	second := stage.Play(t, s, "channel/key").Record()
	stage.AwaitEvent(t, second, 1, stage.Keyframe)
	if _, err := stage.TryPlay(t, "", s.Addr, "waiting/key"); err != nil {
		t.Fatal(err)
	}

	r.Publish("kill-session>channel")
	if err := n.Killed(commandLimit); err != nil {
		t.Error(err)
	}
	if !second.AwaitEnd(commandLimit) {
		t.Error("the second viewer is still connected")
	}
	s.AwaitLine(stage.RedisDone, "command=kill-session>channel", "closed=3")
	s.AwaitLines(3, stage.Soon, "msg=end", "channel=channel", `reason="killed by command"`)
	// With a line end, as from redis-cli -x, and of a channel that is not live.
	r.Publish("kill-session>waiting\n", "kill-session>nowhere")
	s.AwaitLine("msg=end", "role=player", "channel=waiting", `reason="killed by command"`)
	s.AwaitLine(stage.RedisDone, "command=kill-session>nowhere", "closed=0")

	if _, err := stage.TryPublish(t, "", s.Addr, "channel/key"); err != nil {
		t.Errorf("the next publisher of the channel: %v", err)
	}
	other.CheckUnharmed()
}

func TestCloseStreamClosesThatStreamOnly(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	first := stage.Publish(t, s, "channel/key")
	stale := stage.Attr(s.AwaitLine("msg=publish", "channel=channel"), "stream_id")
	if stale == "" {
		t.Fatal("the log names no stream id")
	}
	first.Reset()
	s.AwaitLine("msg=end", "role=publisher")

	other := stage.StartPlainNumbered(t, s, "other")
	n := stage.StartPlainNumbered(t, s, "channel")
	id := stage.Attr(s.AwaitLines(2, stage.Soon, "msg=publish", "channel=channel")[1], "stream_id")
	otherID := stage.Attr(s.AwaitLine("msg=publish", "channel=other"), "stream_id")
	harmless := []string{
		"close-stream>channel|" + stale, "close-stream>channel|" + otherID, "close-stream>other|" + id,
		"close-stream>channel|" + strings.ToLower(id), "close-stream>channel|" + id[1:], "close-stream>channel|*",
		"close-stream>channel|", "close-stream>channel", "close-stream>|" + id, "close-stream>channel|" + id + "|",
	}
	r.Publish(harmless...)
	// Commands are carried out in their order.
	r.Publish("kill-session>nowhere")
	s.AwaitLine(stage.RedisDone, "nowhere")
	n.Flows()
	other.Flows()

	r.Publish("close-stream>channel|" + id)
	if !n.Answers.AwaitEnd(commandLimit) {
		t.Error("the publisher is still connected")
	}
	s.AwaitLine("msg=end", "role=publisher", "channel=channel", `reason="killed by command"`)
	stage.AwaitEvent(t, n.Viewer, 1, rtmp.CodePlayUnpublishNotify) // and stays
	stage.Publish(t, s, "channel/key")
	stage.AwaitEvent(t, n.Viewer, 2, rtmp.CodePlayPublishNotify)
	other.CheckUnharmed()
}

// A command does not wait for a viewer that reads no more, nor does the next one.
func TestKillSessionClosesAViewerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	stalledPlayer(t, s)
	n := stage.StartPlainNumbered(t, s, "other")
	r.Publish("kill-session>channel", "kill-session>other")
	if err := n.Killed(commandLimit); err != nil {
		t.Error(err)
	}
	s.AwaitLines(3, commandLimit, "msg=end", " channel=channel ", `reason="killed by command"`)
}

func TestRedisPassword(t *testing.T) {
	t.Parallel()
	const right, wrong = "a right Marker1", "a wrong Marker2"
	tests := []struct{ name, given, line string }{
		{"right", right, stage.RedisBack},
		{"wrong", wrong, stage.RedisLost},
		{"none", "", stage.RedisLost},
	}
	r := stage.StartRedis(t, "--requirepass", right)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := stage.Start(t, r.Settings("REDIS_PASSWORD="+tt.given)...)
			line := s.AwaitLine(`msg="redis commands`)
			if !strings.Contains(line, tt.line) {
				t.Errorf("it says %s", line)
			}
			s.Stop()
			for _, line := range s.Log.All() {
				if strings.Contains(line, "Marker") {
					t.Errorf("it shows a password: %s", line)
				}
			}
		})
	}
}
