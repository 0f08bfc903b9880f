package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/command"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/metrics"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// A stop is done within 10 s of the end of the drain: sessions have the first part
// of it to end, and what they leave behind — stop events — the rest.
const (
	sessionsTimeout = 6 * time.Second
	stopTimeout     = 9 * time.Second
)

// App is the server with everything around it.
type App struct {
	log *slog.Logger
	// drain is how long clients have to connect elsewhere; 0 means that none is
	// asked.
	drain     time.Duration
	listeners listeners
	server    *server.Server
	http      *httpflv.Server
	panics    *logs.Panics
	// background parts run beside the server until it has stopped.
	background []func(context.Context) error
	authority  authority
	admin      *administration // nil if there is none
	metrics    *metrics.Metrics
	watch      watch
	health     *healthWatch
	// logLost returns how many lines the log has lost.
	logLost func() uint64
}

// New builds every part and opens every port, or none. The error says what
// cannot be had. logLost, which may be nil, returns how many lines the log has lost.
func New(ctx context.Context, settings config.Settings, log *slog.Logger, logLost func() uint64) (*App, error) {
	for _, warning := range settings.Warnings() {
		log.Warn(warning)
	}
	budgets := newBudgets(settings, log)
	registry := stream.NewRegistry(stream.Options{
		ChunkSize:  settings.ChunkSize,
		CacheBytes: budgets.channel,
		Takeover:   takeovers[settings.Takeover],
	})
	a := &App{log: log, drain: settings.Drain, metrics: newMetrics(settings), panics: logs.NewPanics(), logLost: logLost}
	var err error
	if a.listeners, err = listen(ctx, settings, log); err != nil {
		return nil, err
	}
	if a.authority, err = a.newAuthority(settings, registry); err != nil {
		a.listeners.close()
		return nil, err
	}
	doors := newDoors(settings)
	places := connections(settings.MaxConnections, openFiles(), a.listeners.administrators(), log)
	a.server = server.New(a.serverOptions(settings, registry, budgets, doors, places))
	a.http = a.newHTTP(settings, registry, doors, places)
	a.health = &healthWatch{registry: registry, log: log}
	a.admin = newAdministration(a.listeners, settings, &source{
		registry: registry, server: a.server, http: a.http, health: a.health, settings: settings, limit: places, metrics: a.metrics.Handler(),
	}, log)
	a.watch = watch{limit: settings.Watchdog, probes: []*probe{
		{part: "registry", pass: func() { registry.Len() }},
		{part: "server", pass: func() { a.server.Connections() }},
		{part: "HTTP", pass: func() { a.http.Traffic() }},
		{part: "fan-out", pass: a.server.Settle},
	}}
	a.background = append(a.background, a.authority.Run, a.listeners.watch, a.admin.run, a.health.run, budgets.watch(registry, a.server, a.http, log))
	var redis *command.Listener
	if settings.Redis.Use {
		redis = a.commands(settings, registry)
		a.background = append(a.background, redis.Run)
	}
	a.expose(registry, budgets, places, redis)
	return a, nil
}

// doors are what all protocols ask of an address: who comes by one and then by
// another has the limits of one.
type doors struct {
	limiter *access.Limiter
	guesses *access.Guesses
}

func newDoors(s config.Settings) doors {
	return doors{
		limiter: access.NewLimiter(s.MaxConnectionsPerIP, s.ConnectionLimitWhitelist, s.IPv6Prefix),
		guesses: access.NewGuesses(s.KeyGuesses, s.ConnectionLimitWhitelist, s.IPv6Prefix),
	}
}

func (a *App) serverOptions(settings config.Settings, registry *stream.Registry, budgets budgets, doors doors, places int) server.Options {
	return server.Options{
		Registry:       registry,
		Authorizer:     a.authority,
		MaxConnections: places,
		MaxIncomplete:  budgets.incomplete,
		Limiter:        doors.limiter,
		Guesses:        doors.guesses,
		Players:        settings.PlayWhitelist,
		ChunkSize:      settings.ChunkSize,
		IDMaxLength:    settings.IDMaxLength,
		MaxBitrate:     settings.MaxPublishMbps,
		PlayWait:       settings.PlayWait,
		Enhanced:       enhancedPolicies[settings.PlayEnhanced],
		HEVC:           hevcPolicies[settings.PlayHEVC],
		PublishGrace:   settings.PublishGrace,
		MaxWriteDelay:  settings.MaxWriteDelay,
		Ended:          a.ended,
		Passed:         a.metrics.Passed,
		Log:            a.log,
		Panics:         a.panics,
		LogRequests:    settings.LogRequests,
	}
}

var takeovers = map[config.Takeover]stream.Takeover{
	config.TakeoverIdle:   stream.TakeoverIdle,
	config.TakeoverNever:  stream.TakeoverNever,
	config.TakeoverAlways: stream.TakeoverAlways,
}

var enhancedPolicies = map[config.PlayEnhanced]server.EnhancedPolicy{
	config.PlayPermissive: server.EnhancedPermissive,
	config.PlayStrict:     server.EnhancedStrict,
}

var hevcPolicies = map[config.PlayHEVC]server.HEVCPolicy{
	config.HEVCAuto:      server.HEVCAuto,
	config.HEVCFourCC:    server.HEVCFourCC,
	config.HEVCLegacy:    server.HEVCLegacy,
	config.HEVCPublished: server.HEVCPublished,
}

// Run serves until ctx ends, and then stops gracefully: no new connections, then
// those who connect elsewhere by themselves, then the other sessions, then what
// reports their ends. An error means that the
// server broke; a stop that had to cut something off is none. After a [StuckError]
// the process has to end, since parts of the server are left behind.
func (a *App) Run(ctx context.Context) error {
	return a.watch.guarded(ctx, func() error { return a.run(ctx) })
}

func (a *App) run(ctx context.Context) error {
	var running sync.WaitGroup
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	for _, run := range a.background {
		running.Go(func() { a.keepRunning(background, run) })
	}
	broken := a.listeners.serve(a.server, a.http, a.log)
	var err error
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	a.admin.drain()
	a.log.Info("stopping", "connections", a.server.Connections())
	a.stop(context.WithoutCancel(ctx), stopBackground)
	running.Wait()
	for also := range broken {
		err = errors.Join(err, also)
	}
	a.log.Info("stopped")
	return err
}

func (a *App) stop(ctx context.Context, stopBackground context.CancelFunc) {
	if a.drain > 0 {
		draining, cancel := context.WithTimeout(ctx, a.drain)
		a.server.Drain(draining)
		cancel()
	}
	all, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	sessions, cancelSessions := context.WithTimeout(all, sessionsTimeout)
	defer cancelSessions()
	if err := a.shutdown(sessions); err != nil {
		a.log.Warn("connections cut off", "error", err)
	}
	stopBackground()
	if err := a.authority.Shutdown(all); err != nil && !errors.Is(err, context.Canceled) {
		a.log.Warn("stop events left", "error", err)
	}
}

// shutdown ends the sessions of all protocols at the same time.
func (a *App) shutdown(ctx context.Context) error {
	viewers := make(chan error, 1)
	go func() { viewers <- a.http.Shutdown(ctx) }()
	err := a.server.Shutdown(ctx)
	return errors.Join(err, <-viewers)
}

// Run builds the server as [New] does, serves until ctx ends, and stops it.
func Run(ctx context.Context, settings config.Settings, log *slog.Logger, logLost func() uint64) error {
	a, err := New(ctx, settings, log, logLost)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}
