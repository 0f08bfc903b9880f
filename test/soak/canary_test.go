package soak

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
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// The stream of the canary: 4 Mbit/s with a keyframe every 2 s.
const (
	canaryChannel  = "canary"
	canaryKey      = "canary-key"
	canaryEvery    = 40 * time.Millisecond
	canaryKeyframe = 50
	canaryBytes    = 20_000
)

// canary is a stream whose two players may miss nothing, whatever else happens.
type canary struct {
	soak      *soak
	publisher *guest
	players   []*canaryPlayer
	stop      context.CancelFunc
	sending   sync.WaitGroup
	running   sync.WaitGroup // everything else
	sent      atomic.Int64
	sendErr   error
}

type canaryPlayer struct {
	*guest
	name   string
	got    int64
	seen   sequence
	delays []point // seconds since the canary began, and milliseconds
	gap    time.Duration
	err    error
}

func startCanary(s *soak) *canary {
	s.Helper()
	c := &canary{soak: s}
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		g, err := s.stays(secure)
		if err == nil {
			err = g.play(canaryChannel, canaryKey)
		}
		if err != nil {
			s.Fatal(err)
		}
		c.players = append(c.players, &canaryPlayer{guest: g, name: name})
	}
	var err error
	if c.publisher, err = s.stays(false); err == nil {
		err = c.publisher.publish(canaryChannel, canaryKey)
	}
	if err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	for _, p := range c.players {
		c.running.Go(func() { p.err = p.watch(began) })
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.running.Go(func() {
		for {
			if _, err := c.publisher.ReadMessage(); err != nil {
				return
			}
		}
	})
	c.sending.Go(func() { c.sendErr = c.send(ctx, began) })
	s.Cleanup(func() { // in case that the test ends before
		stop()
		c.close()
		c.sending.Wait()
		c.running.Wait()
	})
	return c
}

// send publishes until ctx ends, and says goodbye.
func (c *canary) send(ctx context.Context, began time.Time) error {
	for n := 0; ; n++ {
		if !stage.Pause(ctx, time.Until(began.Add(time.Duration(n)*canaryEvery))) {
			break
		}
		if err := c.publisher.WriteMessage(canaryMessage(c.publisher.stream, n)); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		c.sent.Add(1)
	}
	c.publisher.say("deleteStream", float64(c.publisher.stream))
	return nil
}

// canaryMessage is a frame that holds its number, the time at which it was sent, and
// a checksum over all of it.
func canaryMessage(stream uint32, n int) rtmp.Message {
	payload := make([]byte, canaryBytes)
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
		Timestamp: uint32(n) * uint32(canaryEvery.Milliseconds()),
	}
}

// watch plays to the end of the stream, and wants each message in its turn.
func (p *canaryPlayer) watch(began time.Time) error {
	last := began
	for {
		m, err := p.ReadMessage()
		if err != nil {
			return fmt.Errorf("after %d messages: %w", p.got, err)
		}
		if m.Type == rtmp.TypeCommand {
			command, _ := rtmp.ParseCommand(m)
			if status, ok := rtmp.ParseStatus(command); ok && status.Code == rtmp.CodePlayUnpublishNotify {
				return nil
			}
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		now := time.Now()
		p.gap = max(p.gap, now.Sub(last))
		last = now
		end := len(m.Payload) - 4
		if end < 17 || crc32.ChecksumIEEE(m.Payload[:end]) != binary.BigEndian.Uint32(m.Payload[end:]) {
			return fmt.Errorf("message %d is not what was sent", p.got)
		}
		if err := p.inTurn(m); err != nil {
			return err
		}
		delay := now.UnixNano() - int64(binary.BigEndian.Uint64(m.Payload[9:]))
		p.delays = append(p.delays, point{now.Sub(began).Seconds(), float64(delay) / 1e6})
		p.got++
	}
}

// inTurn wants the next message. Only on a busy machine may a player be so late that
// the server moves it on to a keyframe.
func (p *canaryPlayer) inTurn(m rtmp.Message) error {
	gaps, last := p.seen.gaps, p.seen.last
	if err := p.seen.next(m); err != nil {
		return err
	}
	if p.seen.gaps > gaps && !machineIsPressed() {
		return fmt.Errorf("message %d follows message %d", p.seen.last, last)
	}
	return nil
}

// finish ends the stream, and wants it to have been complete.
func (c *canary) finish() {
	c.soak.Helper()
	c.stop()
	overdue := time.AfterFunc(2*stage.Soon, c.close)
	defer overdue.Stop()
	c.sending.Wait()
	_ = c.publisher.conn.CloseWrite() // the server answers with the end
	c.running.Wait()
	c.close()
	if c.sendErr != nil {
		c.soak.Errorf("the publisher of the canary: %v", c.sendErr)
	}
	for _, p := range c.players {
		if p.err != nil {
			c.soak.Errorf("the %s player of the canary: %v", p.name, p.err)
		}
		if sent := c.sent.Load(); int64(p.seen.last) != sent-1 || p.seen.gaps == 0 && p.got != sent {
			c.soak.Errorf("the %s player of the canary got %d of %d messages, the last is %d", p.name, p.got, sent, p.seen.last)
		}
	}
}

func (c *canary) close() {
	_ = c.publisher.conn.Close()
	for _, p := range c.players {
		_ = p.conn.Close()
	}
}

// delay returns the 99th percentile of the delays, in milliseconds, of the nth fifth
// of the time.
func (c *canary) delay(fifth int) float64 {
	var delays []float64
	for _, p := range c.players {
		if len(p.delays) == 0 {
			continue
		}
		each := p.delays[len(p.delays)-1].at / 5
		for _, d := range p.delays {
			if min(int(d.at/each), 4) == fifth {
				delays = append(delays, d.value)
			}
		}
	}
	if len(delays) == 0 {
		return 0
	}
	slices.Sort(delays)
	return delays[len(delays)*99/100]
}

// missing is how many messages the players did not get.
func (c *canary) missing() (n int64) {
	for _, p := range c.players {
		n += c.sent.Load() - p.got
	}
	return n
}

func (c *canary) gap() (longest time.Duration) {
	for _, p := range c.players {
		longest = max(longest, p.gap)
	}
	return longest
}
