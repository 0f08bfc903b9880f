package app

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/AgustinSRG/rtmp-server/internal/command"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/coordinator"
	"github.com/AgustinSRG/rtmp-server/internal/hook"
	"github.com/AgustinSRG/rtmp-server/internal/logs"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// authority is whoever decides who may publish: a control server, a callback,
// or nobody.
type authority interface {
	server.Authorizer
	// Run does what goes on beside the decisions until ctx ends.
	Run(ctx context.Context) error
	// Shutdown reports what has ended, until ctx does.
	Shutdown(ctx context.Context) error
}

func (a *App) newAuthority(s config.Settings, registry *stream.Registry) (authority, error) {
	switch {
	case s.Control.Use:
		return newControl(s, registry, a.log, a.panics)
	case s.Callback.URL != "":
		h, err := hook.New(hook.Options{
			URL:      s.Callback.URL,
			Secret:   []byte(s.Callback.Secret),
			Subject:  s.Callback.Subject,
			Host:     s.RTMPHost,
			Port:     a.listeners.port(),
			StateDir: s.StateDir,
			Observe:  observeCallback(a.metrics),
			Log:      a.log,
			Panics:   a.panics,
		})
		if err != nil {
			return nil, fmt.Errorf("set up callback: %w", err)
		}
		return callback{h}, nil
	default:
		return nobody{}, nil
	}
}

// callback is an authority that works by itself.
type callback struct{ *hook.Hook }

func (callback) Run(context.Context) error { return nil }

// control is an authority whose Run delivers what there is to deliver.
type control struct{ *coordinator.Coordinator }

func newControl(s config.Settings, registry *stream.Registry, log *slog.Logger, panics *logs.Panics) (authority, error) {
	c, err := coordinator.New(coordinator.Options{
		BaseURL:      s.Control.BaseURL,
		Secret:       s.Control.Secret,
		ExternalIP:   s.Control.ExternalIP,
		ExternalPort: s.Control.ExternalPort,
		ExternalSSL:  s.Control.ExternalTLS,
		Target:       registry,
		Log:          log,
		Panics:       panics,
	})
	if err != nil {
		return nil, fmt.Errorf("set up control server: %w", err)
	}
	return control{c}, nil
}

func (control) Shutdown(context.Context) error { return nil }

// nobody is the authority of a server that asks none.
type nobody struct{ server.Everyone }

func (nobody) Run(context.Context) error      { return nil }
func (nobody) Shutdown(context.Context) error { return nil }

// commands listens to Redis.
func (a *App) commands(s config.Settings, registry *stream.Registry) *command.Listener {
	o := command.Options{
		Addr:        net.JoinHostPort(s.Redis.Host, strconv.Itoa(s.Redis.Port)),
		Password:    s.Redis.Password,
		Channel:     s.Redis.Channel,
		Target:      registry,
		IDMaxLength: s.IDMaxLength,
		Observe:     observeCommands(a.metrics),
		Log:         a.log,
		Panics:      a.panics,
	}
	if s.Redis.TLS {
		o.TLS = &tls.Config{ServerName: s.Redis.Host, MinVersion: tls.VersionTLS12}
	}
	return command.New(o)
}
