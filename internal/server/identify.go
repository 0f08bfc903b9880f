package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"syscall"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
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
	limiter := c.server.options.Limiter
	if !limiter.Allow(addr.Addr()) {
		return &refusal{reason: stream.ReasonHasty}
	}
	release, ok := limiter.Acquire(addr.Addr())
	if !ok {
		return &refusal{reason: stream.ReasonCrowded}
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
	t := &turn{ctx: c.ctx, places: c.server.handshakes}
	defer t.give()
	c.nc.records.turn = t
	err := c.nc.secure.HandshakeContext(c.ctx)
	c.nc.records.turn = nil
	if err != nil {
		return tlsFailure(err)
	}
	state := c.nc.secure.ConnectionState()
	c.log.Debug("TLS handshake done", "version", tls.VersionName(state.Version))
	return nil
}

// turn is a place among the TLS handshakes that may run at once. A handshake has
// it only while it does not wait for its peer: or those who say nothing, which
// costs them nothing either, would keep everyone else out.
type turn struct {
	ctx    context.Context
	places chan struct{}
	taken  bool
}

// take waits for a place as long as ctx allows.
func (t *turn) take() error {
	select {
	case t.places <- struct{}{}:
		t.taken = true
		return nil
	case <-t.ctx.Done():
		return t.ctx.Err()
	}
}

// give makes the place free, if there is one.
func (t *turn) give() {
	if t.taken {
		<-t.places
		t.taken = false
	}
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
		return &refusal{stream.ReasonTLS, err}
	}
}
