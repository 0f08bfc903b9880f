package command

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// errNotRedis is wrapped when the peer's bytes are not replies of Redis.
var errNotRedis = errors.New("not a reply of Redis")

// errTooLarge is wrapped when a reply exceeds the budget.
var errTooLarge = errors.New("reply is too large")

const (
	// maxReply is the budget of one reply in bytes. go-redis allocates what a
	// reply announces before it has arrived, 512 MiB for one published string
	// and more for an array; this stops it.
	maxReply = 64 << 10
	// valueCost is what every value takes from the budget beside its bytes. It
	// stops replies of nothing but arrays within arrays, which go-redis reads
	// recursively.
	valueCost = 64
	// maxLength is how many digits a length may have. It keeps the sum of a
	// few of them from overflowing.
	maxLength = 9
)

// guard is a connection that ends where a reply exceeds the budget or is not
// RESP version 2, before the client sees as much as the announcement of it.
type guard struct {
	net.Conn
	replies scanner
	err     error // why Read ended it

	mu       sync.Mutex
	writeErr error // why Write ended it
}

// Read is called by one goroutine at a time, as a client must read replies in
// their order.
func (g *guard) Read(p []byte) (int, error) {
	if g.err != nil {
		_ = g.Close()
		return 0, g.err
	}
	n, err := g.Conn.Read(p)
	if err != nil {
		return n, g.cause(err)
	}
	n, g.err = g.replies.scan(p[:n])
	if g.err != nil && n == 0 {
		_ = g.Close()
		return 0, g.err
	}
	return n, nil
}

// Write ends the connection if it fails. The reader, who decides what happens
// then, learns why.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	if err != nil {
		g.mu.Lock()
		g.writeErr = err
		g.mu.Unlock()
		_ = g.Close()
	}
	return n, err
}

// cause returns why reading failed with err.
func (g *guard) cause(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.writeErr != nil {
		return g.writeErr
	}
	return err
}

// scanner follows the structure of a stream of replies and keeps nothing of it
// but numbers.
type scanner struct {
	budget  int // what is left for the present reply
	pending int // how many values of it are still to come
	bulk    int // how many bytes of a string are still to come, with its line break

	kind     byte // of the line, 0 between lines
	length   int  // its digits
	digits   int  // how many
	negative bool // -1, a null
}

// scan takes the next bytes of the stream and returns how many of them may be
// passed on. An error is final.
func (s *scanner) scan(p []byte) (int, error) {
	for i := 0; i < len(p); {
		if s.bulk > 0 {
			skipped := min(s.bulk, len(p)-i)
			s.bulk -= skipped
			i += skipped
			continue
		}
		if err := s.take(p[i]); err != nil {
			return i, err
		}
		i++
	}
	return len(p), nil
}

// take is called with every byte that is not part of a string.
func (s *scanner) take(b byte) error {
	switch {
	case s.kind == 0:
		return s.begin(b)
	case b == '\n':
		return s.end()
	}
	if s.kind == '$' || s.kind == '*' {
		if err := s.digit(b); err != nil {
			return err
		}
	}
	return s.spend(1)
}

// begin starts the line of a value.
func (s *scanner) begin(kind byte) error {
	switch kind {
	case '+', '-', ':', '$', '*':
	default:
		return fmt.Errorf("%w: type %q", errNotRedis, kind)
	}
	if s.pending == 0 {
		s.pending, s.budget = 1, maxReply
	}
	s.kind, s.length, s.digits, s.negative = kind, 0, 0, false
	return s.spend(valueCost)
}

func (s *scanner) digit(b byte) error {
	switch {
	case b == '-' && s.digits == 0 && !s.negative:
		s.negative = true
	case '0' <= b && b <= '9' && s.digits < maxLength:
		s.length = 10*s.length + int(b-'0')
		s.digits++
	case b == '\r':
	default:
		return fmt.Errorf("%w: length with %q", errNotRedis, b)
	}
	return nil
}

// end finishes the line of a value: its string or its elements follow.
func (s *scanner) end() error {
	kind := s.kind
	s.kind = 0
	s.pending--
	if s.negative {
		return nil
	}
	switch kind {
	case '$':
		s.bulk = s.length + len("\r\n")
		return s.spend(s.bulk)
	case '*':
		s.pending += s.length
		return s.afford(s.length * valueCost)
	}
	return nil
}

// afford returns an error unless the budget covers n bytes.
func (s *scanner) afford(n int) error {
	if n > s.budget {
		return fmt.Errorf("%w: more than %d bytes", errTooLarge, maxReply)
	}
	return nil
}

func (s *scanner) spend(n int) error {
	if err := s.afford(n); err != nil {
		return err
	}
	s.budget -= n
	return nil
}
