package bench

import (
	"fmt"
	"sync"
	"time"
)

const (
	// firstRetry and lastRetry are the pauses before a player whose connection
	// ended connects again; they double.
	firstRetry = 500 * time.Millisecond
	lastRetry  = 8 * time.Second
)

// seat is one of the players, over all of its connections.
type seat struct {
	player
	stream  int
	stalled bool

	opened int64 // when the connection was begun
	seen   bool  // the join of this connection was counted
	ever   bool  // joined at least once
	tries  uint
}

// roster counts who joins and who leaves.
type roster struct {
	console *console

	mu         sync.Mutex
	expected   int        // seats that have neither joined nor failed
	settled    chan error // closed when there are none
	joined     int
	failed     int
	ended      int
	reconnects int
	stalled    int
	byStream   []int
	took       histogram
}

func newRoster(seats, streams int, c *console) *roster {
	r := &roster{console: c, expected: seats, settled: make(chan error), byStream: make([]int, streams)}
	if seats == 0 {
		close(r.settled)
	}
	return r
}

// join notes that a seat plays.
func (r *roster) join(s *seat, now int64) {
	s.seen = true
	s.tries = 0
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.ever {
		r.reconnects++
		return
	}
	s.ever = true
	if s.stalled {
		r.stalled++
	} else {
		r.joined++
		r.byStream[s.stream]++
		r.took.add(now - s.opened)
	}
	r.settle()
}

// lose notes that the connection of a seat ended, and tells whether and when to
// connect again.
func (r *roster) lose(s *seat, err error) (pause time.Duration, again bool) {
	text := reason(err)
	switch {
	case s.stalled:
		text = "a stalled player is gone: " + text
	case s.seen:
		text = "a player is gone: " + text
	case s.ever:
		text = "a player cannot come back: " + text
	default:
		text = "a player cannot join: " + text
	}
	r.console.problem(text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !s.ever {
		if !s.stalled {
			r.failed++
		}
		r.settle()
		return 0, false
	}
	if s.stalled {
		return 0, false
	}
	if s.seen {
		s.seen = false
		r.ended++
	}
	pause = min(firstRetry<<s.tries, lastRetry)
	s.tries = min(s.tries+1, 8)
	return pause, true
}

// settle notes that one seat less is waited for. The lock must be held.
func (r *roster) settle() {
	if r.expected--; r.expected == 0 {
		close(r.settled)
	}
}

// troubles says how many players did not join, were lost, and came back, if any.
func (r *roster) troubles() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed+r.ended == 0 {
		return ""
	}
	return fmt.Sprintf(" (failed %d, lost %d, came back %d)", r.failed, r.ended, r.reconnects)
}

// playing is how many players have a connection on which they play, and
// everybody how many ever had.
func (r *roster) playing() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined - r.ended + r.reconnects
}

func (r *roster) everybody() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined
}
