//go:build unix

package command

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// publish gives a command that one listener hears.
func (o *operator) publish(t *testing.T, payload string) {
	t.Helper()
	if got := o.do(t, "PUBLISH", testChannel, payload); got != ":1" {
		t.Fatalf("%.60q was heard by %s listeners", payload, got)
	}
}

// listenTo runs a listener until the test ends.
func listenTo(t *testing.T, r *redisServer, change func(*Listener)) (*Listener, *recorder, *lines) {
	t.Helper()
	l, target, log := newListener(func(o *Options) { o.Addr = r.addr })
	if change != nil {
		change(l)
	}
	t.Cleanup(run(t, l))
	return l, target, log
}

func TestCommandsOfARealRedisActWithinASecond(t *testing.T) {
	r := startRedis(t)
	_, target, log := listenTo(t, r, nil)
	log.await(t, patience, textBack)
	o := r.operator(t)
	for i := range 100 {
		kill, end := fmt.Sprintf("kill-session>live-%d", i), fmt.Sprintf("close-stream>live|id-%d", i)
		o.publish(t, kill)
		target.want(t, time.Second, kill)
		o.publish(t, end+"\n")
		target.want(t, time.Second, end)
	}
}

func TestRedisMayComeAfterTheListener(t *testing.T) {
	r := newRedis(t, "--port")
	_, target, log := listenTo(t, r, nil)
	log.await(t, patience, "connection refused")
	r.start(t)
	log.await(t, patience, textBack)
	r.operator(t).publish(t, "kill-session>live")
	target.want(t, time.Second, "kill-session>live")
	if n := log.count(textLost); n != 1 {
		t.Errorf("%d lines for one outage:\n%s", n, log.all())
	}
}

func TestRedisMayBeKilledAndRestarted(t *testing.T) {
	r := startRedis(t)
	l, target, log := listenTo(t, r, nil)
	const times = 20
	for i := range times {
		log.await(t, patience, textBack)
		kill := fmt.Sprintf("kill-session>live-%d", i)
		r.operator(t).publish(t, kill)
		target.want(t, time.Second, kill)
		r.kill()
		log.await(t, patience, textLost)
		r.start(t)
	}
	log.await(t, patience, textBack)
	if s := l.Stats(); !s.Connected || s.Subscriptions != times+1 || s.Disconnected == 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestFrozenRedisIsLeftAndFoundAgain(t *testing.T) {
	r := startRedis(t)
	_, target, log := listenTo(t, r, func(l *Listener) {
		l.timing.ping, l.timing.read, l.timing.step = 200*time.Millisecond, 400*time.Millisecond, 200*time.Millisecond
	})
	log.await(t, patience, textBack)
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	log.await(t, patience, "i/o timeout")
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	log.await(t, patience, textBack)
	r.operator(t).do(t, "PUBLISH", testChannel, "kill-session>live")
	target.want(t, time.Second, "kill-session>live")
}

func TestValidCommandInAFloodActsWithinTwoSeconds(t *testing.T) {
	r := startRedis(t)
	l, target, log := listenTo(t, r, nil)
	log.await(t, patience, textBack)
	start := time.Now()
	heap := heapInUse()

	const junk = 100_000
	flood := r.operator(t)
	written := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(flood)
		text := strings.Repeat("junk ", 16)
		for i := range junk {
			_, _ = fmt.Fprint(out, array("PUBLISH", testChannel, fmt.Sprintf("%s%d", text, i)))
		}
		_, _ = fmt.Fprint(out, array("PUBLISH", testChannel, "kill-session>last"))
		written <- out.Flush()
	}()
	for i := range junk + 1 {
		if _, err := flood.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if i == junk/2 {
			r.operator(t).publish(t, "kill-session>live")
			target.want(t, 2*time.Second, "kill-session>live")
		}
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	target.want(t, 2*time.Second, "kill-session>last")

	if s := l.Stats(); s.Received != junk+2 || s.Ignored.Syntax != junk || s.Dropped != 0 || s.Subscriptions != 1 {
		t.Errorf("stats are %+v", s)
	}
	if n, most := log.count(textIgnored), maxLines*(2+int(time.Since(start)/time.Second)); n > most {
		t.Errorf("%d lines, want %d at most", n, most)
	}
	if now := heapInUse(); now > heap+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", heap, now)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestPasswordOpensRedisAndAWrongOneIsToldOnce(t *testing.T) {
	r := startRedis(t, "--requirepass", "right-password")
	o := r.operator(t)
	o.do(t, "AUTH", "right-password")

	t.Run("right", func(t *testing.T) {
		_, target, log := listenTo(t, r, func(l *Listener) { l.options.Password = "right-password" })
		log.await(t, patience, textBack)
		o.publish(t, "kill-session>live")
		target.want(t, time.Second, "kill-session>live")
	})
	for name, password := range map[string]string{"wrong": "wrong-password", "none": ""} {
		t.Run(name, func(t *testing.T) {
			attempts := make(chan struct{}, 1)
			_, target, log := listenTo(t, r, func(l *Listener) {
				l.options.Password = password
				l.timing.mostPause = l.timing.leastPause
				dial := l.dial
				l.dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
					select {
					case attempts <- struct{}{}:
					default:
					}
					return dial(ctx, network, addr)
				}
			})
			line := log.await(t, patience, textLost)
			if !strings.Contains(line, "WRONGPASS") && !strings.Contains(line, "NOAUTH") {
				t.Errorf("the reason is not told: %s", line)
			}
			for range 5 {
				select {
				case <-attempts:
				case <-time.After(patience):
					t.Fatal("no further attempts")
				}
			}
			o.do(t, "CONFIG", "SET", "requirepass", password)
			defer o.do(t, "CONFIG", "SET", "requirepass", "right-password")
			log.await(t, patience, textBack)
			o.publish(t, "kill-session>live")
			target.want(t, time.Second, "kill-session>live")
			if n := log.count(textLost); n != 1 || password != "" && strings.Contains(log.all(), password) {
				t.Errorf("the log is\n%s", log.all())
			}
		})
	}
}

func TestRedisThatDropsASlowListenerIsSubscribedToAgain(t *testing.T) {
	r := startRedis(t)
	l, target, log := listenTo(t, r, nil)
	log.await(t, patience, textBack)
	o := r.operator(t)
	o.do(t, "CONFIG", "SET", "client-output-buffer-limit", "pubsub 1mb 1mb 1")
	// One script fills the buffer before Redis writes any of it.
	o.do(t, "EVAL", "for i = 1, 2000 do redis.call('PUBLISH', KEYS[1], string.rep('x', 4000)) end return 1", "1", testChannel)
	log.await(t, patience, textLost)
	log.await(t, patience, textBack)
	o.publish(t, "kill-session>live")
	target.want(t, time.Second, "kill-session>live")
	if s := l.Stats(); s.Subscriptions != 2 {
		t.Errorf("stats are %+v", s)
	}
}

func TestMessageTooLargeToReadCostsOneConnection(t *testing.T) {
	r := startRedis(t)
	_, target, log := listenTo(t, r, nil)
	log.await(t, patience, textBack)
	o := r.operator(t)
	o.publish(t, strings.Repeat("x", 60_000))
	log.await(t, patience, "message is too long")
	o.publish(t, strings.Repeat("x", 8<<20))
	log.await(t, patience, "reply is too large")
	log.await(t, patience, textBack)
	o.publish(t, "kill-session>live")
	target.want(t, time.Second, "kill-session>live")
}

func TestCommandsComeOverTLS(t *testing.T) {
	cert, key, pool := certificate(t)
	r := newRedis(t, "--tls-port", "--port", "0", "--tls-auth-clients", "no",
		"--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	r.start(t)
	trusting := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}

	l, target, log := newListener(func(o *Options) { o.Addr, o.TLS = r.addr, trusting })
	defer run(t, l)()
	log.await(t, patience, textBack)
	conn, err := tls.Dial("tcp", r.addr, trusting)
	if err != nil {
		t.Fatal(err)
	}
	newOperator(t, conn).publish(t, "kill-session>live")
	target.want(t, time.Second, "kill-session>live")

	for name, config := range map[string]*tls.Config{
		"an unknown authority": {MinVersion: tls.VersionTLS12},
		"another name":         {RootCAs: pool, ServerName: "redis.test", MinVersion: tls.VersionTLS12},
		"no encryption":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			l, _, log := newListener(func(o *Options) { o.Addr, o.TLS = r.addr, config })
			defer run(t, l)()
			log.await(t, patience, textLost)
			if s := l.Stats(); s.Connected || s.Subscriptions != 0 {
				t.Errorf("stats are %+v", s)
			}
		})
	}
}
