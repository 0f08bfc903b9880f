package server

import "github.com/AgustinSRG/rtmp-server/internal/stream"

// Reasons returns all that this package and stream know for the end of a session:
// whoever counts ends can begin with zero for each.
func Reasons() []stream.Reason {
	return append(stream.Reasons(),
		ReasonProbe, ReasonForeignProtocol, ReasonHandshakeTimeout, ReasonAcceptTimeout, ReasonPublisherTimeout,
		ReasonIdle, ReasonLimit, ReasonBudget, ReasonBitrate, ReasonChatter, ReasonStrange, ReasonControlQueue,
		ReasonConnectRefused, ReasonBadState, ReasonBusy, ReasonDenied)
}
