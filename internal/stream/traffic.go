package stream

// Traffic is what a server moved by one protocol since it started, in connections
// that are open and in those that are over.
type Traffic struct {
	Protocol Protocol
	// Open counts connections at present, Accepted all that ever came.
	Open     int
	Accepted uint64
	// The rest is as in [Session].
	BytesIn, BytesOut       uint64
	MessagesIn, MessagesOut uint64
	Skipped, Skips          uint64
}

// Add counts what a session moved, but for the bytes, which are those of its
// connection.
func (t *Traffic) Add(s Session) {
	t.MessagesIn += s.MessagesIn
	t.MessagesOut += s.MessagesOut
	t.Skipped += s.Skipped
	t.Skips += s.Skips
}
