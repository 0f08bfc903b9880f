package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"

	"github.com/AgustinSRG/rtmp-server/internal/admin"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/dashboard"
	"github.com/AgustinSRG/rtmp-server/internal/version"
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

// newAdministration returns nil if there is no listener for it.
func newAdministration(l listeners, settings config.Settings, source *source, log *slog.Logger) *administration {
	if l.admin == nil {
		return nil
	}
	host, _, _ := net.SplitHostPort(settings.Admin.Address)
	return &administration{
		Server: admin.New(admin.Options{
			Source:  source,
			Host:    host,
			Token:   settings.Admin.Token,
			Version: version.Short(),
			Metrics: source.metrics,
			Page:    dashboard.Handler(),
			Preview: http.HandlerFunc(source.preview),
			Log:     log,

			Endpoints: l.endpoints(settings.RTMPHost),
		}),
		listener: l.admin,
		log:      log,
	}
}

// endpoints are the ports that are open, whatever they were asked to be.
func (l listeners) endpoints(host string) admin.Endpoints {
	return admin.Endpoints{
		Host: host, RTMP: portOf(l.plain), RTMPS: portOf(l.secure), HTTP: portOf(l.http), HTTPS: portOf(l.https),
	}
}

// portOf returns 0 if there is no listener.
func portOf(l net.Listener) int {
	if l == nil {
		return 0
	}
	return l.Addr().(*net.TCPAddr).Port
}

// preview shows a channel to the page.
func (s *source) preview(w http.ResponseWriter, r *http.Request) {
	s.http.Preview(r.PathValue("channel")).ServeHTTP(w, r)
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

// administrators is how many connections of the administration there may be.
func (l listeners) administrators() int {
	if l.admin == nil {
		return 0
	}
	return admin.MaxConnections
}

// drain says that the server is about to stop.
func (a *administration) drain() {
	if a != nil {
		a.Drain()
	}
}
