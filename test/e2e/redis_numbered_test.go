package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// content is what a numbered stream is made of: what is sent first, if
// anything, and a message for each number.
type content struct {
	headers []rtmp.Message
	message func(stream uint32, number int) rtmp.Message
}

// numbered is a stream of numbered messages under way, and a viewer who was
// there from its beginning.
type numbered struct {
	t         *testing.T
	publisher *client
	answers   *journal[rtmp.Message] // to the publisher
	viewer    *journal[rtmp.Message]
	stop      context.CancelFunc
	sending   sync.WaitGroup
	sent      int
}

const (
	numberedEvery = 10 * time.Millisecond
	// numberedGap is the longest pause between two messages at the viewer that
	// still means that nobody noticed anything, on a machine that is busy.
	numberedGap = 2 * time.Second
)

// startNumbered publishes on a client that is connected to the server, and
// watches with another one.
func startNumbered(t *testing.T, publisher, viewer *client, channel string) *numbered {
	t.Helper()
	return startContent(t, publisher, viewer, channel, content{message: numberedMessage})
}

// startContent is startNumbered for a content of its own.
func startContent(t *testing.T, publisher, viewer *client, channel string, what content) *numbered {
	t.Helper()
	if err := viewer.start(channel, "key", watching); err != nil {
		t.Fatal(err)
	}
	n := &numbered{t: t, publisher: publisher, viewer: viewer.record()}
	if err := publisher.start(channel, "key", publishing); err != nil {
		t.Fatal(err)
	}
	n.answers = publisher.record()
	for _, m := range what.headers {
		m.Stream = publisher.stream
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	n.stop = stop
	n.sending.Go(func() {
		for tick := range 1 << 30 {
			if !pause(ctx, numberedEvery) {
				return
			}
			if err := publisher.WriteMessage(what.message(publisher.stream, tick)); err != nil {
				return // the viewer misses what follows
			}
			n.sent++
		}
	})
	t.Cleanup(func() {
		stop()
		n.sending.Wait()
	})
	awaitEvent(t, n.viewer, 1, keyframe)
	return n
}

// startPlainNumbered is startNumbered over RTMP.
func startPlainNumbered(t *testing.T, s *server, channel string) *numbered {
	t.Helper()
	dial := func() *client {
		c, err := dialFrom(t, "", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return startNumbered(t, dial(), dial(), channel)
}

// numberedMessage is a frame of H.264 with its number behind the five bytes of
// its head, and a size that varies.
func numberedMessage(stream uint32, number int) rtmp.Message {
	payload := make([]byte, 9+number*37%3000)
	payload[0], payload[1] = 0x27, 1
	if number%30 == 0 {
		payload[0] = 0x17
	}
	binary.BigEndian.PutUint32(payload[5:], uint32(number))
	return rtmp.Message{
		Type: rtmp.TypeVideo, Stream: stream, Payload: payload,
		Timestamp: uint32(number) * uint32(numberedEvery.Milliseconds()),
	}
}

// checkUnharmed ends the stream and wants every message to have come, in order.
func (n *numbered) checkUnharmed() {
	n.t.Helper()
	n.stop()
	n.sending.Wait()
	// The viewer has all messages that were sent before it is told of the end.
	if err := n.publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(n.publisher.stream)}}.Message(0)); err != nil {
		n.t.Errorf("the publisher's connection: %v", err)
	}
	all, ok := n.viewer.await(soon, func(m rtmp.Message) bool { return describe(m) == rtmp.CodePlayUnpublishNotify })
	if !ok {
		n.t.Errorf("the viewer was not told of the end")
	}
	got := frames(all)
	for i, m := range got {
		if number := int(binary.BigEndian.Uint32(m.Payload[5:])); number != i {
			n.t.Errorf("message %d came in place of %d", number, i)
			return
		}
	}
	if len(got) != n.sent || n.sent == 0 {
		n.t.Errorf("%d messages came, %d were sent", len(got), n.sent)
	}
}

// flows wants the stream to go on right now.
func (n *numbered) flows() {
	n.t.Helper()
	before := len(n.viewer.all())
	seen := 0
	if _, ok := n.viewer.await(numberedGap, func(rtmp.Message) bool {
		seen++
		return seen > before+5
	}); !ok {
		n.t.Error("the stream stands still")
	}
}

// killed wants both ends to be closed in time.
func (n *numbered) killed(within time.Duration) error {
	deadline := time.Now().Add(within)
	if !n.answers.awaitEnd(time.Until(deadline)) {
		return fmt.Errorf("the publisher is still connected after %v", within)
	}
	if !n.viewer.awaitEnd(max(0, time.Until(deadline))) {
		return fmt.Errorf("the viewer is still connected after %v", within)
	}
	return nil
}
