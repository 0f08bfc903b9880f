package httpflv

import (
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
var plain = map[stream.Reason]bool{ReasonClientClosed: true, ReasonReset: true, ReasonStalled: true, ReasonPingTimeout: true}

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

// logEnd writes the last line of a viewer.
func (v *viewer) logEnd() {
	cause, last := v.cause.Load(), v.moved()
	attrs := []any{
		"role", string(stream.KindPlayer), "channel", v.request.channel, "reason", string(cause.reason),
		"duration", (v.server.now() - v.started).Round(time.Millisecond),
		"bytes_in", last.BytesIn, "bytes_out", last.BytesOut,
	}
	if detail := cause.text(); detail != "" {
		attrs = append(attrs, "detail", detail)
	}
	if last.Skipped > 0 {
		attrs = append(attrs, "messages_skipped", last.Skipped)
	}
	v.logStep("end", attrs...)
}

// maskKey makes a key recognisable in the log without giving it away.
func maskKey(key string) string {
	const shown = 2
	if len(key) < 4*shown {
		return "***"
	}
	return key[:shown] + "***"
}
