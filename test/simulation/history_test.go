package simulation

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// action is what a step does.
type action string

const (
	publish     action = "publish"
	play        action = "play"
	advance     action = "advance"
	stall       action = "stall"
	resume      action = "resume"
	throttle    action = "throttle"
	cut         action = "cut"
	stop        action = "stop"
	again       action = "again"
	hush        action = "hush"
	burst       action = "burst"
	header      action = "header"
	jump        action = "jump"
	pause       action = "pause"
	kill        action = "kill"
	closeStream action = "close-stream"
	reconnect   action = "reconnect"
	lose        action = "lose"
	sever       action = "sever"
	backendDoes action = "backend"
	redisDoes   action = "redis"
	crash       action = "crash"
	collect     action = "collect"
)

// weights are how often the actions come.
var weights = []struct {
	action
	weight int
}{
	{publish, 14}, {play, 14}, {advance, 26}, {stall, 7}, {resume, 6}, {throttle, 2}, {cut, 9}, {stop, 4}, {again, 3},
	{hush, 4}, {burst, 5}, {header, 4}, {jump, 2}, {pause, 3}, {kill, 2}, {closeStream, 2}, {reconnect, 3},
	{lose, 2}, {sever, 3}, {backendDoes, 4}, {redisDoes, 2}, {crash, 2}, {collect, 2},
}

// step is one step of a history. It means something to any world: a step that
// needs a peer takes one of those that are there, if any is.
type step struct {
	action       action
	pick         int // among the peers that come into question
	channel, key string
	query        string // of a player's URL
	time         time.Duration
	number       int
	how          string
	verdict      verdict // of the authorizer
	seed         uint64  // of what a publisher is like
	client       client
	// together says that the next step does not wait for the end of this one.
	together bool
}

func (s step) String() string {
	parts := []string{string(s.action)}
	switch s.action {
	case publish:
		parts = append(parts, s.channel+"/"+s.key, fmt.Sprintf("like=%d", s.seed), s.verdict.String())
	case play:
		parts = append(parts, s.channel+"/"+s.key+s.query, fmt.Sprintf("viewers=%d", s.number), string(s.client))
	case advance:
		parts = append(parts, s.time.String())
	case kill, closeStream, reconnect:
		parts = append(parts, s.channel, s.how)
	case backendDoes, redisDoes:
		parts = append(parts, s.how)
	case crash, collect:
	default:
		parts = append(parts, fmt.Sprintf("pick=%d", s.pick), s.how)
	}
	if s.number > 0 && s.action != play {
		parts = append(parts, fmt.Sprintf("n=%d", s.number))
	}
	if s.together {
		parts = append(parts, "…")
	}
	return strings.Join(parts, " ")
}

// history is everything that happens in one run, but for the scheduler.
type history struct {
	settings settings
	steps    []step
	// ending is how the server stops.
	ending string
}

func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "server %+v\n", h.settings)
	for _, s := range h.steps {
		fmt.Fprintln(&b, s)
	}
	fmt.Fprintln(&b, h.ending)
	return b.String()
}

func newHistory(seed uint64) history {
	r := rand.New(rand.NewPCG(seed, 0))
	h := history{settings: newSettings(r), ending: oneOf(r, "shutdown", "shutdown", "impatient shutdown", "drain", "close")}
	// Nothing is worth much without a publisher, and somebody to watch.
	h.steps = append(h.steps, newStep(r, publish), newStep(r, play))
	for n := 20 + r.IntN(61); len(h.steps) < n; {
		s := newStep(r, randomAction(r))
		h.steps = append(h.steps, s)
		if s.action == stall && r.IntN(2) == 0 {
			// Long enough to be moved on, and not to be closed.
			h.steps = append(h.steps, step{action: advance, time: between(r, 3500*time.Millisecond, 4900*time.Millisecond)},
				step{action: resume, pick: s.pick}, step{action: advance, time: between(r, 0, 2*time.Second)})
		}
	}
	return h
}

func randomAction(r *rand.Rand) action {
	total := 0
	for _, w := range weights {
		total += w.weight
	}
	n := r.IntN(total)
	for _, w := range weights {
		if n -= w.weight; n < 0 {
			return w.action
		}
	}
	panic("no action")
}

func newStep(r *rand.Rand, a action) step {
	s := step{
		action: a, pick: r.IntN(8), seed: uint64(r.IntN(1 << 16)), together: r.IntN(8) == 0, client: oneOf(r, clients...),
		channel: oneOf(r, "one", "one", "two"), key: oneOf(r, "a", "a", "a", "b"),
	}
	switch a {
	case publish:
		if r.IntN(12) == 0 {
			s.key = "wrong"
		}
		s.verdict = newVerdict(r)
	case again:
		s.verdict = newVerdict(r)
	case play:
		s.query = oneOf(r, "", "", "", "?tracks=all", "?cache=no", "?enhanced=no", "?hevc=legacy")
		s.number = 1
		if r.IntN(12) == 0 {
			s.number = 9 // enough to be sent what came in one piece
		}
	case advance:
		s.together = false
		switch limit := r.IntN(40); {
		case limit < 24:
			s.time = between(r, time.Millisecond, time.Second)
		case limit < 36:
			s.time = between(r, time.Second, 5*time.Second)
		case limit < 39:
			s.time = between(r, 5*time.Second, 15*time.Second)
		default:
			s.time = between(r, 15*time.Second, 100*time.Second)
		}
	case stall, resume:
		s.together = false
	case throttle:
		s.number = 1000 << r.IntN(6)
	case cut:
		s.how = oneOf(r, "fin", "close", "reset", "vanish")
	case stop:
		s.how = oneOf(r, "stay", "leave")
	case backendDoes:
		s.how = oneOf(r, backendWell, backendWell, backendDead, backendHangs, backendFails, backendForgets)
	case redisDoes:
		s.how = oneOf(r, "go", "come", "come", "talk nonsense")
	case kill, crash, collect:
		s.together = false
	case closeStream:
		s.together = false
		s.how = oneOf(r, "present", "past")
	case lose:
		s.how = oneOf(r, "up", "down")
	case sever:
		s.how, s.number = oneOf(r, "up", "down"), r.IntN(5000)
	case burst:
		s.number = 1 + r.IntN(60)
	case jump:
		s.number = r.IntN(1 << 31)
	}
	return s
}

func oneOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)/int64(time.Millisecond)+1))*time.Millisecond
}
