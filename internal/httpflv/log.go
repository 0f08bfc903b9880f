package httpflv

import (
	"log/slog"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// ending is why a viewer ends.
type ending struct {
	reason stream.Reason
	detail error
}

// plain are the reasons that the text of an error adds nothing to.
var plain = map[stream.Reason]bool{stream.ReasonClientClosed: true, stream.ReasonReset: true, stream.ReasonStalled: true, stream.ReasonPingTimeout: true}

// text says more than the reason, or nothing.
func (e *ending) text() string {
	if e.detail == nil || plain[e.reason] {
		return ""
	}
	return e.detail.Error()
}

// say tells all who want to know of the end of the viewer.
func (v *viewer) say() {
	faultinject.At(faultinject.LastLine, v.request.channel)
	v.tell()
	v.logEnd()
}

// logStep logs one step of a viewer, if the operator wants to see them.
func (v *viewer) logStep(step string, attrs ...any) {
	if v.server.options.LogRequests {
		v.server.options.Host.LogStep(v.log, step, string(stream.KindPlayer), attrs...)
	}
}

// logEnd writes the last line of a viewer, with the fields that one of RTMP has.
func (v *viewer) logEnd() {
	cause, last := v.cause.Load(), v.last()
	attrs := []any{"role", string(stream.KindPlayer), "channel", v.request.channel, "reason", string(cause.reason)}
	if detail := cause.text(); detail != "" {
		attrs = append(attrs, "detail", detail)
	}
	attrs = append(attrs,
		"duration", (v.server.now() - v.started).Round(time.Millisecond),
		"bytes_in", last.BytesIn, "bytes_out", last.BytesOut,
		"messages", last.MessagesOut, "lag", last.Lag.Round(time.Millisecond))
	if last.Skipped > 0 {
		attrs = append(attrs, "messages_skipped", last.Skipped)
	}
	attrs = append(attrs, "protocol", string(last.Protocol), "started", time.Now().Add(v.started-v.server.now()).Round(time.Millisecond))
	if last.Client != "" {
		attrs = append(attrs, "client", last.Client)
	}
	v.logStep("end", attrs...)
}

// logRefusal writes the only line of a request for which there was nothing to play.
func (s *Server) logRefusal(level slog.Level, what stream.Session, reason stream.Reason) {
	if !s.options.LogRequests {
		return
	}
	attrs := []any{"addr", what.Address.String()}
	if what.Channel != "" {
		attrs = append(attrs, "channel", what.Channel)
	}
	attrs = append(attrs, "reason", string(reason), "protocol", string(what.Protocol))
	if what.Client != "" {
		attrs = append(attrs, "client", what.Client)
	}
	s.options.Host.LogRefusal(s.options.Log, level, reason, "refused", attrs...)
}

// maskKey makes a key recognisable in the log without giving it away.
func maskKey(key string) string {
	const shown = 2
	if len(key) < 4*shown {
		return "***"
	}
	return key[:shown] + "***"
}
