package command

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

const (
	// maxPayload is the longest message that is looked at, in bytes. It keeps
	// a flood of long messages cheap; the longest command is far shorter.
	maxPayload = 4096
	// maxStreamID is the longest stream id, in bytes, as the event callback
	// may issue it.
	maxStreamID = 256
	// maxURL is the longest tcUrl, in bytes. It keeps what is sent to clients
	// within what they expect; real ones have less than a hundred.
	maxURL = 1024
)

// Why a message is not a command. [Parse] wraps one of them.
var (
	ErrTooLong = errors.New("message is too long")
	ErrSyntax  = errors.New("message is not of the form COMMAND>ARG_1|ARG_2")
	ErrUnknown = errors.New("unknown command")
	ErrID      = errors.New("unusable id")
	ErrURL     = errors.New("unusable URL")
)

// Verb is what a command asks for.
type Verb string

// The commands, as they are spelled in a message.
const (
	KillSession      Verb = "kill-session"
	CloseStream      Verb = "close-stream"
	RequestReconnect Verb = "request-reconnect"
)

// forms are what each command takes, and how many arguments that is.
var forms = map[Verb]struct {
	least, most int
	text        string
}{
	KillSession:      {1, 1, "CHANNEL"},
	CloseStream:      {2, 2, "CHANNEL|STREAM_ID"},
	RequestReconnect: {1, 2, "CHANNEL or CHANNEL|URL"},
}

// Command is an operator's order.
type Command struct {
	Verb    Verb
	Channel string
	// StreamID is empty for all verbs but [CloseStream].
	StreamID string
	// URL is where clients are to connect, with [RequestReconnect]. If it is
	// empty, they come back to where they were.
	URL string
}

// String returns the message that [Parse] takes for c.
func (c Command) String() string {
	s := string(c.Verb) + ">" + c.Channel
	if last := c.StreamID + c.URL; last != "" { // it has one of them at most
		s += "|" + last
	}
	return s
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
	form, known := forms[Verb(verb)]
	if !known {
		return Command{}, ErrUnknown
	}
	args := strings.SplitN(list, "|", form.most+1)
	if len(args) < form.least || len(args) > form.most {
		return Command{}, fmt.Errorf("%w: %s takes %s", ErrSyntax, verb, form.text)
	}
	return newCommand(Verb(verb), args)
}

// newCommand checks the arguments and takes them.
func newCommand(verb Verb, args []string) (Command, error) {
	c := Command{Verb: verb, Channel: args[0]}
	err := checkID("channel", c.Channel, maxPayload)
	if err == nil && len(args) > 1 {
		switch verb {
		case CloseStream:
			c.StreamID = args[1]
			err = checkID("stream id", c.StreamID, maxStreamID)
		case RequestReconnect:
			c.URL = args[1]
			err = checkURL(c.URL)
		}
	}
	if err != nil {
		return Command{}, err
	}
	return c, nil
}

// checkURL returns an error if clients cannot be sent to a URL. One with a user
// and password is none of them: it would stand in the log, and go to everybody.
func checkURL(text string) error {
	switch {
	case len(text) > maxURL:
		return fmt.Errorf("%w: it is longer than %d bytes", ErrURL, maxURL)
	case !strings.HasPrefix(text, "rtmp://") && !strings.HasPrefix(text, "rtmps://"):
		return fmt.Errorf("%w: it does not begin with rtmp:// or rtmps://", ErrURL)
	case strings.ContainsFunc(text, notInURL):
		return fmt.Errorf("%w: it may hold only printable ASCII without spaces", ErrURL)
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || !portOf(u) {
		return fmt.Errorf("%w: it has no host, or more than a host, a port and a path", ErrURL)
	}
	return nil
}

func notInURL(r rune) bool { return r <= ' ' || r > '~' }

// portOf reports whether the port is missing or in range.
func portOf(u *url.URL) bool {
	if u.Port() == "" {
		return true
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
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
