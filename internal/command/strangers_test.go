package command

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// strangers are what peers say to SUBSCRIBE that are no Redis, or none that
// can serve us.
var strangers = map[string]string{
	"a web server":            "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
	"a mail server":           "220 mail.test ESMTP\r\n",
	"a null":                  "*-1\r\n",
	"an empty array":          "*0\r\n",
	"a number in an array":    "*1\r\n:5\r\n",
	"a number":                ":5\r\n",
	"a status":                "+OK\r\n",
	"a short confirmation":    "*1\r\n$9\r\nsubscribe\r\n",
	"a confirmation of text":  array("subscribe", testChannel, "1"),
	"another channel":         strings.Replace(subscribed, "rtmp_commands", "rtmp_commandz", 1),
	"an unknown kind":         array("tmessage", "a", "b"),
	"a short message":         array("message"),
	"a message of nothing":    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$-1\r\n",
	"a message of numbers":    "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n*1\r\n:1\r\n",
	"a line of nothing":       "\r\n",
	"a moved slot":            "-MOVED 3999 127.0.0.1:6381\r\n",
	"a loading data set":      "-LOADING Redis is loading the dataset in memory\r\n",
	"a missing password":      "-NOAUTH Authentication required.\r\n",
	"a missing permission":    "-NOPERM No permissions to access a channel\r\n",
	"512 MiB":                 "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$536870912\r\n",
	"a billion values":        "*999999999\r\n",
	"arrays in arrays":        strings.Repeat("*1\r\n", 100_000),
	"a line that never ends":  strings.Repeat("+", 100_000),
	"a map of RESP 3":         "%1\r\n+a\r\n+b\r\n",
	"a push of RESP 3":        ">3\r\n$9\r\nsubscribe\r\n$13\r\nrtmp_commands\r\n:1\r\n",
	"the end of subscription": array("unsubscribe", testChannel) + ":0\r\n",
}

func TestPeersThatAreNoRedisAreLeftAndTriedAgain(t *testing.T) {
	for name, answer := range strangers {
		for _, at := range []string{"hello", "subscribe", "ping"} {
			t.Run(name+" to "+at, func(t *testing.T) {
				r := &scripted{answers: healthy.with(at, answer)}
				virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
					pass(5 * time.Minute)
					if n := len(r.attempts()); n > 60 {
						t.Errorf("%d attempts in five minutes", n)
					}
					if s := l.Stats(); s.Executed != 0 {
						t.Errorf("stats are %+v", s)
					}
					if n := log.count(""); n > 50 {
						t.Errorf("%d lines:\n%s", n, log.all())
					}
					r.change(func() { r.answers = healthy })
					pass(l.timing.mostPause + l.timing.read + l.timing.step)
					r.publish("kill-session>live")
					target.want(t, time.Nanosecond, "kill-session>live")
				})
			})
		}
	}
}

func TestReplyThatAnnouncesHalfAGigabyteTakesNoMemory(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		const times = 20
		for range times {
			r.change(func() {
				conn := r.conns[len(r.conns)-1]
				_, _ = fmt.Fprintf(conn, "*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$536870912\r\n", len(testChannel), testChannel)
			})
			pass(l.timing.mostPause)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > times*512<<10 {
			t.Errorf("%d bytes for each of %d such replies", got/times, times)
		}
		if n := log.count("reply is too large"); n != times {
			t.Errorf("%d connections ended, want %d\n%s", n, times, log.all())
		}
		r.publish("kill-session>live")
		target.want(t, time.Nanosecond, "kill-session>live")
	})
}

// FuzzReplies plays the part of Redis with any bytes.
func FuzzReplies(f *testing.F) {
	for _, answer := range strangers {
		answer = answer[:min(len(answer), 200)]
		f.Add([]byte(noHello + subscribed + answer))
		f.Add([]byte(noHello + answer))
		f.Add([]byte(answer))
	}
	f.Add([]byte("*14\r\n" + strings.Repeat("$6\r\nserver\r\n*1\r\n:1\r\n", 7) + subscribed + message("kill-session>live")))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := New(Options{Channel: testChannel, Target: newRecorder(), IDMaxLength: 128, Log: discardLog()})
		l.dial = func(context.Context, string, string) (net.Conn, error) {
			return &memory{Reader: strings.NewReader(string(data))}, nil
		}
		if _, err := l.session(t.Context()); err == nil {
			t.Fatal("a session ended without a reason")
		}
		if got := l.Stats().Received; got > uint64(len(data)/len("*3\r\n")) {
			t.Fatalf("%d messages in %d bytes", got, len(data))
		}
	})
}
