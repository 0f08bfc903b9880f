package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
)

var (
	// errSlowHandshake is for a handshake that is not over when the time for connecting is.
	errSlowHandshake = errors.New("not over in time")
	// errHungUp says what an end of file is on a connection.
	errHungUp = errors.New("the other end closed the connection")
)

// dialTLS returns a function that connects by TLS. Its errors tell what the network
// does from what the handshake does: who runs Redis mends them in other places.
func dialTLS(config *tls.Config) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		config := config
		if config.ServerName == "" {
			config = config.Clone()
			config.ServerName, _, _ = net.SplitHostPort(addr)
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			if ctx.Err() != nil {
				err = errSlowHandshake
			}
			return nil, fmt.Errorf("TLS handshake: %w", hungUp(err))
		}
		return secure, nil
	}
}

// hungUp replaces an end of file, which says nothing to operators.
func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errHungUp
	}
	return err
}
