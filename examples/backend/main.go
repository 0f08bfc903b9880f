// Command backend is an example of an event callback for rtmp-server: it
// decides by a file of stream keys who may publish, and logs who stopped.
//
// Each event is a POST request without a body, whose rtmp-event header is a
// token signed with a secret that both sides know. A start is answered with
// status 200 and the id of the new stream in the stream-id header, or with 403.
// A stop is answered with 200, as often as it comes: the server repeats it until
// it has an answer, and the stream id tells repetitions apart.
//
// Settings are environment variables:
//
//	LISTEN      address and port, 127.0.0.1:8090 by default
//	JWT_SECRET  the same as the server's, at least 32 bytes
//	KEYS_FILE   a line "CHANNEL KEY" for each channel that may be published
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	defaultListen = "127.0.0.1:8090"
	// minSecret is the size of an HS256 signature in bytes: a shorter secret is
	// easier to guess than a signature (RFC 7518 section 3.2).
	minSecret = 32
	// requestTimeout bounds the reading and the answering of a request. The
	// server waits for 5 s, so nobody hears a later answer.
	requestTimeout = 5 * time.Second
	// idleTimeout is longer than the 4 s for which the server keeps a
	// connection, so that this side never closes one that is about to be used.
	idleTimeout = 30 * time.Second
	// maxHeader bounds the header of a request in bytes. It stops whoever sends
	// one without end; a token has less than 4 KiB.
	maxHeader = 16 << 10
	// stopTimeout is what requests have to end once the process is asked to.
	stopTimeout = 5 * time.Second
)

func main() {
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Getenv, log)
	stop()
	if err != nil {
		log.Error("cannot serve", "error", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, getenv func(string) string, log *slog.Logger) error {
	secret := strings.TrimSpace(getenv("JWT_SECRET")) // as rtmp-server does
	if len(secret) < minSecret {
		return fmt.Errorf("JWT_SECRET has %d bytes, expected at least %d", len(secret), minSecret)
	}
	keys := keyFile(getenv("KEYS_FILE"))
	if _, err := keys.read(); err != nil {
		return fmt.Errorf("KEYS_FILE: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cmp.Or(getenv("LISTEN"), defaultListen))
	if err != nil {
		return fmt.Errorf("LISTEN: %w", err)
	}
	return serve(ctx, listener, newHandler([]byte(secret), keys, log), log)
}

// serve answers requests until ctx ends, and then lets those that came finish.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, log *slog.Logger) error {
	s := &http.Server{
		Handler:        handler,
		ReadTimeout:    requestTimeout,
		WriteTimeout:   requestTimeout,
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	log.Info("listening", "address", listener.Addr().String())
	select {
	case err := <-served:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := s.Shutdown(grace); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), s.Close())
	}
	log.Info("stopped")
	return nil
}
