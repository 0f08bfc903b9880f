package server

import "github.com/AgustinSRG/rtmp-server/internal/stream"

// Reasons returns all that this package and the registry know for the end of a
// session: whoever counts ends can begin with zero for each.
func Reasons() []stream.Reason {
	return []stream.Reason{
		ReasonClientClosed, ReasonReset, ReasonUnreachable, ReasonReadFailed, ReasonWriteFailed, ReasonProbe,
		ReasonForeignProtocol, ReasonCrowded, ReasonHasty, ReasonFull, ReasonMadeRoom, ReasonNoFiles, ReasonMemory,
		ReasonProxyHeader, ReasonTLS, ReasonHandshakeTimeout, ReasonAcceptTimeout, ReasonPublisherTimeout,
		ReasonIdle, ReasonPingTimeout, ReasonPlayWait, ReasonStalled, ReasonProtocol, ReasonLimit, ReasonFlood,
		ReasonControlQueue, ReasonConnectRefused, ReasonBadState, ReasonBadName, ReasonBusy, ReasonDenied,
		ReasonPlayDenied, ReasonNoTrack, ReasonShutdown, ReasonInternal,
		ReasonBudget, ReasonBehind, ReasonBitrate, ReasonChatter, ReasonStrange, ReasonGuessing,
		stream.ReasonReplaced, stream.ReasonWrongKey, stream.ReasonKilled, stream.ReasonKicked,
	}
}
