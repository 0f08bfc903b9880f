package server

import (
	"errors"
	"io"
	"os"
	"syscall"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// The reasons for which this package ends a connection, beside those of the
// registry. Each closed connection has exactly one.
const (
	ReasonClientClosed     stream.Reason = "closed by client"
	ReasonReset            stream.Reason = "connection reset"
	ReasonUnreachable      stream.Reason = "peer unreachable"
	ReasonReadFailed       stream.Reason = "read failed"
	ReasonWriteFailed      stream.Reason = "write failed"
	ReasonProbe            stream.Reason = "closed before the handshake"
	ReasonForeignProtocol  stream.Reason = "not RTMP"
	ReasonCrowded          stream.Reason = "too many connections from this address"
	ReasonHasty            stream.Reason = "too many new connections from this address"
	ReasonFull             stream.Reason = "server full"
	ReasonMadeRoom         stream.Reason = "made room for newer connections"
	ReasonMemory           stream.Reason = "server short of memory"
	ReasonBehind           stream.Reason = "too far behind for a server short of memory"
	ReasonNoFiles          stream.Reason = "out of file descriptors"
	ReasonProxyHeader      stream.Reason = "bad PROXY protocol header"
	ReasonTLS              stream.Reason = "TLS handshake failed"
	ReasonHandshakeTimeout stream.Reason = "handshake timeout"
	ReasonAcceptTimeout    stream.Reason = "neither published nor played in time"
	ReasonPublisherTimeout stream.Reason = "publisher sent no media"
	ReasonIdle             stream.Reason = "idle"
	ReasonPingTimeout      stream.Reason = "ping timeout"
	ReasonPlayWait         stream.Reason = "channel did not go live in time"
	ReasonStalled          stream.Reason = "peer stopped reading"
	ReasonProtocol         stream.Reason = "protocol error"
	ReasonLimit            stream.Reason = "limit exceeded"
	ReasonBudget           stream.Reason = "incomplete messages of all connections too long"
	ReasonFlood            stream.Reason = "too many messages"
	ReasonBitrate          stream.Reason = "bitrate too high"
	ReasonChatter          stream.Reason = "too many control messages"
	ReasonStrange          stream.Reason = "too many messages of unknown types"
	ReasonControlQueue     stream.Reason = "answers not read"
	ReasonConnectRefused   stream.Reason = "connect refused"
	ReasonBadState         stream.Reason = "command out of order"
	ReasonBadName          stream.Reason = "invalid channel or key"
	ReasonBusy             stream.Reason = "channel busy"
	ReasonDenied           stream.Reason = "publish denied"
	ReasonGuessing         stream.Reason = "too many wrong keys from this address"
	ReasonPlayDenied       stream.Reason = "play denied"
	ReasonNoTrack          stream.Reason = "no track that the player can take"
	ReasonShutdown         stream.Reason = "server stopping"
	ReasonInternal         stream.Reason = "internal error"
)

// readReason names why reading ended.
func readReason(err error) stream.Reason {
	var foreign *rtmp.ForeignProtocolError
	switch {
	case errors.As(err, &foreign):
		return ReasonForeignProtocol
	case errors.Is(err, rtmp.ErrLimit):
		return ReasonLimit
	case errors.Is(err, rtmp.ErrBudget):
		return ReasonBudget
	case errors.Is(err, rtmp.ErrProtocol):
		return ReasonProtocol
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe):
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
