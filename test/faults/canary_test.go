package faults

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
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
	canaryHost     = "127.9.9.9" // where its clients come from
	canaryEvery    = 40 * time.Millisecond
	canaryKeyframe = 50
	canaryBytes    = 20_000
	// canaryGap is the longest pause that its players may see. It is far below what
	// a server costs that waits for somebody, and leaves room for a busy machine.
	canaryGap = 2 * time.Second
)

// canary is a stream that has nothing to do with the fault, and must not notice it.
type canary struct {
	f         *fault
	publisher *stage.Client
	players   []*canaryPlayer
	stop      context.CancelFunc
	sending   sync.WaitGroup
	running   sync.WaitGroup // everything else
	sent      atomic.Int64
	sendErr   error
	quiet     bool // once finished
	// excused is how much longer than usual a pause may be, since the fault holds
	// the whole server up.
	excused time.Duration
}

type canaryPlayer struct {
	name   string
	client *stage.Client
	got    atomic.Int64
	delays []time.Duration
	gap    time.Duration
	err    error
}

func startCanary(f *fault) *canary {
	f.Helper()
	c := &canary{f: f}
	plain, err := dial(f, canaryHost, f.server.Addr, nil)
	if err != nil {
		f.Fatal(err)
	}
	secure, err := dial(f, canaryHost, f.server.SecureAddr(), f.issuer.Config())
	if err != nil {
		f.Fatal(err)
	}
	if c.publisher, err = dial(f, canaryHost, f.server.Addr, nil); err != nil {
		f.Fatal(err)
	}
	c.players = []*canaryPlayer{{name: "plain", client: plain}, {name: "TLS", client: secure}}
	for _, p := range c.players {
		if err := p.client.Start(canaryChannel, "key", stage.Watching); err != nil {
			f.Fatal(err)
		}
		c.running.Go(func() { p.err = p.watch() })
	}
	if err := c.publisher.Start(canaryChannel, "key", stage.Publishing); err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.running.Go(func() { _, _ = io.Copy(io.Discard, c.publisher.Conn) })
	c.sending.Go(func() { c.sendErr = c.send(ctx) })
	f.Cleanup(func() { // in case that begin fails
		stop()
		c.close()
	})
	c.await(1)
	return c
}

// dial connects from a local address, by TLS if there is a configuration.
func dial(f *fault, from, addr string, config *tls.Config) (*stage.Client, error) {
	conn, err := f.connection(from, addr)
	if err != nil {
		return nil, err
	}
	f.Cleanup(func() { _ = conn.Close() })
	var way io.ReadWriter = conn
	if config != nil {
		way = tls.Client(conn, config)
	}
	c := &stage.Client{Client: rtmp.NewClient(way), T: f.T, Conn: conn}
	_, err = c.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader})
	return c, err
}

// send publishes until ctx ends, and says goodbye.
func (c *canary) send(ctx context.Context) error {
	start := time.Now()
	for n := 0; ; n++ {
		at := time.Duration(n) * canaryEvery
		if !stage.Pause(ctx, time.Until(start.Add(at))) {
			break
		}
		if err := c.publisher.WriteMessage(canaryMessage(c.publisher.Stream, n)); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
		c.sent.Add(1)
	}
	bye := rtmp.Command{Name: "deleteStream", Args: []any{float64(c.publisher.Stream)}}
	return c.publisher.WriteMessage(bye.Message(0))
}

// canaryMessage is a frame that holds its number, the time at which it was sent,
// and a checksum over all of it.
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
func (p *canaryPlayer) watch() error {
	var last time.Time
	for {
		m, err := p.client.ReadMessage()
		if err != nil {
			return fmt.Errorf("after %d messages: %w", p.got.Load(), err)
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
		if !last.IsZero() {
			p.gap = max(p.gap, now.Sub(last))
		}
		last = now
		if err := p.check(m, now); err != nil {
			return err
		}
	}
}

func (p *canaryPlayer) check(m rtmp.Message, now time.Time) error {
	end := len(m.Payload) - 4
	if end < 17 || crc32.ChecksumIEEE(m.Payload[:end]) != binary.BigEndian.Uint32(m.Payload[end:]) {
		return fmt.Errorf("message %d is not what was sent", p.got.Load())
	}
	if n := int64(binary.BigEndian.Uint32(m.Payload[5:])); n != p.got.Load() {
		return fmt.Errorf("message %d came in place of %d", n, p.got.Load())
	}
	p.delays = append(p.delays, time.Duration(now.UnixNano()-int64(binary.BigEndian.Uint64(m.Payload[9:]))))
	p.got.Add(1)
	return nil
}

// await wants n more messages to come to each player.
func (c *canary) await(n int64) {
	c.f.Helper()
	for _, p := range c.players {
		want := p.got.Load() + n
		for deadline := time.Now().Add(stage.Soon + time.Duration(n)*canaryEvery); p.got.Load() < want; {
			if time.Now().After(deadline) {
				c.f.Errorf("the canary sings no more: its %s player stopped at %d", p.name, p.got.Load())
				return
			}
			stage.Pause(c.f.bounded(), canaryEvery)
		}
	}
}

// finish ends the stream, and wants it to have been complete.
func (c *canary) finish() {
	c.f.Helper()
	if c.quiet {
		return
	}
	c.quiet = true
	c.await(3)
	c.stop()
	overdue := time.AfterFunc(stage.Soon, c.close)
	defer overdue.Stop()
	c.sending.Wait()
	_ = c.publisher.Conn.CloseWrite() // the server answers with the end
	c.running.Wait()
	c.close()
	if c.sendErr != nil {
		c.f.Errorf("the publisher of the canary: %v", c.sendErr)
	}
	var delays []time.Duration
	var gap time.Duration
	for _, p := range c.players {
		if p.err != nil && !errors.Is(p.err, net.ErrClosed) {
			c.f.Errorf("the %s player of the canary: %v", p.name, p.err)
		}
		if p.got.Load() != c.sent.Load() {
			c.f.Errorf("the %s player of the canary got %d of %d messages", p.name, p.got.Load(), c.sent.Load())
		}
		gap = max(gap, p.gap)
		delays = append(delays, p.delays...)
	}
	if gap > canaryGap+c.excused {
		c.f.Errorf("the canary was silent for %v", gap)
	}
	slices.Sort(delays)
	c.f.figure("canary messages", len(delays))
	c.f.figure("p99 delay", delays[len(delays)*99/100].Round(100*time.Microsecond))
	c.f.figure("longest gap", gap.Round(time.Millisecond))
}

func (c *canary) close() {
	_ = c.publisher.Conn.Close()
	for _, p := range c.players {
		_ = p.client.Conn.Close()
	}
}
