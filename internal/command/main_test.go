package command

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the waits for events that are certain to come. It tells a
// hang from a slow machine and is no figure of the product.
const patience = 10 * time.Second

// recorder is a target that notes the commands it gets.
type recorder struct {
	commands chan Command
	// hold, if not nil, blocks every call until it is closed.
	hold chan struct{}
}

func newRecorder() *recorder { return &recorder{commands: make(chan Command, 2*maxQueue)} }

func (r *recorder) note(c Command) {
	if r.hold != nil {
		<-r.hold
	}
	r.commands <- c
}

func (r *recorder) KillSession(channel string) int {
	r.note(Command{Verb: KillSession, Channel: channel})
	return 1
}

func (r *recorder) RequestReconnect(channel, tcURL string) int {
	r.note(Command{Verb: RequestReconnect, Channel: channel, URL: tcURL})
	return 2
}

func (r *recorder) CloseStream(channel, streamID string) bool {
	r.note(Command{Verb: CloseStream, Channel: channel, StreamID: streamID})
	return true
}

// want waits for a command and fails unless it is this one.
func (r *recorder) want(t *testing.T, within time.Duration, message string) {
	t.Helper()
	select {
	case c := <-r.commands:
		if c.String() != message {
			t.Fatalf("executed %q, want %q", c, message)
		}
	case <-time.After(within):
		t.Fatalf("%q not executed within %v", message, within)
	}
}

// lines is a log handler that keeps every line and lets tests wait for one.
type lines struct {
	mu    sync.Mutex
	texts []string // message and attributes
	more  chan struct{}
	seen  int // by await
}

func newLines() *lines { return &lines{more: make(chan struct{}, 1)} }

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Write takes a line from the text handler.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.texts = append(l.texts, string(p))
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

// await waits for a line with this text behind the one that the last call
// found, and returns it.
func (l *lines) await(t *testing.T, within time.Duration, text string) string {
	t.Helper()
	timeout := time.After(within)
	for {
		if line, ok := l.next(text); ok {
			return line
		}
		select {
		case <-l.more:
		case <-timeout:
			t.Fatalf("no line %q within %v, but:\n%s", text, within, l.all())
		}
	}
}

func (l *lines) next(text string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.seen < len(l.texts) {
		line := l.texts[l.seen]
		l.seen++
		if strings.Contains(line, text) {
			return line, true
		}
	}
	return "", false
}

func (l *lines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var n int
	for _, line := range l.texts {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (l *lines) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.texts, "")
}

const testChannel = "rtmp_commands"

// newListener returns a listener with a target and a log to watch.
func newListener(change func(*Options)) (*Listener, *recorder, *lines) {
	target, log := newRecorder(), newLines()
	o := Options{Addr: "redis.test:6379", Channel: testChannel, Target: target, IDMaxLength: 128, Log: log.logger()}
	if change != nil {
		change(&o)
	}
	return New(o), target, log
}

// run starts l and returns what stops it, waits for it and checks its result.
func run(t *testing.T, l *Listener) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(time.Second):
			t.Fatal("Run did not return within a second")
		}
	})
}

func discardLog() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
