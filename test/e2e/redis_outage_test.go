package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// reconnectLimit is the longest pause between two attempts to reach Redis, with
// what the attempt itself takes.
const reconnectLimit = 12 * time.Second

// checkKill has Redis end a session of its own channel, once the server hears
// it for the nth time.
func checkKill(t *testing.T, s *stage.Server, r *stage.Redis, subscription int, channel string, within time.Duration) {
	t.Helper()
	s.AwaitLines(subscription, reconnectLimit, stage.RedisBack)
	victim, err := stage.TryPlay(t, "", s.Addr, channel+"/key")
	if err != nil {
		t.Fatal(err)
	}
	session := victim.Record()
	r.Publish("kill-session>" + channel)
	if !session.AwaitEnd(within) {
		t.Errorf("kill-session>%s was not carried out within %v", channel, within)
	}
}

// Redis is not there at the start, comes, and is killed and started again and
// again.
func TestStreamDoesNotNoticeThatRedisIsRestarted(t *testing.T) {
	t.Parallel()
	const restarts = 20
	r := stage.NewRedis(t)
	s := stage.Start(t, r.Settings()...)
	s.AwaitLine(stage.RedisLost)
	n := stage.StartPlainNumbered(t, s, "channel")
	for i := range restarts {
		r.Start()
		checkKill(t, s, r, i+1, fmt.Sprint("victim", i), commandLimit)
		sig := syscall.SIGKILL
		if i%2 == 0 {
			sig = syscall.SIGTERM
		}
		r.End(sig)
		s.AwaitLines(i+2, stage.Soon, stage.RedisLost) // one at the start
	}
	n.Flows()
	n.CheckUnharmed()
	// Each outage is one line, and not one for each attempt. An attempt may meet
	// Redis while it starts, which is another reason.
	s.Stop()
	lost := 0
	for _, line := range s.Log.All() {
		if strings.Contains(line, stage.RedisLost) {
			lost++
		}
	}
	if lost > 2*restarts {
		t.Errorf("%d lines about %d outages", lost, restarts+1)
	}
}

func TestStreamDoesNotNoticeThatRedisIsFrozen(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	n := stage.StartPlainNumbered(t, s, "channel")
	r.Signal(syscall.SIGSTOP)
	for range 30 { // 3 s
		stage.Pause(t.Context(), 100*time.Millisecond)
	}
	n.Flows()
	if _, err := stage.TryPublish(t, "", s.Addr, "second/key"); err != nil {
		t.Errorf("a publisher while Redis is frozen: %v", err)
	}
	r.Signal(syscall.SIGCONT)
	checkKill(t, s, r, 1, "victim", commandLimit)
	n.CheckUnharmed()
}

func TestStreamDoesNotNoticeAFloodFromRedis(t *testing.T) {
	t.Parallel()
	const messages = 100_000
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	n := stage.StartPlainNumbered(t, s, "channel")
	id := stage.Attr(s.AwaitLine("msg=publish"), "stream_id")
	junk := []string{
		"", ">", "|", ">>>", "kill-session", "kill-session>", "kill-session>|", "kill-session>a|b", "Kill-Session>channel",
		"kill-session >channel", "close-stream>channel", "close-stream>channel|", "drop-table>channel", "\x00\xff\xfe", "kill-session>\xff",
		"kill-session>chan\nnel", "close-stream>channel|" + id + "|x", strings.Repeat("x", 300), "kill-session>" + strings.Repeat("c", 200),
		"\nlevel=INFO msg=forged", "\r\n*1\r\n",
	}
	flood := make([]string, messages)
	for i := range flood {
		flood[i] = junk[i%len(junk)]
	}
	flood[messages/2] = "kill-session>" + strings.Repeat("c", 32<<10)
	start := time.Now()
	r.Publish(flood...)
	// Redis is faster than a server under the race detector, so that a part of
	// the flood is still to be read.
	checkKill(t, s, r, 1, "victim", 2*commandLimit)
	took := time.Since(start)
	n.Flows()
	n.CheckUnharmed()
	s.Stop()
	ignored := 0
	for _, line := range s.Log.All() {
		if strings.Contains(line, stage.RedisIgnored) {
			ignored++
		}
		if len(line) > 4<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
		if !strings.HasPrefix(line, "time=") {
			t.Errorf("a forged line: %s", line)
		}
	}
	// Ten a second, and what was left out.
	if most := 10*(int(took.Seconds())+2) + 2; ignored == 0 || ignored > most {
		t.Errorf("%d lines about %d messages in %v, want at most %d", ignored, messages, took, most)
	}
}

// A message beyond all bounds costs the connection to Redis, and nothing else:
// the commands before it are carried out, and the log says what happened.
func TestStreamDoesNotNoticeAHugeMessageFromRedis(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	s := stage.StartCommanded(t, r)
	n := stage.StartPlainNumbered(t, s, "channel")
	for i := range 3 {
		victim := stage.Play(t, s, fmt.Sprint("before", i, "/key")).Record()
		// Redis hands them on together.
		r.Publish("junk", fmt.Sprint("kill-session>before", i), "kill-session>"+strings.Repeat("c", 1<<20))
		if !victim.AwaitEnd(commandLimit) {
			t.Error("the command before the huge message was not carried out")
		}
		checkKill(t, s, r, i+2, fmt.Sprint("victim", i), commandLimit)
	}
	for _, line := range s.AwaitLines(3, stage.Soon, stage.RedisLost) {
		if !strings.Contains(line, "too large") {
			t.Errorf("no word of the size in: %s", line)
		}
	}
	n.CheckUnharmed()
}
