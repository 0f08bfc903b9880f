package command

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
)

// maxQueue is how many commands wait for their execution. It bounds the memory
// of a flood of commands that are all valid.
const maxQueue = 1024

// maxReasons is how many lines the log gets of one outage. A network that breaks
// connections off does so in several ways, in any order, and each is told once.
const maxReasons = 8

// Target carries commands out. No call may block, or the commands behind
// it wait.
type Target interface {
	// KillSession closes every session of the channel and returns how many
	// there were.
	KillSession(channel string) int
	// CloseStream closes the publisher of exactly that stream, and reports
	// whether there was one.
	CloseStream(channel, streamID string) bool
	// RequestReconnect asks every session of the channel that can be asked to
	// connect anew, to the given tcUrl unless it is empty, and returns how many
	// there were.
	RequestReconnect(channel, tcURL string) int
}

// Options are the settings of a [Listener].
type Options struct {
	// Addr is the host and port of Redis.
	Addr string
	// Password may be empty.
	Password string
	// Channel is the Pub/Sub channel that commands come on.
	Channel string
	// TLS may be nil, for a plain connection. Without a ServerName in it the
	// certificate must be one for the host of Addr.
	TLS *tls.Config
	// Target carries the commands out. Required.
	Target Target
	// IDMaxLength is the longest channel in a command, in characters.
	IDMaxLength int
	// Observe is told of each command, if it is not nil. It must not block.
	Observe func(Verb, Result)
	// Dial opens the connections to Redis; nil means TCP, with TLS if there is
	// any.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Log takes a line when Redis is lost and when it is back, and a limited
	// number of them for commands and other messages. Required.
	Log *slog.Logger
	// Panics counts commands that panic. It may be nil.
	Panics *logs.Panics
}

// Listener hears commands and has them carried out.
type Listener struct {
	options Options
	timing  timing
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)

	queue    chan Command
	journal  *journal
	counters counters
}

// New returns a listener that does nothing before [Listener.Run].
func New(o Options) *Listener {
	silenceClient()
	if o.Observe == nil {
		o.Observe = func(Verb, Result) {}
	}
	if o.Panics == nil {
		o.Panics = logs.NewPanics()
	}
	l := &Listener{
		options: o,
		timing:  defaultTiming,
		dial:    new(net.Dialer).DialContext,
		queue:   make(chan Command, maxQueue),
		journal: newJournal(o.Log),
	}
	switch {
	case o.Dial != nil:
		l.dial = o.Dial
	case o.TLS != nil:
		l.dial = dialTLS(o.TLS)
	}
	return l
}

// silenceClient switches the log of go-redis off. It is one for the whole
// process and writes to standard error: for each attempt to reconnect, past
// the format and the limits of our log, what receive returns as an error too.
var silenceClient = sync.OnceFunc(func() { redis.SetLogger(silence{}) })

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// The texts of the log. The first two are limited by the pauses between
// attempts, so that the last one written is always true; the others by the
// journal.
const (
	textLost = "redis commands unavailable"
	textBack = "redis commands available"

	textExecuted = "redis command executed"
	textIgnored  = "redis message ignored"
	textDropped  = "redis command dropped, too many at once"
)

// Run listens until ctx ends, which is no error, however often Redis comes and
// goes. A listener runs once. All its goroutines have ended when Run returns.
func (l *Listener) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var executor sync.WaitGroup
	executor.Go(func() { l.execute(ctx) })
	defer l.journal.flush()
	defer executor.Wait()
	defer cancel()
	defer l.counters.outage.end(false)

	pauses := backoff{least: l.timing.leastPause, most: l.timing.mostPause}
	known := make(map[string]bool) // kinds of reasons that the log has of this outage
	l.counters.outage.begin()
	for {
		began := time.Now()
		reached, err := l.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		l.counters.outage.begin()
		if reached.subscribed {
			clear(known)
			began = time.Now()
		}
		if kind := kindOf(err); !known[kind] && len(known) < maxReasons {
			known[kind] = true
			l.options.Log.Warn(textLost, "addr", l.options.Addr, "reason", excerpt(err.Error()))
		}
		if reached.steady {
			pauses.reset()
		}
		l.journal.flush()
		// An attempt that took its time is part of the pause: after an outage Redis
		// is met within the longest pause, however its host failed before.
		if !wait(ctx, max(pauses.pause()-time.Since(began), l.timing.leastPause/2)) {
			return nil
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// kindOf returns what tells one reason for a loss from another: its text
// without digits, since port numbers and times differ in each attempt.
func kindOf(reason error) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, reason.Error())
}

// outcome is how far a session came.
type outcome struct {
	subscribed bool
	steady     bool // see timing.leastPause
}

// session subscribes, and hears commands until the connection is lost.
func (l *Listener) session(ctx context.Context) (o outcome, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := l.subscribe(ctx)
	if err != nil {
		return o, err
	}
	var pinger sync.WaitGroup
	pinger.Go(func() { s.keepAlive(ctx, l.timing.ping) })
	defer pinger.Wait()
	defer s.close()
	defer cancel()

	o.subscribed = true
	start := time.Now()
	l.counters.subscriptions.Add(1)
	l.counters.outage.end(true)
	l.options.Log.Info(textBack, "addr", l.options.Addr, "channel", l.options.Channel)
	messages, err := l.hear(ctx, s)
	o.steady = messages > 0 || time.Since(start) >= l.timing.steady
	return o, err
}

// hear takes messages until an error, and returns how many they were.
func (l *Listener) hear(ctx context.Context, s *subscription) (messages int, err error) {
	for {
		reply, err := s.receive(ctx, l.timing.read)
		if err != nil {
			return messages, err
		}
		switch r := reply.(type) {
		case *redis.Message:
			messages++
			l.take(r.Payload)
		case *redis.Pong:
			l.journal.flush()
		default:
			return messages, fmt.Errorf("%w: %T", errNotRedis, r)
		}
	}
}

// take queues the command of a message. What is not a command goes no further:
// a flood of it costs nothing but this.
func (l *Listener) take(payload string) {
	l.counters.received.Add(1)
	c, err := Parse(payload)
	if err == nil {
		err = checkID("channel", c.Channel, l.options.IDMaxLength)
	}
	if err != nil {
		l.counters.ignored(err)
		l.journal.write(slog.LevelWarn, textIgnored, "reason", err, "message", excerpt(payload))
		return
	}
	select {
	case l.queue <- c:
	default:
		l.counters.dropped.Add(1)
		l.options.Observe(c.Verb, Dropped)
		l.journal.write(slog.LevelError, textDropped, "command", c.String())
	}
}

// execute carries out commands in their order.
func (l *Listener) execute(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case c := <-l.queue:
			l.carryOut(c)
		}
	}
}

// carryOut executes one command. A panic costs that command only.
func (l *Listener) carryOut(c Command) {
	defer func() {
		if p := recover(); p != nil {
			l.options.Panics.Caught(l.options.Log, p, "command", c.String())
		}
	}()
	faultinject.At(faultinject.Execute, c.Channel)
	result := Missed
	if l.apply(c) {
		result = Done
	}
	l.counters.executed.Add(1)
	l.options.Observe(c.Verb, result)
}

// apply reports whether the command met anybody.
func (l *Listener) apply(c Command) bool {
	switch c.Verb {
	case KillSession:
		closed := l.options.Target.KillSession(c.Channel)
		l.journal.write(slog.LevelInfo, textExecuted, "command", c.String(), "closed", closed)
		return closed > 0
	case CloseStream:
		closed := l.options.Target.CloseStream(c.Channel, c.StreamID)
		l.journal.write(slog.LevelInfo, textExecuted, "command", c.String(), "closed", closed)
		return closed
	default:
		asked := l.options.Target.RequestReconnect(c.Channel, c.URL)
		l.journal.write(slog.LevelInfo, textExecuted, "command", c.String(), "asked", asked)
		return asked > 0
	}
}
