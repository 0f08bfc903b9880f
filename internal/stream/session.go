package stream

import (
	"net/netip"
	"time"
)

// Kind says what a session does.
type Kind string

// The kinds of sessions.
const (
	KindPublisher Kind = "publisher"
	KindPlayer    Kind = "player"
	// KindRefused is that of an [End] only: a connection that came to neither.
	KindRefused Kind = "refused"
)

// Protocol is what a session speaks.
type Protocol string

// The protocols of sessions.
const (
	ProtocolRTMP    Protocol = "rtmp"
	ProtocolRTMPS   Protocol = "rtmps"
	ProtocolHTTPFLV Protocol = "http-flv"
	ProtocolWSFLV   Protocol = "ws-flv"
)

// Session is what an operator can know of somebody who publishes or plays, at one
// moment.
type Session struct {
	// ID names the session as long as the process runs. Those of different
	// protocols never meet.
	ID       string
	Kind     Kind
	Protocol Protocol
	// Channel and Key are as the client gave them: whoever shows a key masks it.
	Channel, Key string
	// Address is that of the client, also behind a load balancer.
	Address netip.AddrPort
	// Client is how the program names itself, the flashVer or the user agent. It
	// is any bytes, at most [MaxClient] of them: see [ClientName].
	Client  string
	Started time.Time
	// Live says that a player's channel has a publisher.
	Live bool
	// BytesIn and BytesOut are what the connection received and sent on its
	// socket, above TLS for what it received.
	BytesIn, BytesOut uint64
	// MessagesIn counts the messages of a publisher, MessagesOut those that a
	// player has been sent or has been passed by.
	MessagesIn, MessagesOut uint64
	// Lag is how far a player's place is behind the newest message.
	Lag time.Duration
	// Skipped is how many messages a player missed because it was too slow, and
	// Skips how many times that was.
	Skipped, Skips uint64
	// StreamID is what close-stream commands name a publication by.
	StreamID string
}

// End is a session that is over. Its facts are the last.
type End struct {
	Session
	Ended  time.Time
	Reason Reason
	// Detail says more than the reason, or is empty. It may hold what a peer sent.
	Detail string
}

// MaxClient is how many bytes of a client's name are kept. It stops the client
// that sends a megabyte as its name from having it shown, and kept after its end.
const MaxClient = 128

// ClientName returns what is kept of a client's name: it does not hold on to the
// rest.
func ClientName(name string) string {
	if len(name) <= MaxClient {
		return name
	}
	return string([]byte(name[:MaxClient]))
}
