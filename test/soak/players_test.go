package soak

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// firstFrame is the longest that a player of a live channel may wait for something
// to see, on a machine that is busy.
const firstFrame = 10 * time.Second

// watch plays a standing channel for a while. Whatever it sees must be in order, and
// nothing be missing but whole groups.
func (v *visit) watch(secure bool) (string, error) {
	g, err := v.arrive(secure)
	if err == nil {
		err = g.play(standingName(v.random.IntN(standingChannels)), standingKey)
	}
	if err != nil {
		return "", err
	}
	_ = g.conn.SetReadDeadline(time.Now().Add(firstFrame))
	var seen sequence
	var until time.Time
	stay := v.while(100*time.Millisecond, 4*time.Second)
	for until.IsZero() || time.Now().Before(until) {
		m, err := g.ReadMessage()
		if err != nil {
			return "", fmt.Errorf("after %d messages: %w", seen.n, err)
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		if err := seen.next(m); err != nil {
			return "", err
		}
		if until.IsZero() {
			until = time.Now().Add(stay)
			_ = g.conn.SetReadDeadline(until.Add(firstFrame))
		}
	}
	v.leave(g)
	if seen.gaps > 0 {
		return "was too slow", nil
	}
	return "played", nil
}

// sequence is a run of numbered messages.
type sequence struct {
	n, gaps int
	last    int
}

func (s *sequence) next(m rtmp.Message) error {
	if len(m.Payload) < 9 {
		return fmt.Errorf("a message of %d bytes", len(m.Payload))
	}
	number, key := int(binary.BigEndian.Uint32(m.Payload[5:])), m.Payload[0] == 0x17
	switch {
	case s.n == 0 && !key:
		return fmt.Errorf("the first message is %d, no keyframe", number)
	case s.n > 0 && number != s.last+1:
		if s.gaps++; number <= s.last || !key {
			return fmt.Errorf("message %d follows message %d", number, s.last)
		}
	}
	s.last = number
	s.n++
	return nil
}

// watchChurn plays a channel whose publishers come, go, and are killed.
func (v *visit) watchChurn() (string, error) {
	g, err := v.arrive(false)
	if err == nil {
		err = g.play(v.churnName(), churnKey)
	}
	if err != nil {
		return cutOff(err)
	}
	seen := 0
	_ = g.conn.SetReadDeadline(time.Now().Add(v.while(time.Second, 6*time.Second)))
	for {
		m, err := g.ReadMessage()
		if err != nil {
			break
		}
		if m.Type == rtmp.TypeVideo {
			seen++
		}
	}
	v.leave(g)
	if seen == 0 {
		return "waited", nil
	}
	return "played", nil
}

// wait plays a channel that nobody publishes.
func (v *visit) wait() (string, error) {
	g, err := v.arrive(v.random.IntN(4) == 0)
	if err == nil {
		err = g.play(fmt.Sprintf("nobody-%d", v.number), "key")
	}
	if err != nil {
		return "", err
	}
	v.stay(500*time.Millisecond, 5*time.Second)
	v.leave(g)
	return "waited", nil
}

// guess tries a wrong key.
func (v *visit) guess() (string, error) {
	g, err := v.arrive(false)
	if err == nil {
		err = g.play(standingName(0), "not-the-key")
	}
	if err == nil {
		return "", errors.New("a wrong key was let in")
	}
	return refusal(err)
}

// stall plays the canary's channel and stops reading, until it is closed.
func (v *visit) stall() (string, error) {
	g, err := v.arrive(false)
	if err == nil {
		err = g.play(stage.CanaryChannel, canaryKey)
	}
	if err != nil {
		return "", err
	}
	_ = g.conn.SetReadBuffer(4 << 10)
	for v.ctx.Err() == nil {
		v.stay(300*time.Millisecond, 500*time.Millisecond)
		// Who does not read hears of the end from what he writes.
		m := rtmp.Message{Type: rtmp.TypeAcknowledgement, Payload: []byte{0, 0, 0, 1}}
		if g.WriteMessage(m) != nil {
			break
		}
	}
	if v.ctx.Err() != nil {
		return "", errors.New("it was never closed")
	}
	return "closed by the server", nil
}
