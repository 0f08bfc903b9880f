// Package rtmp speaks the Real-Time Messaging Protocol: handshake, chunk
// stream, control messages and commands, for both sides of a connection.
//
// The package is a pure codec. It has no goroutine, no clock, no logger and no
// socket: whoever owns a connection hands it a buffered reader, or takes the
// bytes it appended and writes them. Everything a peer controls is bounded by
// a named constant or by [Limits]; bytes from a peer can end in an error that
// wraps [ErrProtocol] or [ErrLimit], never in a panic.
//
// Payloads of messages that a [Reader] returns belong to the caller: the
// reader does not touch them again. [EncodeMessage] takes them over.
package rtmp

import "errors"

var (
	// ErrProtocol is wrapped by every error about bytes that no reading of the
	// specification allows. The stream cannot be resynchronised; the
	// connection has to be closed.
	ErrProtocol = errors.New("protocol error")

	// ErrLimit is wrapped by every error about well-formed bytes that would
	// cost more than a peer is granted.
	ErrLimit = errors.New("limit exceeded")
)
