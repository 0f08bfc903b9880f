package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// virtually runs a listener against a scripted Redis in virtual time.
func virtually(t *testing.T, r *scripted, f func(t *testing.T, l *Listener, target *recorder, log *lines)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l, target, log := newListener(nil)
		l.dial = r.dial
		stop := run(t, l)
		defer stop()
		synctest.Wait()
		f(t, l, target, log)
	})
}

// pass lets virtual time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestCommandsAreCarriedOutAndOtherMessagesIgnored(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
		r.publish("kill-session>one")
		r.publish("close-stream>two|id-1")
		target.want(t, time.Nanosecond, "kill-session>one")
		target.want(t, time.Nanosecond, "close-stream>two|id-1")
		r.publish(strings.Repeat("x", 5000))
		r.publish("nonsense")
		r.publish("no>sense")
		r.publish("kill-session>" + strings.Repeat("x", 129))
		r.publish("kill-session>" + strings.Repeat("x", 128))
		target.want(t, time.Nanosecond, "kill-session>"+strings.Repeat("x", 128))
		synctest.Wait()
		want := Stats{
			Connected: true, Subscriptions: 1, Received: 7, Executed: 3,
			Ignored: Ignored{TooLong: 1, Syntax: 1, Unknown: 1, ID: 1},
		}
		if got := l.Stats(); got != want {
			t.Errorf("stats are %+v, want %+v", got, want)
		}
		if log.count(textExecuted) != 3 || log.count(textIgnored) != 4 || log.count("closed=true") != 1 {
			t.Errorf("the log is\n%s", log.all())
		}
	})
}

func TestRedisThatIsDownIsTriedWithGrowingPauses(t *testing.T) {
	r := &scripted{answers: healthy, refusing: true}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
		pass(time.Minute)
		dials := r.attempts()
		longest := l.timing.leastPause
		for i := 1; i < len(dials); i++ {
			if p := dials[i].Sub(dials[i-1]); p < longest/2 || p > longest {
				t.Errorf("pause %d is %v, want %v to %v", i, p, longest/2, longest)
			}
			longest = min(2*longest, l.timing.mostPause)
		}
		if len(dials) < 10 {
			t.Errorf("%d attempts in a minute", len(dials))
		}
		if s := l.Stats(); s.Connected || s.Disconnected != time.Minute {
			t.Errorf("stats after a minute are %+v", s)
		}
		r.change(func() { r.refusing = false })
		pass(l.timing.mostPause)
		r.publish("kill-session>live")
		target.want(t, time.Nanosecond, "kill-session>live")
		down := l.Stats().Disconnected
		pass(time.Minute)
		if s := l.Stats(); !s.Connected || s.Disconnected != down || down < time.Minute || down > 70*time.Second {
			t.Errorf("stats are %+v, and it was down for %v", s, down)
		}
		if log.count(textLost) != 1 || log.count(textBack) != 1 || log.count("connection refused") != 1 {
			t.Errorf("the log is\n%s", log.all())
		}
	})
}

func TestSilentRedisIsGivenUpAfterTheDeadlineOfTheStep(t *testing.T) {
	for name, r := range map[string]*scripted{
		"connection":     {hanging: true},
		"handshake":      {answers: answers{}},
		"authentication": {answers: answers{"hello": noHello}},
		"subscription":   {answers: answers{"hello": noHello, "auth": "+OK\r\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _, log := newListener(func(o *Options) { o.Password = "secret" })
				l.dial = r.dial
				stop := run(t, l)
				defer stop()
				pass(l.timing.step - time.Millisecond)
				if len(r.attempts()) != 1 || log.count(textLost) != 0 {
					t.Errorf("given up early:\n%s", log.all())
				}
				pass(2 * time.Millisecond)
				if log.count(textLost) != 1 {
					t.Errorf("not given up:\n%s", log.all())
				}
				pass(time.Minute)
				if n := log.count(textLost); n != 1 || strings.Contains(log.all(), "secret") {
					t.Errorf("the log is\n%s", log.all())
				}
			})
		})
	}
}

// Pauses are counted from the beginning of an attempt: when the host is well again,
// nobody waits for an attempt and a whole pause.
func TestRedisIsTriedAgainWithinTheLongestPauseHoweverAttemptsFail(t *testing.T) {
	r := &scripted{answers: healthy, hanging: true}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, _ *lines) {
		pass(10 * time.Minute)
		dials := r.attempts()
		for i := 1; i < len(dials); i++ {
			if p := dials[i].Sub(dials[i-1]); p < l.timing.step || p > l.timing.mostPause {
				t.Errorf("attempt %d comes %v after the one before", i, p)
			}
		}
		if len(dials) < 60 {
			t.Errorf("%d attempts in ten minutes", len(dials))
		}
		r.change(func() { r.hanging = false })
		pass(l.timing.mostPause)
		r.publish("kill-session>live")
		target.want(t, time.Nanosecond, "kill-session>live")
	})
}

// A network that breaks connections off does so in more than one way.
func TestReasonsThatTakeTurnsAreLoggedOnceEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, log := newListener(nil)
		reasons := []error{syscall.ECONNRESET, io.ErrUnexpectedEOF, syscall.EPIPE}
		n := 0
		l.dial = func(context.Context, string, string) (net.Conn, error) {
			n++
			return nil, reasons[n%len(reasons)]
		}
		stop := run(t, l)
		defer stop()
		pass(time.Hour)
		if n < 100 || log.count(textLost) != len(reasons) {
			t.Errorf("%d attempts, and the log is\n%s", n, log.all())
		}
	})
}

// Each attempt fails in a way of its own: the log of one outage has an end.
func TestReasonsWithoutAnEndAreNotAllLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, log := newListener(nil)
		reason := ""
		l.dial = func(context.Context, string, string) (net.Conn, error) {
			reason += "x"
			return nil, errors.New(reason)
		}
		stop := run(t, l)
		defer stop()
		pass(time.Hour)
		if got := log.count(textLost); got != maxReasons {
			t.Errorf("%d lines", got)
		}
	})
}

func TestFrozenRedisIsNoticedWithinTwentySeconds(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
		pass(44 * time.Second) // two pings are answered
		r.change(func() { r.answers = nil })
		pass(20 * time.Second)
		if log.count(textLost) == 0 || l.Stats().Connected {
			t.Fatalf("not noticed:\n%s", log.all())
		}
		r.change(func() { r.answers = healthy })
		pass(l.timing.step + l.timing.mostPause)
		r.publish("kill-session>live")
		target.want(t, time.Nanosecond, "kill-session>live")
		if s := l.Stats(); s.Subscriptions != 2 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestIdleRedisIsKeptForAsLongAsItAnswersPings(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, _ *recorder, log *lines) {
		pass(time.Hour + time.Second)
		if n := r.heard("ping"); n != 240 || len(r.attempts()) != 1 || l.Stats().Disconnected != 0 {
			t.Errorf("%d pings, %d connections\n%s", n, len(r.attempts()), log.all())
		}
	})
}

func TestPingThatCannotBeSentEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _, log := newListener(nil)
		l.timing.read = time.Hour
		l.dial = func(context.Context, string, string) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { // reads HELLO and SUBSCRIBE, and nothing after
				for _, answer := range []string{noHello, subscribed} {
					_, _ = server.Read(make([]byte, 1024))
					_, _ = server.Write([]byte(answer))
				}
			}()
			return client, nil
		}
		stop := run(t, l)
		defer stop()
		pass(l.timing.ping + l.timing.step + time.Millisecond)
		if log.count("write pipe: i/o timeout") != 1 {
			t.Errorf("the log is\n%s", log.all())
		}
	})
}

func TestPausesStartAnewAfterASubscriptionThatHeld(t *testing.T) {
	for name, c := range map[string]struct {
		hold    func(r *scripted, l *Listener)
		shorter bool
	}{
		"confirmed only":    {func(*scripted, *Listener) {}, false},
		"brought a message": {func(r *scripted, _ *Listener) { r.publish("nonsense") }, true},
		"stood for a while": {func(_ *scripted, l *Listener) { pass(l.timing.steady) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &scripted{refusing: true, answers: healthy}
			virtually(t, r, func(t *testing.T, l *Listener, _ *recorder, log *lines) {
				pass(time.Minute)
				r.change(func() { r.refusing = false })
				log.await(t, l.timing.mostPause, textBack)
				c.hold(r, l)
				synctest.Wait()
				r.hangUp()
				lost := time.Now()
				pass(l.timing.mostPause)
				dials := r.attempts()
				pause := dials[len(dials)-1].Sub(lost)
				if shorter := pause <= l.timing.leastPause; shorter != c.shorter {
					t.Errorf("a pause of %v", pause)
				}
			})
		})
	}
}

func TestEachLossAndReturnIsLoggedOnce(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, _ *recorder, log *lines) {
		r.change(func() { r.refusing = true })
		r.hangUp()
		pass(time.Hour)
		r.change(func() { r.refusing = false; r.answers = healthy.with("subscribe", "-LOADING\r\n") })
		pass(time.Hour)
		r.change(func() { r.answers = healthy })
		pass(time.Hour)
		// Each reason has a line: EOF, refused, LOADING.
		if log.count(textLost) != 3 || log.count(textBack) != 2 {
			t.Errorf("the log is\n%s", log.all())
		}
	})
}

func TestReasonsThatDifferInNumbersAreOne(t *testing.T) {
	a := fmt.Errorf("read tcp 127.0.0.1:43422->127.0.0.1:6379: reset at 10:15")
	b := fmt.Errorf("read tcp 127.0.0.1:51000->127.0.0.1:6379: reset at 10:16")
	c := fmt.Errorf("read tcp 127.0.0.1:51000->127.0.0.1:6379: timeout")
	if kindOf(a) != kindOf(b) || kindOf(a) == kindOf(c) {
		t.Errorf("kinds are %q, %q and %q", kindOf(a), kindOf(b), kindOf(c))
	}
}

func TestRunEndsWithItsContextWhateverItWaitsFor(t *testing.T) {
	for name, r := range map[string]*scripted{
		"connection":   {hanging: true},
		"handshake":    {answers: answers{}},
		"subscription": {answers: answers{"hello": noHello}},
		"messages":     {answers: healthy},
		"a pause":      {refusing: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _, log := newListener(nil)
				l.dial = r.dial
				stop := run(t, l)
				pass(time.Millisecond)
				before := time.Now()
				lost := log.count(textLost)
				stop()
				if took := time.Since(before); took > 0 {
					t.Errorf("took %v", took)
				}
				pass(time.Hour)
				if s := l.Stats(); s.Connected || s.Disconnected > time.Second {
					t.Errorf("stats are %+v", s)
				}
				if log.count(textLost) != lost {
					t.Errorf("the end is logged as a loss:\n%s", log.all())
				}
			})
		})
	}
}

func TestCommandsBeyondTheQueueAreDroppedAndCounted(t *testing.T) {
	r := &scripted{answers: healthy}
	synctest.Test(t, func(t *testing.T) {
		l, target, log := newListener(nil)
		l.dial = r.dial
		target.hold = make(chan struct{})
		stop := run(t, l)
		defer stop()
		synctest.Wait()
		const more = 50
		for i := range 1 + maxQueue + more {
			r.publish(fmt.Sprintf("kill-session>%d", i))
			synctest.Wait() // the first is being executed
		}
		if s := l.Stats(); s.Dropped != more || s.Executed != 0 {
			t.Errorf("stats are %+v", s)
		}
		if n := log.count(textDropped); n != maxLines {
			t.Errorf("%d lines of %d dropped commands", n, more)
		}
		close(target.hold)
		synctest.Wait()
		for i := range 1 + maxQueue {
			target.want(t, time.Nanosecond, fmt.Sprintf("kill-session>%d", i))
		}
	})
}

func TestEachCommandIsObserved(t *testing.T) {
	r := &scripted{answers: healthy}
	virtually(t, r, func(t *testing.T, l *Listener, target *recorder, log *lines) {
		var mu sync.Mutex
		observed := make(map[string]int)
		l.options.Observe = func(v Verb, r Result) {
			mu.Lock()
			defer mu.Unlock()
			observed[string(v)+" "+string(r)]++
		}
		for _, c := range []string{"kill-session>one", "close-stream>two|id-1", "request-reconnect>three", "nonsense>x"} {
			r.publish(c)
			synctest.Wait()
		}
		results := 0
		for _, n := range observed {
			results += n
		}
		if results != 3 || len(observed) != 3 {
			t.Errorf("observed %v", observed)
		}
	})
}
