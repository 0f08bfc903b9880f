package stage

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// The stream of a canary: 4 Mbit/s with a keyframe every 2 s.
const (
	CanaryChannel  = "canary"
	CanaryEvery    = 40 * time.Millisecond
	CanaryBytes    = 20_000
	canaryKeyframe = 50
)

// Canary is a stream that has nothing to do with what else happens to the server,
// and whose players may miss nothing. Publisher and players have started, and have
// read nothing yet.
type Canary struct {
	Publisher *Client
	Players   []*CanaryPlayer
	// Forgives reports whether the machine is so busy that a player may have been
	// moved on to a keyframe. No player may if it is nil.
	Forgives func() bool

	stop    context.CancelFunc
	began   time.Time
	sending sync.WaitGroup
	running sync.WaitGroup // everything else
	sent    atomic.Int64
	sendErr error
}

// CanaryPlayer is one of those who watch a canary.
type CanaryPlayer struct {
	Name   string
	Client *Client

	got    atomic.Int64
	next   int64 // the number of the message that is to come
	delays []canaryDelay
	gap    time.Duration
	err    error
}

// canaryDelay is how long a message took, and when that was since the beginning.
type canaryDelay struct{ at, took time.Duration }

// Start has the stream begin. It ends with the test at the latest.
func (c *Canary) Start() {
	c.Publisher.T.Helper()
	c.began = time.Now()
	ctx, stop := context.WithCancel(context.WithoutCancel(c.Publisher.T.Context()))
	c.stop = stop
	for _, p := range c.Players {
		c.running.Go(func() { p.err = c.watch(p) })
	}
	c.running.Go(func() {
		for {
			if _, err := c.Publisher.ReadMessage(); err != nil {
				return
			}
		}
	})
	c.sending.Go(func() { c.sendErr = c.send(ctx) })
	c.Publisher.T.Cleanup(func() { // in case that it is not finished
		stop()
		c.close()
		c.sending.Wait()
		c.running.Wait()
	})
}

// send publishes until ctx ends, and says goodbye.
func (c *Canary) send(ctx context.Context) error {
	for n := 0; Pause(ctx, time.Until(c.began.Add(time.Duration(n)*CanaryEvery))); n++ {
		if err := c.Publisher.WriteMessage(CanaryMessage(c.Publisher.Stream, n)); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		c.sent.Add(1)
	}
	bye := rtmp.Command{Name: "deleteStream", Args: []any{float64(c.Publisher.Stream)}}
	return c.Publisher.WriteMessage(bye.Message(0))
}

// CanaryMessage is a frame that holds its number, the time at which it was sent,
// and a checksum over all of it.
func CanaryMessage(stream uint32, n int) rtmp.Message {
	payload := make([]byte, CanaryBytes)
	payload[0], payload[1] = 0x27, 1
	if n%canaryKeyframe == 0 {
		payload[0] = 0x17
	}
	binary.BigEndian.PutUint32(payload[5:], uint32(n))
	binary.BigEndian.PutUint64(payload[9:], uint64(time.Now().UnixNano()))
	for i := 17; i < len(payload)-4; i++ {
		payload[i] = byte(i*7 + n)
	}
	sum := crc32.ChecksumIEEE(payload[:len(payload)-4])
	binary.BigEndian.PutUint32(payload[len(payload)-4:], sum)
	return rtmp.Message{
		Type: rtmp.TypeVideo, Stream: stream, Payload: payload,
		Timestamp: uint32(n) * uint32(CanaryEvery.Milliseconds()),
	}
}

// watch plays to the end of the stream, and wants each message in its turn.
func (c *Canary) watch(p *CanaryPlayer) error {
	last := c.began
	for {
		m, err := p.Client.ReadMessage()
		if err != nil {
			return fmt.Errorf("after %d messages: %w", p.got.Load(), err)
		}
		if Describe(m) == rtmp.CodePlayUnpublishNotify {
			return nil
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		now := time.Now()
		p.gap = max(p.gap, now.Sub(last))
		last = now
		if err := c.check(p, m); err != nil {
			return err
		}
		sent := int64(binary.BigEndian.Uint64(m.Payload[9:]))
		p.delays = append(p.delays, canaryDelay{now.Sub(c.began), time.Duration(now.UnixNano() - sent)})
		p.got.Add(1)
	}
}

// check wants the next message as it was sent.
func (c *Canary) check(p *CanaryPlayer, m rtmp.Message) error {
	end := len(m.Payload) - 4
	if end < 17 || crc32.ChecksumIEEE(m.Payload[:end]) != binary.BigEndian.Uint32(m.Payload[end:]) {
		return fmt.Errorf("message %d is not what was sent", p.next)
	}
	n := int64(binary.BigEndian.Uint32(m.Payload[5:]))
	if n != p.next {
		movedOn := p.next > 0 && n > p.next && m.Payload[0] == 0x17
		if !movedOn || c.Forgives == nil || !c.Forgives() {
			return fmt.Errorf("message %d came in place of %d", n, p.next)
		}
	}
	p.next = n + 1
	return nil
}

// Await waits for n more messages to come to each player.
func (c *Canary) Await(n int64) error {
	ctx := context.WithoutCancel(c.Publisher.T.Context()) // what checks the test needs one
	for _, p := range c.Players {
		want := p.got.Load() + n
		for deadline := time.Now().Add(Soon + time.Duration(n)*CanaryEvery); p.got.Load() < want; {
			if time.Now().After(deadline) {
				return fmt.Errorf("the canary sings no more: its %s player stopped at %d", p.Name, p.got.Load())
			}
			Pause(ctx, CanaryEvery)
		}
	}
	return nil
}

// Finish ends the stream, of which the players must hear within a time, and returns
// how it was not complete. What follows is to be asked after it only.
func (c *Canary) Finish(within time.Duration) (wrong []error) {
	c.stop()
	overdue := time.AfterFunc(within, c.close)
	defer overdue.Stop()
	c.sending.Wait()
	_ = c.Publisher.Conn.CloseWrite() // the server answers with the end
	c.running.Wait()
	c.close()
	if c.sendErr != nil {
		wrong = append(wrong, fmt.Errorf("the publisher of the canary: %w", c.sendErr))
	}
	for _, p := range c.Players {
		if p.err != nil {
			wrong = append(wrong, fmt.Errorf("the %s player of the canary: %w", p.Name, p.err))
		}
		if sent := c.sent.Load(); p.next != sent {
			wrong = append(wrong, fmt.Errorf("the %s player of the canary got %d of %d messages, the next would be %d",
				p.Name, p.got.Load(), sent, p.next))
		}
	}
	return wrong
}

func (c *Canary) close() {
	_ = c.Publisher.Conn.Close()
	for _, p := range c.Players {
		_ = p.Client.Conn.Close()
	}
}

// Count returns how many messages were sent, and how many of them all players
// together got.
func (c *Canary) Count() (sent, got int64) {
	for _, p := range c.Players {
		got += p.got.Load()
	}
	return c.sent.Load(), got
}

// Gap is the longest pause that a player saw.
func (c *Canary) Gap() (longest time.Duration) {
	for _, p := range c.Players {
		longest = max(longest, p.gap)
	}
	return longest
}

// Delay returns the 99th percentile of the delays in the nth part, from 0 on, of so
// many parts of the time.
func (c *Canary) Delay(n, parts int) time.Duration {
	var delays []time.Duration
	for _, p := range c.Players {
		if len(p.delays) == 0 {
			continue
		}
		whole := p.delays[len(p.delays)-1].at + 1
		for _, d := range p.delays {
			if int(int64(parts)*int64(d.at)/int64(whole)) == n {
				delays = append(delays, d.took)
			}
		}
	}
	if len(delays) == 0 {
		return 0
	}
	slices.Sort(delays)
	return delays[len(delays)*99/100]
}
