package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// commandLimit is within how long a command has to act.
const commandLimit = 2 * time.Second

func TestKillSessionClosesPublisherAndPlayersOfItsChannel(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := startCommanded(t, r)
	other := startPlainNumbered(t, s, "other")
	n := startPlainNumbered(t, s, "channel")
	second := play(t, s, "channel/key").record()
	awaitEvent(t, second, 1, keyframe)
	if _, err := tryPlay(t, "", s.addr, "waiting/key"); err != nil {
		t.Fatal(err)
	}

	r.publish("kill-session>channel")
	if err := n.killed(commandLimit); err != nil {
		t.Error(err)
	}
	if !second.awaitEnd(commandLimit) {
		t.Error("the second viewer is still connected")
	}
	s.awaitLine(redisDone, "command=kill-session>channel", "closed=3")
	s.awaitLines(3, soon, "msg=end", "channel=channel", `reason="killed by command"`)
	// With a line end, as from redis-cli -x, and of a channel that is not live.
	r.publish("kill-session>waiting\n", "kill-session>nowhere")
	s.awaitLine("msg=end", "role=player", "channel=waiting", `reason="killed by command"`)
	s.awaitLine(redisDone, "command=kill-session>nowhere", "closed=0")

	if _, err := tryPublish(t, "", s.addr, "channel/key"); err != nil {
		t.Errorf("the next publisher of the channel: %v", err)
	}
	other.checkUnharmed()
}

func TestCloseStreamClosesThatStreamOnly(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := startCommanded(t, r)
	first := publish(t, s, "channel/key")
	stale := attr(s.awaitLine("msg=publish", "channel=channel"), "stream_id")
	if stale == "" {
		t.Fatal("the log names no stream id")
	}
	first.reset()
	s.awaitLine("msg=end", "role=publisher")

	other := startPlainNumbered(t, s, "other")
	n := startPlainNumbered(t, s, "channel")
	id := attr(s.awaitLines(2, soon, "msg=publish", "channel=channel")[1], "stream_id")
	otherID := attr(s.awaitLine("msg=publish", "channel=other"), "stream_id")
	harmless := []string{
		"close-stream>channel|" + stale, "close-stream>channel|" + otherID, "close-stream>other|" + id,
		"close-stream>channel|" + strings.ToLower(id), "close-stream>channel|" + id[1:], "close-stream>channel|*",
		"close-stream>channel|", "close-stream>channel", "close-stream>|" + id, "close-stream>channel|" + id + "|",
	}
	r.publish(harmless...)
	// Commands are carried out in their order.
	r.publish("kill-session>nowhere")
	s.awaitLine(redisDone, "nowhere")
	n.flows()
	other.flows()

	r.publish("close-stream>channel|" + id)
	if !n.answers.awaitEnd(commandLimit) {
		t.Error("the publisher is still connected")
	}
	s.awaitLine("msg=end", "role=publisher", "channel=channel", `reason="killed by command"`)
	awaitEvent(t, n.viewer, 1, rtmp.CodePlayUnpublishNotify) // and stays
	publish(t, s, "channel/key")
	awaitEvent(t, n.viewer, 2, rtmp.CodePlayPublishNotify)
	other.checkUnharmed()
}

// A command does not wait for a viewer that reads no more, nor does the next one.
func TestKillSessionClosesAViewerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	s := startCommanded(t, r)
	stalledPlayer(t, s)
	n := startPlainNumbered(t, s, "other")
	r.publish("kill-session>channel", "kill-session>other")
	if err := n.killed(commandLimit); err != nil {
		t.Error(err)
	}
	s.awaitLines(3, commandLimit, "msg=end", " channel=channel ", `reason="killed by command"`)
}

func TestRedisPassword(t *testing.T) {
	t.Parallel()
	const right, wrong = "a right Marker1", "a wrong Marker2"
	tests := []struct{ name, given, line string }{
		{"right", right, redisBack},
		{"wrong", wrong, redisLost},
		{"none", "", redisLost},
	}
	r := startRedis(t, "--requirepass", right)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, r.settings("REDIS_PASSWORD="+tt.given)...)
			line := s.awaitLine(`msg="redis commands`)
			if !strings.Contains(line, tt.line) {
				t.Errorf("it says %s", line)
			}
			s.stop()
			for _, line := range s.log.all() {
				if strings.Contains(line, "Marker") {
					t.Errorf("it shows a password: %s", line)
				}
			}
		})
	}
}
