package e2e

import (
	"testing"
	"time"

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
