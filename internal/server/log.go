package server

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// logEnd writes the last line of a connection: what it was for, how long it
// lasted, what it moved, and why it ended.
func (c *conn) logEnd() {
	faultinject.At(faultinject.LastLine, c.channel)
	reason := c.cause.Load().reason
	c.accounts.received.Store(c.received())
	if !c.accepted {
		c.tellRefusal()
	}
	attrs := c.endAttrs()
	switch {
	case c.scan(reason):
		c.server.refusals.write(c.log, slog.LevelDebug, reason, "end", attrs...)
	case c.server.options.LogRequests && c.accepted:
		c.server.steps.write(c.log, "end", c.role, attrs...)
	case c.server.options.LogRequests:
		c.server.refusals.write(c.log, slog.LevelInfo, reason, "end", attrs...)
	}
}

// scan reports whether a connection is no more news than port scans and health checks
// are: they leave at once, say nothing, or speak another protocol.
func (c *conn) scan(reason stream.Reason) bool {
	switch reason {
	case ReasonProbe, ReasonForeignProtocol, stream.ReasonCrowded, stream.ReasonHasty:
		return true
	case stream.ReasonClientClosed:
		return !c.connected
	case ReasonHandshakeTimeout:
		_, proxied := c.nc.socket.(*access.ProxyConn) // a balancer has more to say
		return !c.spoke && c.nc.secure == nil && !proxied
	default:
		return false
	}
}

// logRefusal tells of a connection for which nothing was done at all.
func (c *conn) logRefusal(err error) {
	reason, level := stream.ReasonShutdown, slog.LevelDebug
	if refused := new(refusal); errors.As(err, &refused) {
		reason = refused.reason
	}
	if reason == stream.ReasonFull {
		level = slog.LevelWarn
	}
	c.server.refusals.write(c.log, level, reason, "connection refused", "reason", string(reason))
	c.cause.CompareAndSwap(nil, &cause{reason: reason})
	c.tellRefusal()
}

// repairAttrs tell what was wrong with a publisher's timestamps, if anything.
func repairAttrs(r stream.Repairs) []any {
	var attrs []any
	for _, count := range []struct {
		name string
		n    uint64
	}{
		{"timestamp_jumps", r.Jumps},
		{"timestamp_steps_back", r.Backward},
		{"timestamp_stuck", r.Stuck},
	} {
		if count.n > 0 {
			attrs = append(attrs, count.name, count.n)
		}
	}
	return attrs
}

func (c *conn) received() uint64 {
	if c.reader == nil {
		return 0
	}
	return c.reader.Received()
}

// request logs one step of a session, if the operator wants to see them.
func (c *conn) request(step string, attrs ...any) {
	if c.server.options.LogRequests {
		c.server.steps.write(c.log, step, c.role, attrs...)
	}
}

// maskKey makes a key recognisable in the log without giving it away.
func maskKey(key string) string {
	const shown = 2
	if len(key) < 4*shown {
		return "***"
	}
	return key[:shown] + "***"
}

// maxLogField is how much of a text from a peer goes into the log.
const maxLogField = 128

// cut bounds a text from a peer for the log, which quotes it. log/slog leaves the
// delete character as it is.
func cut(s string) string {
	if len(s) > maxLogField {
		s = s[:maxLogField] + "…"
	}
	return strings.ReplaceAll(s, "\x7f", `\x7f`)
}
