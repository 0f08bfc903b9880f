package httpflv

import (
	"errors"
	"net"
	"net/http"
	"os"

	"github.com/gobwas/ws"

	"github.com/AgustinSRG/rtmp-server/internal/connerr"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// The reasons for which this package ends a viewer, or does not take one, beside
// those that stream has for all protocols.
const (
	ReasonEnded       stream.Reason = "stream ended"
	ReasonProbe       stream.Reason = "closed before a request"
	ReasonSlowRequest stream.Reason = "no request in time"
	ReasonBadRequest  stream.Reason = "not a request"
	ReasonOrigin      stream.Reason = "page of another origin"
	ReasonHandshake   stream.Reason = "WebSocket handshake failed"
)

// Reasons returns all that this package and stream know for the end of a viewer:
// whoever counts ends can begin with zero for each.
func Reasons() []stream.Reason {
	return append(stream.Reasons(),
		ReasonEnded, ReasonProbe, ReasonSlowRequest, ReasonBadRequest, ReasonOrigin, ReasonHandshake)
}

// errFlood and errProtocol are what a viewer can do wrong.
var (
	errFlood    = errors.New("too much is sent by a viewer")
	errProtocol = errors.New("WebSocket protocol broken")
)

// readReason names why reading ended.
func readReason(err error) stream.Reason {
	switch {
	case errors.Is(err, errFlood):
		return stream.ReasonFlood
	case errors.Is(err, errProtocol):
		return stream.ReasonProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		return stream.ReasonPingTimeout
	case errors.Is(err, net.ErrClosed):
		return stream.ReasonClientClosed
	default:
		return connerr.ReadReason(err)
	}
}

// answerOf is how a viewer that has been sent nothing yet learns of its end: a
// wrong key, a key that was not looked at, and a channel that is not live look
// alike.
func answerOf(reason stream.Reason) int {
	switch reason {
	case stream.ReasonKilled, stream.ReasonKicked, stream.ReasonPlayDenied, ReasonOrigin:
		return http.StatusForbidden
	case stream.ReasonNoTrack:
		return http.StatusNotAcceptable
	case stream.ReasonShutdown, stream.ReasonFull, stream.ReasonMemory, stream.ReasonBehind:
		return http.StatusServiceUnavailable
	case stream.ReasonCrowded, stream.ReasonHasty:
		return http.StatusTooManyRequests
	case stream.ReasonInternal:
		return http.StatusInternalServerError
	default:
		return http.StatusNotFound
	}
}

// The close codes of a WebSocket that say what an HTTP status would, 4000 below
// it (RFC 6455 section 7.4.2).
const closeStatus = 4000

// closeCodeOf is what a WebSocket is closed with.
func closeCodeOf(reason stream.Reason) ws.StatusCode {
	switch reason {
	case ReasonEnded, stream.ReasonClientClosed:
		return ws.StatusNormalClosure
	case stream.ReasonShutdown:
		return ws.StatusGoingAway
	case stream.ReasonProtocol:
		return ws.StatusProtocolError
	case stream.ReasonFlood, stream.ReasonPingTimeout:
		return ws.StatusPolicyViolation
	default:
		return ws.StatusCode(closeStatus + answerOf(reason))
	}
}
