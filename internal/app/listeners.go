package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/server"
)

// proxyTimeout bounds the wait for the header of a load balancer, which sends
// it at once.
const proxyTimeout = 5 * time.Second

// listeners are the ports of the server: RTMP, RTMPS if there is a certificate,
// HTTP and HTTPS if they are asked for, and the administration.
type listeners struct {
	plain, secure net.Listener // secure may be nil
	http, https   net.Listener // may be nil
	admin         net.Listener // may be nil
	certificate   *access.Certificate
	reloadCheck   time.Duration
}

// listen opens all ports or none.
func listen(ctx context.Context, s config.Settings, log *slog.Logger) (listeners, error) {
	l := listeners{reloadCheck: s.TLS.ReloadCheckEach}
	var err error
	if s.TLS.Enabled() {
		if l.certificate, err = access.LoadCertificate(s.TLS.CertFile, s.TLS.KeyFile, log); err != nil {
			return listeners{}, fmt.Errorf("load certificate: %w", err)
		}
	}
	if l.plain, err = open(ctx, s, s.RTMPPort); err != nil {
		return listeners{}, fmt.Errorf("open RTMP port: %w", err)
	}
	for _, port := range []struct {
		protocol string
		wanted   bool
		number   int
		listener *net.Listener
	}{
		{"RTMPS", l.certificate != nil, s.TLS.Port, &l.secure},
		{"HTTP", s.HTTP.Port != 0, s.HTTP.Port, &l.http},
		{"HTTPS", s.HTTP.SecurePort != 0, s.HTTP.SecurePort, &l.https},
	} {
		if !port.wanted {
			continue
		}
		if *port.listener, err = open(ctx, s, port.number); err != nil {
			l.close()
			return listeners{}, fmt.Errorf("open %s port: %w", port.protocol, err)
		}
	}
	if l.admin, err = openAdministration(ctx, s.Admin, log); err != nil {
		l.close()
		return listeners{}, err
	}
	return l, nil
}

func open(ctx context.Context, s config.Settings, port int) (net.Listener, error) {
	address := net.JoinHostPort(s.BindAddress, strconv.Itoa(port))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return access.ProxyListener(listener, s.ProxyFrom, proxyTimeout), nil
}

// port is the one of RTMP, as it is and not as it was asked for.
func (l listeners) port() int { return portOf(l.plain) }

// serve has the server accept on every port, and returns at once. The channel
// gets the errors of ports that broke, and is closed when all have ended.
func (l listeners) serve(s *server.Server, h *httpflv.Server, log *slog.Logger) <-chan error {
	broken := make(chan error, 4)
	var running sync.WaitGroup
	accept := func(protocol string, on net.Listener, serve func(net.Listener) error) {
		running.Go(func() {
			if err := serve(on); !errors.Is(err, server.ErrServerClosed) && !errors.Is(err, httpflv.ErrServerClosed) {
				broken <- fmt.Errorf("serve %s: %w", protocol, err)
			}
		})
		log.Info("listening", "protocol", protocol, "listen", on.Addr().String())
	}
	accept("rtmp", l.plain, s.Serve)
	if l.secure != nil {
		accept("rtmps", l.secure, func(on net.Listener) error {
			return s.ServeTLS(on, l.certificate.TLSConfig())
		})
	}
	if l.http != nil {
		accept("http", l.http, h.Serve)
	}
	if l.https != nil {
		accept("https", l.https, func(on net.Listener) error {
			return h.ServeTLS(on, l.certificate.TLSConfig())
		})
	}
	go func() {
		running.Wait()
		close(broken)
	}()
	return broken
}

// watch looks after the certificate until ctx ends.
func (l listeners) watch(ctx context.Context) error {
	if l.certificate != nil {
		l.certificate.Watch(ctx, l.reloadCheck)
	}
	return nil
}

func (l listeners) close() {
	for _, listener := range []net.Listener{l.plain, l.secure, l.http, l.https, l.admin} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}
