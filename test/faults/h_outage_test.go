package faults

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	r := stage.NewRedis(t)
	f := begin(t, "H1", r.Settings()...)
	s := f.server
	restarts := f.scale(20, 100)
	f.figure("restarts", restarts)
	s.AwaitLine(stage.RedisLost)
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
	// Each outage is one line, and not one for each attempt. An attempt may meet
	// Redis while it starts, which is another reason.
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

// H4: internal/command has the exact times, and all that a host may answer that is
// no Redis.
func TestStreamDoesNotNoticeThatRedisIsFrozen(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	f := begin(t, "H4", r.Settings()...)
	f.server.AwaitLine(stage.RedisBack)
	busy := f.processor()
	r.Signal(syscall.SIGSTOP)
	frozen := time.Now()
	if *long {
		f.server.AwaitLines(1, 20*time.Second+stage.Soon, stage.RedisLost)
		f.figure("noticed after", time.Since(frozen).Round(100*time.Millisecond))
	} else {
		f.canary.await(int64(3 * time.Second / stage.CanaryEvery))
	}
	if _, err := stage.TryPublish(t, "", f.server.Addr, "second/key"); err != nil {
		t.Errorf("a publisher while Redis is frozen: %v", err)
	}
	f.figure("processors", fmt.Sprintf("%.2f", (f.processor()-busy).Seconds()/time.Since(frozen).Seconds()))
	r.Signal(syscall.SIGCONT)
	checkKill(t, f.server, r, f.scale(1, 2), "victim", commandLimit)
}

// A host in place of Redis that refuses, or says something else, is asked after
// pauses that grow.
func TestRedisThatCannotBeUsedIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"wrong password": "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
		"cluster":        "-MOVED 3999 127.0.0.1:6381\r\n",
		"another host":   "HTTP/1.1 400 Bad Request\r\n\r\n",
		"end":            "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var attempts atomic.Int64
			var serving sync.WaitGroup
			serving.Go(func() {
				for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
					attempts.Add(1)
					if answer != "" {
						_, _ = conn.Read(make([]byte, 1024))
						_, _ = io.WriteString(conn, answer)
					}
					_ = conn.Close()
				}
			})
			t.Cleanup(func() {
				_ = l.Close()
				serving.Wait()
			})
			_, port, _ := net.SplitHostPort(l.Addr().String())
			f := begin(t, "H4", "REDIS_USE=YES", "REDIS_HOST=127.0.0.1", "REDIS_PORT="+port, "REDIS_PASSWORD=something")
			f.server.AwaitLine(stage.RedisLost)
			f.canary.await(int64(3 * time.Second / stage.CanaryEvery))
			f.figure("attempts", attempts.Load())
			if n := attempts.Load(); n < 2 || n > 15 { // pauses of 100 ms, 200 ms and so on, of which half may be taken off
				t.Errorf("there were %d attempts", n)
			}
		})
	}
}

// What is said while the server is away is lost, and the figures tell for how long
// that was.
func TestCommandsWhileRedisIsAwayAreLost(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	f := begin(t, "H2", r.Settings()...)
	f.server.AwaitLine(stage.RedisBack)
	victim := stage.Play(t, f.server, "victim/key").Record()
	before := f.metric("rtmp_redis_disconnected_seconds_total")
	start := time.Now()
	// From the second order on, the server is out and not let in again.
	answers := r.Order("CONFIG SET requirepass another", "CLIENT KILL TYPE pubsub", "PUBLISH rtmp_commands kill-session>victim")
	if want := []string{"+OK", ":1", ":0"}; !slices.Equal(answers, want) {
		t.Errorf("redis answers %q, want %q", answers, want)
	}
	f.server.AwaitLine(stage.RedisLost)
	if n := f.metric("rtmp_redis_connected"); n != 0 {
		t.Errorf("rtmp_redis_connected is %v", n)
	}
	f.canary.await(int64(2 * time.Second / stage.CanaryEvery))
	away := time.Since(start)
	if answers := r.Order("AUTH another", `CONFIG SET requirepass ""`); !slices.Equal(answers, []string{"+OK", "+OK"}) {
		t.Errorf("redis answers %q", answers)
	}
	f.server.AwaitLines(2, reconnectLimit, stage.RedisBack)
	counted := time.Duration((f.metric("rtmp_redis_disconnected_seconds_total") - before) * float64(time.Second))
	f.figure("counted as away", counted.Round(time.Millisecond))
	if counted < away-late || counted > time.Since(start) {
		t.Errorf("the server was away for more than %v, and counts %v", away, counted)
	}
	if victim.AwaitEnd(0) {
		t.Error("a command that was lost was carried out")
	}
	checkKill(t, f.server, r, 2, "victim", commandLimit)
}

// Redis drops subscribers who are too slow for what it has for them.
func TestSubscriptionThatRedisDropsIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	f := begin(t, "H7", r.Settings()...)
	f.server.AwaitLine(stage.RedisBack)
	r.Order(`CONFIG SET client-output-buffer-limit "pubsub 1mb 1mb 1"`)
	drops := f.scale(3, 30)
	f.figure("drops", drops)
	for i := range drops {
		// All of a script is there before Redis sends any of it.
		r.Order(`EVAL "for i = 1, 100 do redis.call('publish', 'rtmp_commands', string.rep('x', 60000)) end return 1" 0`)
		f.server.AwaitLines(i+1, stage.Soon, stage.RedisLost)
		checkKill(t, f.server, r, i+2, fmt.Sprint("victim", i), commandLimit)
	}
	if f.metric("rtmp_redis_disconnected_seconds_total") == 0 {
		t.Error("nothing was counted")
	}
}

func TestStreamDoesNotNoticeAFloodFromRedis(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t, "--client-output-buffer-limit", "pubsub 0 0 0") // or it drops a subscriber that is slower
	f := begin(t, "H5", r.Settings()...)
	s := f.server
	s.AwaitLine(stage.RedisBack)
	messages := f.scale(100_000, 1_000_000)
	f.figure("messages", messages)
	n := stage.StartPlainNumbered(t, s, "channel")
	id := stage.Attr(s.AwaitLine("msg=publish", "channel=channel"), "stream_id")
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
	// Redis is faster than the server, so that a part of the flood is still to be
	// read.
	checkKill(t, s, r, 1, "victim", time.Duration(f.scale(2, 10))*commandLimit)
	took := time.Since(start)
	f.figure("order within the flood after", took.Round(time.Millisecond))
	n.CheckUnharmed()
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
	f := begin(t, "H5", r.Settings()...)
	s := f.server
	s.AwaitLine(stage.RedisBack)
	size := f.scale(1<<20, 16<<20) // Redis itself drops a subscriber for 32 MiB
	f.figure("bytes", size)
	for i := range 3 {
		victim := stage.Play(t, s, fmt.Sprint("before", i, "/key")).Record()
		// Redis hands them on together.
		r.Publish("junk", fmt.Sprint("kill-session>before", i), "kill-session>"+strings.Repeat("c", size))
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
			f := begin(t, "H4", r.Settings("REDIS_PASSWORD="+tt.given)...)
			s := f.server
			line := s.AwaitLine(`msg="redis commands`)
			if !strings.Contains(line, tt.line) {
				t.Errorf("it says %s", line)
			}
			f.stop()
			for _, line := range s.Log.All() {
				if strings.Contains(line, "Marker") {
					t.Errorf("it shows a password: %s", line)
				}
			}
		})
	}
}
