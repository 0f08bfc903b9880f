package httpflv

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"

	"github.com/gobwas/ws"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// The reasons for which this package ends a viewer, or does not take one, beside
// those of the registry. What can happen over RTMP too has the same name there.
const (
	ReasonClientClosed stream.Reason = "closed by client"
	ReasonReset        stream.Reason = "connection reset"
	ReasonUnreachable  stream.Reason = "peer unreachable"
	ReasonReadFailed   stream.Reason = "read failed"
	ReasonWriteFailed  stream.Reason = "write failed"
	ReasonStalled      stream.Reason = "peer stopped reading"
	ReasonPingTimeout  stream.Reason = "ping timeout"
	ReasonEnded        stream.Reason = "stream ended"
	ReasonPlayWait     stream.Reason = "channel did not go live in time"
	ReasonNoTrack      stream.Reason = "no track that the player can take"
	ReasonProtocol     stream.Reason = "protocol error"
	ReasonFlood        stream.Reason = "too many messages"
	ReasonCrowded      stream.Reason = "too many connections from this address"
	ReasonHasty        stream.Reason = "too many new connections from this address"
	ReasonFull         stream.Reason = "server full"
	ReasonMadeRoom     stream.Reason = "made room for newer connections"
	ReasonMemory       stream.Reason = "server short of memory"
	ReasonBehind       stream.Reason = "too far behind for a server short of memory"
	ReasonNoFiles      stream.Reason = "out of file descriptors"
	ReasonGuessing     stream.Reason = "too many wrong keys from this address"
	ReasonTLS          stream.Reason = "TLS handshake failed"
	ReasonProbe        stream.Reason = "closed before a request"
	ReasonSlowRequest  stream.Reason = "no request in time"
	ReasonBadRequest   stream.Reason = "not a request"
	ReasonProxyHeader  stream.Reason = "bad PROXY protocol header"
	ReasonBadName      stream.Reason = "invalid channel or key"
	ReasonPlayDenied   stream.Reason = "play denied"
	ReasonOrigin       stream.Reason = "page of another origin"
	ReasonHandshake    stream.Reason = "WebSocket handshake failed"
	ReasonShutdown     stream.Reason = "server stopping"
	ReasonInternal     stream.Reason = "internal error"
)

// Reasons returns all that this package and the registry know for the end of a
// viewer: whoever counts ends can begin with zero for each.
func Reasons() []stream.Reason {
	return []stream.Reason{
		ReasonClientClosed, ReasonReset, ReasonUnreachable, ReasonReadFailed, ReasonWriteFailed, ReasonStalled,
		ReasonPingTimeout, ReasonEnded, ReasonPlayWait, ReasonNoTrack, ReasonProtocol, ReasonFlood, ReasonCrowded,
		ReasonHasty, ReasonFull, ReasonMadeRoom, ReasonMemory, ReasonBehind, ReasonNoFiles, ReasonGuessing, ReasonTLS,
		ReasonProbe, ReasonSlowRequest, ReasonBadRequest, ReasonProxyHeader, ReasonBadName, ReasonPlayDenied, ReasonOrigin,
		ReasonHandshake, ReasonShutdown, ReasonInternal,
		stream.ReasonWrongKey, stream.ReasonKilled, stream.ReasonKicked,
	}
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
		return ReasonFlood
	case errors.Is(err, errProtocol):
		return ReasonProtocol
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonPingTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return ReasonClientClosed
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return ReasonReset
	case errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, syscall.EHOSTUNREACH):
		return ReasonUnreachable
	default:
		return ReasonReadFailed
	}
}

// writeReason names why writing failed.
func writeReason(err error) stream.Reason {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return ReasonStalled
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrClosedPipe):
		return ReasonReset
	default:
		return ReasonWriteFailed
	}
}

// answerOf is how a viewer that has been sent nothing yet learns of its end: a
// wrong key, a key that was not looked at, and a channel that is not live look
// alike.
func answerOf(reason stream.Reason) int {
	switch reason {
	case stream.ReasonKilled, stream.ReasonKicked, ReasonPlayDenied, ReasonOrigin:
		return http.StatusForbidden
	case ReasonNoTrack:
		return http.StatusNotAcceptable
	case ReasonShutdown, ReasonFull, ReasonMemory, ReasonBehind:
		return http.StatusServiceUnavailable
	case ReasonCrowded, ReasonHasty:
		return http.StatusTooManyRequests
	case ReasonInternal:
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
	case ReasonEnded, ReasonClientClosed:
		return ws.StatusNormalClosure
	case ReasonShutdown:
		return ws.StatusGoingAway
	case ReasonProtocol:
		return ws.StatusProtocolError
	case ReasonFlood, ReasonPingTimeout:
		return ws.StatusPolicyViolation
	default:
		return ws.StatusCode(closeStatus + answerOf(reason))
	}
}
