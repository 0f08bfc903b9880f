package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/config"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// checkTimeout bounds a check: a server that takes longer is not well.
const checkTimeout = 3 * time.Second

// Check finds out whether a server with these settings answers on this
// machine, with an RTMP handshake: what a container's health check asks.
func Check(ctx context.Context, s config.Settings) error {
	host := s.BindAddress
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(s.RTMPPort)))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	_, err = rtmp.DialHandshake(conn, conn, rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader})
	return err
}
