package app

import (
	"context"
	"log/slog"
	"os"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/memory"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// memoryShare is which part of the memory may be kept for newcomers, and which may be
// held by incomplete messages: a quarter each. The rest is for what viewers have not
// been sent yet, and for connections.
const memoryShare = 4

// budgets say what the memory that the server may use goes to, in bytes.
type budgets struct {
	limit memory.Limit
	// channel and caches are for newcomers, of one channel and of all; incomplete is
	// for incomplete messages. 0 means no bound, but for channel: nothing is kept.
	channel, caches, incomplete int64
}

// newBudgets finds out what there is, and sets the limit of the runtime.
func newBudgets(settings config.Settings, log *slog.Logger) budgets {
	limit := memory.Find(os.DirFS("/"), settings.MemoryLimit, memory.RuntimeLimit())
	limit.Apply()
	b := divide(limit, settings)
	const mb = 1 << 20
	log.Info("memory", "limit_mb", limit.Bytes/mb, "from", string(limit.Source), "runtime_mb", limit.Heap/mb,
		"caches_mb", b.caches/mb, "incomplete_messages_mb", b.incomplete/mb)
	return b
}

func divide(limit memory.Limit, settings config.Settings) budgets {
	b := budgets{limit: limit, channel: settings.CacheBytes, caches: settings.CacheTotal, incomplete: limit.Bytes / memoryShare}
	if b.caches == 0 {
		b.caches = limit.Bytes / memoryShare
	}
	if b.caches > 0 {
		b.channel = min(b.channel, b.caches) // a single channel is bounded at once
	}
	return b
}

// watch returns what keeps the process within its memory.
func (b budgets) watch(registry *stream.Registry, s *server.Server, h *httpflv.Server, log *slog.Logger) func(context.Context) error {
	return memory.NewWatch(memory.Options{
		Limit: b.limit, CacheBytes: b.caches, Caches: registry, Door: s, Viewers: viewers{s, h}, Log: log,
	}).Run
}

// viewers are those of all protocols, of whom those go first that hold most.
type viewers struct {
	rtmp *server.Server
	http *httpflv.Server
}

// CloseBehind implements what [memory.Options] want.
func (v viewers) CloseBehind(bytes int64) (closed int) {
	return stream.EndStragglers(slices.Concat(v.rtmp.Stragglers(), v.http.Stragglers()), bytes)
}
