package server

import (
	"errors"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

const (
	textWrongKey = "Wrong key."
	textDenied   = "You may not publish here."
)

// mayTry reports whether the client's address may try one more key.
func (c *conn) mayTry() bool { return c.server.options.Guesses.Allow(c.addr.Addr()) }

// noteWrongKey counts a wrong key of the client's address. Any goroutine may call
// it.
func (c *conn) noteWrongKey() { c.server.options.Guesses.Wrong(c.addr.Addr()) }

// refuseGuess refuses a player whose address has tried too many keys, with the
// words that a wrong key gets: whoever guesses cannot tell that the guess was not
// looked at.
func (c *conn) refuseGuess(id uint32) error {
	return c.refuse(id, rtmp.CodePlayBadName, textWrongKey, stream.ReasonGuessing, nil)
}

// refuseKey refuses a player with another key than the publisher's.
func (c *conn) refuseKey(id uint32) error {
	c.noteWrongKey()
	return c.refuse(id, rtmp.CodePlayBadName, textWrongKey, stream.ReasonWrongKey, nil)
}

// deny refuses a publisher for what the authorizer says. It counts as a wrong key
// if it is because of what the publisher asked for: when a backend fails, all
// encoders come again and again.
func (c *conn) deny(id uint32, err error) error {
	if errors.Is(err, access.ErrDenied) {
		c.noteWrongKey()
	}
	return c.refuse(id, rtmp.CodePublishDenied, textDenied, ReasonDenied, err)
}

// denyGuess is deny without asking.
func (c *conn) denyGuess(id uint32) error {
	return c.refuse(id, rtmp.CodePublishDenied, textDenied, stream.ReasonGuessing, nil)
}
