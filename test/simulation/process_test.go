package simulation

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/command"
	"github.com/AgustinSRG/rtmp-server/internal/hook"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// boot starts the process of the server.
func (w *world) boot() {
	s := w.settings
	w.listener, w.limiter = rtmptest.NewListener(), access.NewLimiter(1000, access.List{}, 64)
	w.registry = stream.NewRegistry(stream.Options{ChunkSize: s.ChunkSize, CacheBytes: s.CacheBytes, Takeover: s.Takeover})
	log := slog.New(slog.NewTextHandler(serverLog{w}, nil))
	if w.backend != nil {
		w.authorizer.hook = w.backend.boot(log)
	}
	everyone, _ := access.ParseList("*")
	options := server.Options{
		Registry: w.registry, Authorizer: w.authorizer, Limiter: w.limiter, Players: everyone,
		ChunkSize: s.ChunkSize, IDMaxLength: 16, MaxWriteDelay: s.MaxWriteDelay, PlayWait: s.PlayWait, PublishGrace: s.Grace,
		Log: log, LogRequests: true,
	}
	if s.Strict {
		options.Enhanced = server.EnhancedStrict
	}
	w.server = server.New(options)
	w.memory.seeProcess(w.server, w.registry)
	served, accepting, l := make(chan error, 1), w.server, w.listener
	w.served = served
	go func() { served <- accepting.Serve(l) }()
	if w.redis != nil {
		w.commands = newOperator(command.New(command.Options{
			Addr: "redis:6379", Channel: redisChannel, Dial: w.redis.dial, Target: w.registry, IDMaxLength: 16, Log: log,
		}))
	}
}

// operator hears commands until it is stopped.
type operator struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func newOperator(l *command.Listener) *operator {
	ctx, cancel := context.WithCancel(context.Background())
	o := &operator{cancel: cancel}
	o.running.Go(func() { _ = l.Run(ctx) })
	return o
}

func (o *operator) stop() {
	if o != nil {
		o.cancel()
		o.running.Wait()
	}
}

// crash kills the process of the server, as kill -9 does: nobody is told of
// anything, and what is in the state directory is what was there before.
func (w *world) crash() {
	synctest.Wait()
	w.commands.stop()
	next := w.authorizer.crash()
	var journal []byte
	if w.backend != nil {
		journal = w.backend.cutOff()
	}
	w.mu.Lock()
	for _, p := range w.peers {
		_ = p.conn.Reset()
	}
	w.mu.Unlock()
	_ = w.server.Close()
	_ = w.server.Shutdown(context.Background())
	if err := <-w.served; !errors.Is(err, server.ErrServerClosed) {
		w.violate("serve: %v", err)
	}
	if w.backend != nil {
		w.backend.restore(w.authorizer.hook, journal)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.authorizer = next
	w.boot()
}

// stopAround ends what is around the server.
func (w *world) stopAround() {
	w.commands.stop()
	if w.redis != nil {
		w.redis.do("go")
	}
	if w.backend != nil {
		w.backend.stop(w.authorizer.hook)
	}
}

// command has an operator's order come, in the way of the history. An order for a
// stream that is over is for nobody.
func (w *world) command(s step) {
	switch s.action {
	case kill:
		for _, p := range w.peers {
			if slices.Contains(p.channels, s.channel) {
				w.doom(p.address().String())
			}
		}
		w.say(command.Command{Verb: command.KillSession, Channel: s.channel})
	case reconnect:
		w.say(command.Command{Verb: command.RequestReconnect, Channel: s.channel, URL: "rtmp://other.example.com"})
	case closeStream:
		ids := w.authorizer.onChannel(s.channel)
		if s.how == "past" {
			ids = w.authorizer.pastIDs()
		}
		for _, id := range ids {
			if client, ok := w.authorizer.client(id, s.channel); ok {
				w.doom(client)
			}
			w.say(command.Command{Verb: command.CloseStream, Channel: s.channel, StreamID: id})
		}
	}
}

func (w *world) say(c command.Command) {
	switch {
	case w.redis != nil:
		w.redis.publish(c.String())
	case c.Verb == command.KillSession:
		w.registry.KillSession(c.Channel)
	case c.Verb == command.CloseStream:
		w.registry.CloseStream(c.Channel, c.StreamID)
	default:
		w.registry.RequestReconnect(c.Channel, c.URL)
	}
}

func (w *world) doom(client string) {
	w.journalMu.Lock()
	defer w.journalMu.Unlock()
	w.doomed[client] = true
}

func (w *world) isDoomed(client string) bool {
	w.journalMu.Lock()
	defer w.journalMu.Unlock()
	return w.doomed[client]
}

var clientInLog = regexp.MustCompile(`\baddr=(10\.[0-9.]+):`)

// clientOf is the address of the client that a line of the log is about.
func clientOf(line string) string {
	if m := clientInLog.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// restore gives the state directory back what was in it at the crash, and a torn
// record, as of a write that was under way.
func (b *backend) restore(dead *hook.Hook, journal []byte) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = dead.Shutdown(ended)
	if torn := len(journal) / 3; torn > 0 && len(journal)%2 == 0 {
		journal = append(journal, journal[:torn]...)
	}
	if err := os.WriteFile(filepath.Join(b.stateDir, journalName), journal, 0o600); err != nil {
		b.w.violate("restore journal: %v", err)
	}
}

const journalName = "stops.journal"

// stop has the backend well again, by which time it must hear of all that is over.
func (b *backend) stop(h *hook.Hook) {
	b.become(backendWell)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := h.Shutdown(ctx); err != nil && !errors.Is(err, context.Canceled) {
		b.w.violate("stop events: %v", err)
	}
	b.checkBooks()
	b.cutOff()
	_ = b.server.Close()
}
