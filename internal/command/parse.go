package command

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// maxPayload is the longest message that is looked at, in bytes. It keeps
	// a flood of long messages cheap; the longest command is far shorter.
	maxPayload = 4096
	// maxStreamID is the longest stream id, in bytes, as the event callback
	// may issue it.
	maxStreamID = 256
)

// Why a message is not a command. [Parse] wraps one of them.
var (
	ErrTooLong = errors.New("message is too long")
	ErrSyntax  = errors.New("message is not of the form COMMAND>ARG_1|ARG_2")
	ErrUnknown = errors.New("unknown command")
	ErrID      = errors.New("unusable id")
)

// Verb is what a command asks for.
type Verb string

// The commands, as they are spelled in a message.
const (
	KillSession Verb = "kill-session"
	CloseStream Verb = "close-stream"
)

// arguments is how many arguments each command takes: the channel, and then
// the stream id.
var arguments = map[Verb]int{KillSession: 1, CloseStream: 2}

// Command is an operator's order.
type Command struct {
	Verb    Verb
	Channel string
	// StreamID is empty for all verbs but [CloseStream].
	StreamID string
}

// String returns the message that [Parse] takes for c.
func (c Command) String() string {
	if c.Verb == CloseStream {
		return string(c.Verb) + ">" + c.Channel + "|" + c.StreamID
	}
	return string(c.Verb) + ">" + c.Channel
}

// Parse reads a message. Spaces around it and a line break at its end do no
// harm, since "redis-cli -x" sends what was piped into it; everything within
// must be exact. How long a channel may be is a setting, and so left to the
// caller.
func Parse(payload string) (Command, error) {
	if len(payload) > maxPayload {
		return Command{}, fmt.Errorf("%w: more than %d bytes", ErrTooLong, maxPayload)
	}
	line := strings.TrimSuffix(strings.TrimSuffix(payload, "\n"), "\r")
	verb, list, ok := strings.Cut(strings.Trim(line, " "), ">")
	if !ok {
		return Command{}, fmt.Errorf("%w: no '>'", ErrSyntax)
	}
	want, known := arguments[Verb(verb)]
	if !known {
		return Command{}, ErrUnknown
	}
	args := strings.SplitN(list, "|", want+1)
	if len(args) != want {
		return Command{}, fmt.Errorf("%w: %s takes %d arguments", ErrSyntax, verb, want)
	}
	c := Command{Verb: Verb(verb), Channel: args[0]}
	if want > 1 {
		c.StreamID = args[1]
	}
	if err := c.check(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// check returns an error if an id cannot be one of ours.
func (c Command) check() error {
	if err := checkID("channel", c.Channel, maxPayload); err != nil {
		return err
	}
	if c.Verb == CloseStream {
		return checkID("stream id", c.StreamID, maxStreamID)
	}
	return nil
}

func checkID(what, id string, longest int) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: the %s is empty", ErrID, what)
	case len(id) > longest:
		return fmt.Errorf("%w: the %s is longer than %d characters", ErrID, what, longest)
	case strings.ContainsFunc(id, notInID):
		return fmt.Errorf("%w: the %s may hold only letters, digits, dashes and underscores", ErrID, what)
	}
	return nil
}

func notInID(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	}
	return true
}
