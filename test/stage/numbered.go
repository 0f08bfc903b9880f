package stage

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Content is what a numbered stream is made of: what is sent first, if
// anything, and a message for each number.
type Content struct {
	Headers []rtmp.Message
	Message func(stream uint32, number int) rtmp.Message
}

// Numbered is a stream of numbered messages under way, and a viewer who was
// there from its beginning.
type Numbered struct {
	T         *testing.T
	publisher *Client
	Answers   *Journal[rtmp.Message] // to the publisher
	Viewer    *Journal[rtmp.Message]
	stop      context.CancelFunc
	sending   sync.WaitGroup
	Sent      int
}

const (
	// NumberedEvery is the pause between two messages.
	NumberedEvery = 10 * time.Millisecond
	// numberedGap is the longest pause between two messages at the viewer that
	// still means that nobody noticed anything, on a machine that is busy.
	numberedGap = 2 * time.Second
)

// StartNumbered publishes on a client that is connected to the server, and
// watches with another one.
func StartNumbered(t *testing.T, publisher, viewer *Client, channel string) *Numbered {
	t.Helper()
	return StartContent(t, publisher, viewer, channel, Content{Message: NumberedMessage})
}

// StartContent is StartNumbered for a content of its own.
func StartContent(t *testing.T, publisher, viewer *Client, channel string, what Content) *Numbered {
	t.Helper()
	if err := viewer.Start(channel, "key", Watching); err != nil {
		t.Fatal(err)
	}
	n := &Numbered{T: t, publisher: publisher, Viewer: viewer.Record()}
	if err := publisher.Start(channel, "key", Publishing); err != nil {
		t.Fatal(err)
	}
	n.Answers = publisher.Record()
	for _, m := range what.Headers {
		m.Stream = publisher.Stream
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	n.stop = stop
	n.sending.Go(func() {
		for tick := range 1 << 30 {
			if !Pause(ctx, NumberedEvery) {
				return
			}
			if err := publisher.WriteMessage(what.Message(publisher.Stream, tick)); err != nil {
				return // the viewer misses what follows
			}
			n.Sent++
		}
	})
	t.Cleanup(func() {
		stop()
		n.sending.Wait()
	})
	AwaitEvent(t, n.Viewer, 1, Keyframe)
	return n
}

// StartPlainNumbered is StartNumbered over RTMP.
func StartPlainNumbered(t *testing.T, s *Server, channel string) *Numbered {
	t.Helper()
	dial := func() *Client {
		c, err := DialFrom(t, "", s.Addr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return StartNumbered(t, dial(), dial(), channel)
}

// NumberedMessage is a frame of H.264 with its number behind the five bytes of
// its head, and a size that varies.
func NumberedMessage(stream uint32, number int) rtmp.Message {
	payload := make([]byte, 9+number*37%3000)
	payload[0], payload[1] = 0x27, 1
	if number%30 == 0 {
		payload[0] = 0x17
	}
	binary.BigEndian.PutUint32(payload[5:], uint32(number))
	return rtmp.Message{
		Type: rtmp.TypeVideo, Stream: stream, Payload: payload,
		Timestamp: uint32(number) * uint32(NumberedEvery.Milliseconds()),
	}
}

// CheckUnharmed ends the stream and wants every message to have come, in order.
func (n *Numbered) CheckUnharmed() {
	n.T.Helper()
	n.stop()
	n.sending.Wait()
	// The viewer has all messages that were sent before it is told of the end.
	if err := n.publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(n.publisher.Stream)}}.Message(0)); err != nil {
		n.T.Errorf("the publisher's connection: %v", err)
	}
	all, ok := n.Viewer.Await(Soon, func(m rtmp.Message) bool { return Describe(m) == rtmp.CodePlayUnpublishNotify })
	if !ok {
		n.T.Errorf("the viewer was not told of the end")
	}
	got := Frames(all)
	for i, m := range got {
		if number := int(binary.BigEndian.Uint32(m.Payload[5:])); number != i {
			n.T.Errorf("message %d came in place of %d", number, i)
			return
		}
	}
	if len(got) != n.Sent || n.Sent == 0 {
		n.T.Errorf("%d messages came, %d were sent", len(got), n.Sent)
	}
}

// Flows wants the stream to go on right now.
func (n *Numbered) Flows() {
	n.T.Helper()
	before := len(n.Viewer.All())
	seen := 0
	if _, ok := n.Viewer.Await(numberedGap, func(rtmp.Message) bool {
		seen++
		return seen > before+5
	}); !ok {
		n.T.Error("the stream stands still")
	}
}

// Killed wants both ends to be closed in time.
func (n *Numbered) Killed(within time.Duration) error {
	deadline := time.Now().Add(within)
	if !n.Answers.AwaitEnd(time.Until(deadline)) {
		return fmt.Errorf("the publisher is still connected after %v", within)
	}
	if !n.Viewer.AwaitEnd(max(0, time.Until(deadline))) {
		return fmt.Errorf("the viewer is still connected after %v", within)
	}
	return nil
}
