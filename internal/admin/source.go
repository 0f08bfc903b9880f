package admin

// Source is the server that is administered. Its methods may be called from any
// goroutine, and hold no stream up. What they return is the caller's to change.
type Source interface {
	// Counts returns how much there is of what, and Limits how much there may be.
	Counts() Counts
	Limits() Limits
	// Channels returns the channels that are live or waited for, by name.
	Channels() []Channel
	// Sessions returns the publishers and players that there are, oldest first.
	Sessions() []Session
	// Settings returns the settings in effect, without secrets.
	Settings() []Setting
	// Kick ends a session, and reports whether there was one with this id.
	Kick(id string) bool
	// CloseChannel ends all sessions of a channel, and returns how many there
	// were.
	CloseChannel(name string) int
	// RequestReconnect asks the clients of a channel to connect anew, to the given
	// URL unless it is empty, and returns how many could be asked.
	RequestReconnect(name, url string) int
}
