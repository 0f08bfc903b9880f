package app

import (
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/command"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/hook"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/metrics"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/internal/version"
)

// newMetrics announces what the parts that are in use may count.
func newMetrics(s config.Settings) *metrics.Metrics {
	o := metrics.Options{Version: version.Short(), Reasons: slices.Concat(server.Reasons(), httpflv.Reasons())}
	if s.Callback.URL != "" && !s.Control.Use {
		o.Events, o.Outcomes = texts(hook.Events()), texts(hook.Outcomes())
	}
	if s.Redis.Use {
		o.Verbs, o.Results = texts(command.Verbs()), texts(command.Results())
	}
	return metrics.New(o)
}

func texts[T ~string](words []T) []string {
	texts := make([]string, len(words))
	for i, word := range words {
		texts[i] = string(word)
	}
	return texts
}

func observeCallback(m *metrics.Metrics) func(hook.Event, hook.Outcome, time.Duration) {
	return func(e hook.Event, o hook.Outcome, took time.Duration) { m.Callback(string(e), string(o), took) }
}

func observeCommands(m *metrics.Metrics) func(command.Verb, command.Result) {
	return func(v command.Verb, r command.Result) { m.Command(string(v), string(r)) }
}

// expose has the metrics look at the parts of the server. places is how many
// connections there may be, and redis nil without commands.
func (a *App) expose(registry *stream.Registry, memory budgets, places int, redis *command.Listener) {
	sources := metrics.Sources{
		Sessions: func() []stream.Session { return slices.Concat(a.server.Sessions(), a.http.Sessions()) },
		Traffic:  func() []stream.Traffic { return slices.Concat(a.server.Traffic(), a.http.Traffic()) },
		Channels: func() []stream.ChannelInfo { return registry.Channels(time.Now()) },
		Panics:   a.server.Panics,
		LogLost:  a.logLost,
		Warnings: a.health.counts,
		Budgets: func() []metrics.Budget {
			return []metrics.Budget{
				{Name: "connections", Used: int64(a.server.Connections()), Limit: int64(places)},
				{Name: "cache_bytes", Used: registry.CacheSize(), Limit: memory.caches},
				{Name: "incomplete_message_bytes", Used: a.server.Incomplete(), Limit: memory.incomplete},
			}
		},
	}
	if c, ok := a.authority.(callback); ok {
		sources.PendingStops = c.Pending
	}
	if redis != nil {
		sources.Redis = func() (bool, time.Duration) {
			s := redis.Stats()
			return s.Connected, s.Disconnected
		}
	}
	a.metrics.Watch(sources)
}
