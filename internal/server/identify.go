package server

import (
	"crypto/tls"
	"errors"
	"io"
	"syscall"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// identify finds out who the client is, unless that is known, and takes its
// place among the connections of its address. Behind a load balancer it waits
// for the header that tells.
func (c *conn) identify() error {
	if c.identified {
		return nil
	}
	addr, err := access.ClientAddr(c.nc.socket)
	if err != nil {
		return err
	}
	c.identified = true
	c.addr = addr
	c.log = c.log.With("addr", addr.String())
	release, ok := c.server.options.Limiter.Acquire(addr.Addr())
	if !ok {
		return &refusal{reason: ReasonCrowded}
	}
	c.release = release
	return nil
}

// secure does the TLS handshake of an RTMPS connection. Only so many run at
// once; the others wait, as long as the time for all handshakes allows.
func (c *conn) secure() error {
	if c.nc.secure == nil {
		return nil
	}
	select {
	case c.server.handshakes <- struct{}{}:
		defer func() { <-c.server.handshakes }()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	err := c.nc.secure.HandshakeContext(c.ctx)
	if err != nil {
		return tlsFailure(err)
	}
	state := c.nc.secure.ConnectionState()
	c.log.Debug("TLS handshake done", "version", tls.VersionName(state.Version))
	return nil
}

// tlsFailure tells those who do not speak TLS from those whose TLS fails.
func tlsFailure(err error) error {
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &header):
		return &rtmp.ForeignProtocolError{Seen: "no TLS"}
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return err
	default:
		return &refusal{ReasonTLS, err}
	}
}
