package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// shutdownTimeout bounds a stop: whatever has not ended by then is cut off, so
// that the process is gone within 10 s.
const shutdownTimeout = 8 * time.Second

// Run serves until ctx ends, and then stops gracefully. An error means that the
// server could not start, or that it broke; a stop that had to cut connections
// off is none.
func Run(ctx context.Context, settings config.Settings, log *slog.Logger) error {
	listener, err := listen(ctx, settings)
	if err != nil {
		return err
	}
	rtmp := server.New(options(settings, log))
	served := make(chan error, 1)
	go func() { served <- rtmp.Serve(listener) }()
	log.Info("listening", "protocol", "rtmp", "listen", listener.Addr().String())

	select {
	case err = <-served:
		return errors.Join(fmt.Errorf("serve rtmp: %w", err), rtmp.Close())
	case <-ctx.Done():
	}
	log.Info("stopping", "connections", rtmp.Connections())
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := rtmp.Shutdown(grace); err != nil {
		log.Warn("connections cut off", "error", err)
	}
	if err := <-served; !errors.Is(err, server.ErrServerClosed) {
		return fmt.Errorf("serve rtmp: %w", err)
	}
	log.Info("stopped")
	return nil
}

func listen(ctx context.Context, s config.Settings) (net.Listener, error) {
	address := net.JoinHostPort(s.BindAddress, strconv.Itoa(s.RTMPPort))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("open RTMP port: %w", err)
	}
	return listener, nil
}

var takeovers = map[config.Takeover]stream.Takeover{
	config.TakeoverIdle:   stream.TakeoverIdle,
	config.TakeoverNever:  stream.TakeoverNever,
	config.TakeoverAlways: stream.TakeoverAlways,
}

func options(s config.Settings, log *slog.Logger) server.Options {
	return server.Options{
		Registry: stream.NewRegistry(stream.Options{
			ChunkSize:  s.ChunkSize,
			CacheBytes: s.CacheBytes,
			Takeover:   takeovers[s.Takeover],
		}),
		Limiter:     access.NewLimiter(s.MaxConnectionsPerIP, s.ConnectionLimitWhitelist, s.IPv6Prefix),
		Players:     s.PlayWhitelist,
		ChunkSize:   s.ChunkSize,
		IDMaxLength: s.IDMaxLength,
		PlayWait:    s.PlayWait,
		Log:         log,
		LogRequests: s.LogRequests,
	}
}
