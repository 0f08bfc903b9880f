package server

import (
	"errors"

	"github.com/AgustinSRG/rtmp-server/internal/connerr"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// The reasons for which this package ends a connection, beside those that
// stream has for all protocols. Each closed connection has exactly one.
const (
	ReasonProbe            stream.Reason = "closed before the handshake"
	ReasonForeignProtocol  stream.Reason = "not RTMP"
	ReasonHandshakeTimeout stream.Reason = "handshake timeout"
	ReasonAcceptTimeout    stream.Reason = "neither published nor played in time"
	ReasonPublisherTimeout stream.Reason = "publisher sent no media"
	ReasonIdle             stream.Reason = "idle"
	ReasonLimit            stream.Reason = "limit exceeded"
	ReasonBudget           stream.Reason = "incomplete messages of all connections too long"
	ReasonBitrate          stream.Reason = "bitrate too high"
	ReasonChatter          stream.Reason = "too many control messages"
	ReasonStrange          stream.Reason = "too many messages of unknown types"
	ReasonControlQueue     stream.Reason = "answers not read"
	ReasonConnectRefused   stream.Reason = "connect refused"
	ReasonBadState         stream.Reason = "command out of order"
	ReasonBusy             stream.Reason = "channel busy"
	ReasonDenied           stream.Reason = "publish denied"
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
		return stream.ReasonProtocol
	default:
		return connerr.ReadReason(err)
	}
}
