package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	// bystanderBeat is the pause between two messages of a bystander.
	bystanderBeat = 20 * time.Millisecond
	// bystanderGap is the longest pause that its player may see. It is far below
	// what a backend that hangs costs, and leaves room for a busy machine.
	bystanderGap = 1500 * time.Millisecond
)

// bystander is a stream that has nothing to do with what the test is about, and
// must not notice it.
type bystander struct {
	publisher, player *stage.Client
	stop              context.CancelFunc
	running           sync.WaitGroup
	sent              uint64
	got               *stage.Journal[uint64]
	sendErr, playErr  error
}

// bystanderRun is how many messages a bystander has to get before and after
// what the test is about.
const bystanderRun = 3

// startBystander publishes numbered messages and plays them, and waits until
// that goes well.
func startBystander(t *testing.T, s *stage.Server) *bystander {
	t.Helper()
	path := "bystander/" + stage.CallbackKey
	b := &bystander{player: stage.Play(t, s, path), got: stage.NewJournal[uint64]()}
	b.publisher = stage.Publish(t, s, path)
	b.publisher.Record()
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	t.Cleanup(func() {
		stop()
		_ = b.player.Conn.Close()
		b.running.Wait()
	})
	b.running.Go(func() { b.sendErr = b.send(ctx) })
	b.running.Go(func() {
		defer b.got.End()
		b.playErr = b.watch()
	})
	b.await(t)
	return b
}

// await waits until some more messages have come.
func (b *bystander) await(t *testing.T) {
	t.Helper()
	want := uint64(len(b.got.All()) + bystanderRun)
	if _, ok := b.got.Await(stage.Soon, func(n uint64) bool { return n >= want }); !ok {
		t.Errorf("message %d of another stream did not come", want)
	}
}

// send publishes MP3 frames, which need no sequence header.
func (b *bystander) send(ctx context.Context) error {
	for stage.Pause(ctx, bystanderBeat) {
		b.sent++
		payload := binary.BigEndian.AppendUint64([]byte{0x2F, 0xFF, 0xFB}, b.sent)
		timestamp := uint32(b.sent) * uint32(bystanderBeat.Milliseconds())
		m := rtmp.Message{Type: rtmp.TypeAudio, Stream: b.publisher.Stream, Timestamp: timestamp, Payload: payload}
		if err := b.publisher.WriteMessage(m); err != nil {
			return err
		}
	}
	return b.publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(b.publisher.Stream)}}.Message(0))
}

// watch plays to the end of the stream, and wants each message in its turn.
func (b *bystander) watch() error {
	var last uint64
	var at time.Time
	for {
		m, err := b.player.ReadMessage()
		if err != nil {
			return fmt.Errorf("after message %d: %w", last, err)
		}
		switch {
		case m.Type == rtmp.TypeAudio && len(m.Payload) == 11:
			n := binary.BigEndian.Uint64(m.Payload[3:])
			if n != last+1 {
				return fmt.Errorf("message %d follows message %d", n, last)
			}
			if gap := time.Since(at); last > 0 && gap > bystanderGap {
				return fmt.Errorf("message %d came %v after the one before it", n, gap)
			}
			last, at = n, time.Now()
			b.got.Add(n)
		case stage.Describe(m) == stage.StreamEOF && last != b.sent:
			return fmt.Errorf("%d messages came of %d", last, b.sent)
		case stage.Describe(m) == stage.StreamEOF:
			return nil
		}
	}
}

// finish ends the stream, and wants it to have been complete.
func (b *bystander) finish(t *testing.T) {
	t.Helper()
	b.await(t)
	b.stop()
	b.running.Wait()
	if b.sendErr != nil {
		t.Errorf("the publisher of another stream: %v", b.sendErr)
	}
	if b.playErr != nil {
		t.Errorf("the player of another stream: %v", b.playErr)
	}
}
