package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// client is an RTMP client that sees every message and can misbehave.
type client struct {
	*rtmp.Client
	t      *testing.T
	conn   *net.TCPConn
	stream uint32
}

// connTimeout bounds the life of a test's connection, so that no test hangs.
const connTimeout = time.Minute

// dialFrom opens a connection from a local address, any if empty, and shakes
// hands. It is closed when the test ends.
func dialFrom(t *testing.T, from, addr string) (*client, error) {
	t.Helper()
	dialer := net.Dialer{Timeout: soon}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	nc, err := dialer.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	conn := nc.(*net.TCPConn)
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(connTimeout)); err != nil {
		return nil, err
	}
	if _, err := rtmp.DialHandshake(conn, conn, rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
		return nil, err
	}
	return &client{Client: rtmp.NewClient(conn), t: t, conn: conn}, nil
}

// open connects to the app of a path CHANNEL/KEY, announcing what is given, and
// creates a message stream.
func open(t *testing.T, from, addr, path string, announce ...amf.Property) (c *client, key string, err error) {
	t.Helper()
	channel, key, _ := strings.Cut(path, "/")
	c, err = dialFrom(t, from, addr)
	if err != nil {
		return nil, "", err
	}
	options := rtmp.ConnectOptions{App: channel, TCURL: "rtmp://" + addr + "/" + channel, Extra: announce}
	if _, err := c.Connect(options); err != nil {
		return nil, "", err
	}
	c.stream, err = c.CreateStream()
	return c, key, err
}

// tryPlay plays a path CHANNEL/KEY from a local address.
func tryPlay(t *testing.T, from, addr, path string, announce ...amf.Property) (*client, error) {
	t.Helper()
	c, key, err := open(t, from, addr, path, announce...)
	if err != nil {
		return nil, err
	}
	return c, c.Play(c.stream, key)
}

// tryPublish publishes a path CHANNEL/KEY from a local address.
func tryPublish(t *testing.T, from, addr, path string) (*client, error) {
	t.Helper()
	c, key, err := open(t, from, addr, path)
	if err != nil {
		return nil, err
	}
	return c, c.Publish(c.stream, key)
}

func play(t *testing.T, s *server, path string, announce ...amf.Property) *client {
	t.Helper()
	c, err := tryPlay(t, "", s.addr, path, announce...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func publish(t *testing.T, s *server, path string) *client {
	t.Helper()
	c, err := tryPublish(t, "", s.addr, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reset closes the connection without a word.
func (c *client) reset() {
	_ = c.conn.SetLinger(0)
	_ = c.conn.Close()
}

// checkRefused wants err to be the refusal of a command with a code, and the
// connection to be closed within a second of it.
func checkRefused(t *testing.T, c *client, err error, code string) {
	t.Helper()
	var refused *rtmp.StatusError
	if !errors.As(err, &refused) || refused.Status.Code != code || refused.Status.Description == "" {
		t.Fatalf("got %v, want a refusal with %s and a description", err, code)
	}
	if !c.record().awaitEnd(time.Second) {
		t.Error("the refused connection is still open after a second")
	}
}

// record reads all messages from now on.
func (c *client) record() *journal[rtmp.Message] {
	messages := newJournal[rtmp.Message]()
	go func() {
		defer messages.end()
		for {
			m, err := c.ReadMessage()
			if err != nil {
				return
			}
			messages.add(m)
		}
	}()
	c.t.Cleanup(func() {
		_ = c.conn.Close()
		messages.awaitEnd(soon)
	})
	return messages
}

// What a message is, as far as a player is concerned.
const (
	streamBegin = "StreamBegin"
	streamEOF   = "StreamEOF"
	metadata    = "onMetaData"
	videoHeader = "video sequence header"
	audioHeader = "audio sequence header"
	keyframe    = "video keyframe"
	videoFrame  = "video frame"
	audioFrame  = "audio frame"
)

// describe names a message: one of the above, or the code of a status.
func describe(m rtmp.Message) string {
	switch m.Type {
	case rtmp.TypeUserControl:
		switch event, _, _ := rtmp.ParseUserControl(m); event {
		case rtmp.EventStreamBegin:
			return streamBegin
		case rtmp.EventStreamEOF:
			return streamEOF
		default:
			return fmt.Sprintf("user control event %d", event)
		}
	case rtmp.TypeCommand:
		command, _ := rtmp.ParseCommand(m)
		if status, ok := rtmp.ParseStatus(command); ok {
			return status.Code
		}
		return command.Name
	case rtmp.TypeData:
		script, _ := media.ParseScript(m.Payload)
		return script.Name
	case rtmp.TypeAudio:
		return describeMedia(media.InspectAudio(m.Payload))
	case rtmp.TypeVideo:
		return describeMedia(media.InspectVideo(m.Payload))
	default:
		return m.Type.String()
	}
}

func describeMedia(p media.Packet) string {
	switch {
	case p.Keyframe && p.Type == media.Frame:
		return keyframe
	default:
		return p.Kind.String() + " " + p.Type.String()
	}
}

// isMedia reports whether a message is a frame, and no header or status.
func isMedia(m rtmp.Message) bool {
	what := describe(m)
	return what == keyframe || what == videoFrame || what == audioFrame
}

// events describes messages, each run of frames by its first one.
func events(messages []rtmp.Message) []string {
	var list []string
	inFrames := false
	for _, m := range messages {
		if frame := isMedia(m); !frame || !inFrames {
			list = append(list, describe(m))
			inFrames = frame
		}
	}
	return list
}

// awaitEvent waits for the nth message of a description, from 1, and returns all
// messages up to it.
func awaitEvent(t *testing.T, messages *journal[rtmp.Message], n int, what string) []rtmp.Message {
	t.Helper()
	return awaitMessage(t, messages, what, func(m rtmp.Message) bool {
		if describe(m) == what {
			n--
		}
		return n == 0
	})
}

// awaitTime waits for a frame of at least that many milliseconds.
func awaitTime(t *testing.T, messages *journal[rtmp.Message], timestamp uint32) []rtmp.Message {
	t.Helper()
	return awaitMessage(t, messages, fmt.Sprint(timestamp, " ms"), func(m rtmp.Message) bool {
		return isMedia(m) && m.Timestamp >= timestamp
	})
}

// awaitMessage waits for a message and returns all up to it.
func awaitMessage(t *testing.T, messages *journal[rtmp.Message], what string, is func(rtmp.Message) bool) []rtmp.Message {
	t.Helper()
	all, ok := messages.await(4*soon, is)
	if !ok {
		t.Fatalf("%s did not come; there were %q", what, events(all))
	}
	return all
}

// frames returns the frames among the messages.
func frames(messages []rtmp.Message) []rtmp.Message {
	var list []rtmp.Message
	for _, m := range messages {
		if isMedia(m) {
			list = append(list, m)
		}
	}
	return list
}

// sameFrames wants two lists of frames to be the same, byte by byte.
func sameFrames(got, want []rtmp.Message) error {
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.Type != w.Type || g.Timestamp != w.Timestamp || !bytes.Equal(g.Payload, w.Payload) {
			return fmt.Errorf("frame %d is %s of %d ms and %d bytes, want %s of %d ms and %d bytes",
				i, describe(g), g.Timestamp, len(g.Payload), describe(w), w.Timestamp, len(w.Payload))
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d frames came, want %d", len(got), len(want))
	}
	return nil
}

// framesOf returns the frames of an FLV file as messages.
func framesOf(t *testing.T, file string) []rtmp.Message {
	t.Helper()
	return slices.DeleteFunc(messagesOf(t, file), func(m rtmp.Message) bool { return !isMedia(m) })
}

// messagesOf returns the tags of an FLV file as messages, without the marker at
// its end.
func messagesOf(t *testing.T, file string) []rtmp.Message {
	t.Helper()
	var list []rtmp.Message
	for _, tag := range readTags(t, file) {
		m := rtmp.Message{Type: rtmp.MessageType(tag.Type), Timestamp: tag.Timestamp, Payload: tag.Payload}
		if m.Type != rtmp.TypeVideo || media.InspectVideo(m.Payload).Type != media.SequenceEnd {
			list = append(list, m)
		}
	}
	return list
}

// feed publishes messages in real time, again and again until ctx ends, and
// returns the frames it sent.
func (c *client) feed(ctx context.Context, messages []rtmp.Message) ([]rtmp.Message, error) {
	var sent []rtmp.Message
	start := time.Now()
	// The last sound of a file lies a little behind its end.
	for base := time.Duration(0); ; base += mediaLength + 100*time.Millisecond {
		for _, m := range messages {
			m.Stream = c.stream
			m.Timestamp += uint32(base.Milliseconds())
			if !pause(ctx, time.Until(start.Add(time.Duration(m.Timestamp)*time.Millisecond))) {
				return sent, nil
			}
			if err := c.WriteMessage(m); err != nil {
				return sent, err
			}
			if isMedia(m) {
				sent = append(sent, m)
			}
		}
	}
}

// pause lets time pass as media plays. It reports false when ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
