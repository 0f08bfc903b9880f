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
