package server

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// past is what the sessions of a connection came to that are over. Each connection
// has one from its beginning, so that it is small.
type past struct {
	// streamID and lag are those of the last session.
	streamID string
	lag      time.Duration
	// messages are those that were published and played in all of them.
	messages uint64
	sessions uint32
	played   bool // the last one did
}

func (p *past) add(last stream.Session) {
	p.streamID, p.lag, p.played = last.StreamID, last.Lag, last.Kind == stream.KindPlayer
	p.messages += last.MessagesIn + last.MessagesOut
	p.sessions++
}

// endAttrs are what the last line of a connection says. Programs read them as well:
// what is there for a session that was served is always there.
func (c *conn) endAttrs() []any {
	cause := c.cause.Load()
	var attrs []any
	if c.role != "" {
		attrs = append(attrs, "role", c.role, "channel", c.channel)
	}
	attrs = append(attrs, "reason", string(cause.reason))
	if cause.telling() {
		attrs = append(attrs, "detail", cut(cause.detail.Error()))
	}
	attrs = append(attrs,
		"duration", (c.server.now() - c.started).Round(time.Millisecond),
		"bytes_in", c.received(),
		"bytes_out", c.out.written.Load())
	attrs = append(attrs, c.past.attrs()...)
	if missed := c.out.totalMissed(); missed.Messages > 0 {
		attrs = append(attrs, "messages_skipped", missed.Messages, "bytes_skipped", missed.Bytes)
	}
	if c.ignored > 0 {
		attrs = append(attrs, "messages_ignored", c.ignored)
	}
	attrs = append(attrs, repairAttrs(c.repaired)...)
	attrs = append(attrs, "protocol", string(c.nc.protocol()), "started", c.server.at(c.started).Round(time.Millisecond))
	if c.client != "" {
		attrs = append(attrs, "client", c.client)
	}
	return attrs
}

// attrs tell of the sessions: hardly any connection has two.
func (p *past) attrs() []any {
	if p.sessions == 0 {
		return nil
	}
	attrs := []any{"messages", p.messages}
	if p.played {
		attrs = append(attrs, "lag", p.lag.Round(time.Millisecond))
	} else {
		attrs = append(attrs, "stream_id", p.streamID)
	}
	if p.sessions > 1 {
		attrs = append(attrs, "sessions", p.sessions)
	}
	return attrs
}
