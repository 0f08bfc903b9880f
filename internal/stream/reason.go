package stream

// Reason names why a session ended. It is what the log, the metrics and the
// interfaces of the server show.
type Reason string

// The reasons for which the registry ends a session.
const (
	// ReasonReplaced ends a publisher whose channel another one took over.
	ReasonReplaced Reason = "replaced by another publisher"
	// ReasonWrongKey ends a player that waited with a key which is not the one
	// that was then published.
	ReasonWrongKey Reason = "wrong key"
	// ReasonKilled ends sessions on an operator's command.
	ReasonKilled Reason = "killed by command"
	// ReasonKicked ends one session that an operator has picked.
	ReasonKicked Reason = "killed by an operator"
)

// The reasons for which connections of all protocols end, or are refused.
const (
	ReasonClientClosed Reason = "closed by client"
	ReasonReset        Reason = "connection reset"
	ReasonUnreachable  Reason = "peer unreachable"
	ReasonReadFailed   Reason = "read failed"
	ReasonWriteFailed  Reason = "write failed"
	ReasonCrowded      Reason = "too many connections from this address"
	ReasonHasty        Reason = "too many new connections from this address"
	ReasonFull         Reason = "server full"
	ReasonMadeRoom     Reason = "made room for newer connections"
	ReasonMemory       Reason = "server short of memory"
	ReasonBehind       Reason = "too far behind for a server short of memory"
	ReasonNoFiles      Reason = "out of file descriptors"
	ReasonProxyHeader  Reason = "bad PROXY protocol header"
	ReasonTLS          Reason = "TLS handshake failed"
	ReasonPingTimeout  Reason = "ping timeout"
	ReasonPlayWait     Reason = "channel did not go live in time"
	ReasonStalled      Reason = "peer stopped reading"
	ReasonProtocol     Reason = "protocol error"
	ReasonFlood        Reason = "too many messages"
	ReasonBadName      Reason = "invalid channel or key"
	ReasonGuessing     Reason = "too many wrong keys from this address"
	ReasonPlayDenied   Reason = "play denied"
	ReasonNoTrack      Reason = "no track that the player can take"
	ReasonShutdown     Reason = "server stopping"
	ReasonInternal     Reason = "internal error"
)

// Reasons returns all of this package.
func Reasons() []Reason {
	return []Reason{
		ReasonReplaced, ReasonWrongKey, ReasonKilled, ReasonKicked,
		ReasonClientClosed, ReasonReset, ReasonUnreachable, ReasonReadFailed, ReasonWriteFailed,
		ReasonCrowded, ReasonHasty, ReasonFull, ReasonMadeRoom, ReasonMemory, ReasonBehind, ReasonNoFiles,
		ReasonProxyHeader, ReasonTLS, ReasonPingTimeout, ReasonPlayWait, ReasonStalled, ReasonProtocol, ReasonFlood,
		ReasonBadName, ReasonGuessing, ReasonPlayDenied, ReasonNoTrack, ReasonShutdown, ReasonInternal,
	}
}
