package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// publisher is one stream that is published.
type publisher struct {
	number int
	conn   net.Conn
	client *rtmp.Client
	stream uint32
	source uint64

	// start is when the first frame was due; the sequence counts the frames sent
	// since, so that nothing drifts.
	start time.Time
	sequence

	// bytes and messages were sent within the window. Nothing is taken back when
	// sending fails: then the run is void.
	bytes, messages atomic.Int64
	failed          atomic.Bool
}

// publish connects and begins to publish; ctx bounds the connection.
func (r *run) publish(ctx context.Context, number int) (*publisher, error) {
	t := &r.targets[number]
	conn, err := r.dial(ctx, t)
	if err != nil {
		return nil, err
	}
	p := &publisher{
		number: number,
		conn:   conn,
		client: rtmp.NewClient(conn),
		source: r.clock.started<<20 | uint64(number),
	}
	if err := p.begin(t, r.joinTimeout); err != nil {
		_ = conn.Close()
		return nil, err
	}
	for _, m := range []rtmp.Message{
		{Type: rtmp.TypeData, Payload: r.shape.metadata(r.options)},
		{Type: rtmp.TypeVideo, Payload: videoHeader},
		{Type: rtmp.TypeAudio, Payload: audioHeader},
	} {
		m.Stream = p.stream
		if err := p.client.WriteMessage(m); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return p, nil
}

func (p *publisher) begin(t *target, timeout time.Duration) error {
	if err := p.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := p.client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if _, err := p.client.Connect(rtmp.ConnectOptions{App: t.app, TCURL: t.tcURL}); err != nil {
		return err
	}
	var err error
	if p.stream, err = p.client.CreateStream(); err != nil {
		return err
	}
	if err := p.client.Publish(p.stream, t.name); err != nil {
		return err
	}
	return p.conn.SetDeadline(time.Time{})
}

// drain reads what the server says, so that it is never held up, until the
// connection ends.
func (p *publisher) drain() error {
	for {
		if _, err := p.client.ReadMessage(); err != nil {
			return err
		}
	}
}

// due is when the next frame is to be sent.
func (p *publisher) due(s shape) time.Time {
	return p.start.Add(p.sequence.due(s))
}

// send sends the next frame.
func (p *publisher) send(y *synthetic, c *clock, w *window) error {
	sent := c.now()
	m := p.next(y, p.source, sent)
	m.Stream = p.stream
	if w.contains(sent) {
		p.bytes.Add(int64(len(m.Payload)))
		p.messages.Add(1)
	}
	return p.client.WriteMessage(m)
}
