package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/AgustinSRG/rtmp-server/internal/admin"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// administration is what operators see of the server, and where.
type administration struct {
	*admin.Server
	listener net.Listener
	log      *slog.Logger
}

// openAdministration opens its port. There is none, and no error, if there is to
// be none, or if the address that nobody chose is in use: a server that takes the
// place of another one must not fail over what that one did not have.
func openAdministration(ctx context.Context, s config.Admin, log *slog.Logger) (net.Listener, error) {
	if s.Address == "" {
		return nil, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.Address)
	switch {
	case err != nil && !s.Chosen:
		log.Warn("no administration: set ADMIN_ADDRESS to another address, or to NO", "error", err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("open administration: %w", err)
	}
	if s.Token == "" && !loopback(listener.Addr()) {
		_ = listener.Close()
		return nil, fmt.Errorf("open administration: %v can be reached from other machines and needs ADMIN_TOKEN", listener.Addr())
	}
	return listener, nil
}

// loopback is asked of the address that was opened, since names mean what a
// resolver says.
func loopback(a net.Addr) bool {
	address, err := netip.ParseAddrPort(a.String())
	return err == nil && address.Addr().Unmap().IsLoopback()
}

// newAdministration returns nil if there is no listener.
func newAdministration(on net.Listener, settings config.Settings, source *source, log *slog.Logger) *administration {
	if on == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(settings.Admin.Address)
	return &administration{
		Server: admin.New(admin.Options{
			Source:  source,
			Host:    host,
			Token:   settings.Admin.Token,
			Version: buildVersion(),
			Metrics: source.metrics,
			Log:     log,
		}),
		listener: on,
		log:      log,
	}
}

// run serves until ctx ends.
func (a *administration) run(ctx context.Context) error {
	if a == nil {
		return nil
	}
	a.log.Info("administration", "url", "http://"+a.listener.Addr().String()+"/")
	if err := a.Run(ctx, a.listener); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve administration: %w", err)
	}
	return nil
}

// drain says that the server is about to stop.
func (a *administration) drain() {
	if a != nil {
		a.Drain()
	}
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}

// source is what the parts of the server say to the administration.
type source struct {
	registry *stream.Registry
	server   *server.Server
	settings config.Settings
	limit    int // of connections
	metrics  http.Handler
}

// Counts implements admin.Source.
func (s *source) Counts() admin.Counts {
	return admin.Counts{Connections: s.server.Connections(), Channels: s.registry.Len()}
}

// Limits implements admin.Source.
func (s *source) Limits() admin.Limits {
	return admin.Limits{
		Connections:      s.limit,
		ConnectionsPerIP: s.settings.MaxConnectionsPerIP,
		CachePerChannel:  s.settings.CacheBytes,
	}
}

// Channels implements admin.Source.
func (s *source) Channels() []admin.Channel { return nil }

// Sessions implements admin.Source.
func (s *source) Sessions() []admin.Session { return nil }

// Kick implements admin.Source.
func (s *source) Kick(string) bool { return false }

// Settings implements admin.Source.
func (s *source) Settings() []admin.Setting {
	attrs := s.settings.Effective()
	settings := make([]admin.Setting, len(attrs))
	for i, a := range attrs {
		settings[i] = admin.Setting{Name: a.Key, Value: a.Value.String()}
	}
	return settings
}

// CloseChannel implements admin.Source.
func (s *source) CloseChannel(name string) int { return s.registry.KillSession(name) }

// RequestReconnect implements admin.Source.
func (s *source) RequestReconnect(name, url string) int {
	return s.registry.RequestReconnect(name, url)
}
