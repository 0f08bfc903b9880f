package stage

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// Client is an RTMP client that sees every message and can misbehave.
type Client struct {
	*rtmp.Client
	T      *testing.T
	Conn   *net.TCPConn
	Stream uint32
}

// connTimeout bounds the life of a test's connection, so that no test hangs.
const connTimeout = time.Minute

// DialFrom opens a connection from a local address, any if empty, and shakes
// hands. It is closed when the test ends.
func DialFrom(t *testing.T, from, addr string) (*Client, error) {
	t.Helper()
	dialer := net.Dialer{Timeout: Soon}
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
	return &Client{Client: rtmp.NewClient(conn), T: t, Conn: conn}, nil
}

// Open connects to the app of a path CHANNEL/KEY, announcing what is given, and
// creates a message stream.
func Open(t *testing.T, from, addr, path string, announce ...amf.Property) (c *Client, key string, err error) {
	t.Helper()
	channel, key, _ := strings.Cut(path, "/")
	c, err = DialFrom(t, from, addr)
	if err != nil {
		return nil, "", err
	}
	options := rtmp.ConnectOptions{App: channel, TCURL: "rtmp://" + addr + "/" + channel, Extra: announce}
	if _, err := c.Connect(options); err != nil {
		return nil, "", err
	}
	c.Stream, err = c.CreateStream()
	return c, key, err
}

// TryPlay plays a path CHANNEL/KEY from a local address.
func TryPlay(t *testing.T, from, addr, path string, announce ...amf.Property) (*Client, error) {
	t.Helper()
	c, key, err := Open(t, from, addr, path, announce...)
	if err != nil {
		return nil, err
	}
	return c, c.Play(c.Stream, key)
}

// TryPublish publishes a path CHANNEL/KEY from a local address.
func TryPublish(t *testing.T, from, addr, path string) (*Client, error) {
	t.Helper()
	c, key, err := Open(t, from, addr, path)
	if err != nil {
		return nil, err
	}
	return c, c.Publish(c.Stream, key)
}

// Play plays a path CHANNEL/KEY.
func Play(t *testing.T, s *Server, path string, announce ...amf.Property) *Client {
	t.Helper()
	c, err := TryPlay(t, "", s.Addr, path, announce...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Publish publishes a path CHANNEL/KEY.
func Publish(t *testing.T, s *Server, path string) *Client {
	t.Helper()
	c, err := TryPublish(t, "", s.Addr, path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Reset closes the connection without a word.
func (c *Client) Reset() {
	_ = c.Conn.SetLinger(0)
	_ = c.Conn.Close()
}

// CheckRefused wants err to be the refusal of a command with a code, and the
// connection to be closed within a second of it.
func CheckRefused(t *testing.T, c *Client, err error, code string) {
	t.Helper()
	var refused *rtmp.StatusError
	if !errors.As(err, &refused) || refused.Status.Code != code || refused.Status.Description == "" {
		t.Fatalf("got %v, want a refusal with %s and a description", err, code)
	}
	if !c.Record().AwaitEnd(time.Second) {
		t.Error("the refused connection is still open after a second")
	}
}

// Record reads all messages from now on.
func (c *Client) Record() *Journal[rtmp.Message] {
	messages := NewJournal[rtmp.Message]()
	go func() {
		defer messages.End()
		for {
			m, err := c.ReadMessage()
			if err != nil {
				return
			}
			messages.Add(m)
		}
	}()
	c.T.Cleanup(func() {
		_ = c.Conn.Close()
		messages.AwaitEnd(Soon)
	})
	return messages
}

// What a message is, as far as a player is concerned.
const (
	StreamBegin = "StreamBegin"
	StreamEOF   = "StreamEOF"
	Metadata    = "onMetaData"
	VideoHeader = "video sequence header"
	AudioHeader = "audio sequence header"
	Keyframe    = "video keyframe"
	VideoFrame  = "video frame"
	audioFrame  = "audio frame"
)

// Describe names a message: one of the above, or the code of a status.
func Describe(m rtmp.Message) string {
	switch m.Type {
	case rtmp.TypeUserControl:
		switch event, _, _ := rtmp.ParseUserControl(m); event {
		case rtmp.EventStreamBegin:
			return StreamBegin
		case rtmp.EventStreamEOF:
			return StreamEOF
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
		return Keyframe
	default:
		return p.Kind.String() + " " + p.Type.String()
	}
}

// IsMedia reports whether a message is a frame, and no header or status.
func IsMedia(m rtmp.Message) bool {
	what := Describe(m)
	return what == Keyframe || what == VideoFrame || what == audioFrame
}

// Events describes messages, each run of frames by its first one.
func Events(messages []rtmp.Message) []string {
	var list []string
	inFrames := false
	for _, m := range messages {
		if frame := IsMedia(m); !frame || !inFrames {
			list = append(list, Describe(m))
			inFrames = frame
		}
	}
	return list
}

// AwaitEvent waits for the nth message of a description, from 1, and returns all
// messages up to it.
func AwaitEvent(t *testing.T, messages *Journal[rtmp.Message], n int, what string) []rtmp.Message {
	t.Helper()
	return awaitMessage(t, messages, what, func(m rtmp.Message) bool {
		if Describe(m) == what {
			n--
		}
		return n == 0
	})
}

// AwaitTime waits for a frame of at least that many milliseconds.
func AwaitTime(t *testing.T, messages *Journal[rtmp.Message], timestamp uint32) []rtmp.Message {
	t.Helper()
	return awaitMessage(t, messages, fmt.Sprint(timestamp, " ms"), func(m rtmp.Message) bool {
		return IsMedia(m) && m.Timestamp >= timestamp
	})
}

// awaitMessage waits for a message and returns all up to it.
func awaitMessage(t *testing.T, messages *Journal[rtmp.Message], what string, is func(rtmp.Message) bool) []rtmp.Message {
	t.Helper()
	all, ok := messages.Await(4*Soon, is)
	if !ok {
		t.Fatalf("%s did not come; there were %q", what, Events(all))
	}
	return all
}

// Frames returns the frames among the messages.
func Frames(messages []rtmp.Message) []rtmp.Message {
	var list []rtmp.Message
	for _, m := range messages {
		if IsMedia(m) {
			list = append(list, m)
		}
	}
	return list
}

// SameFrames wants two lists of frames to be the same, byte by byte.
func SameFrames(got, want []rtmp.Message) error {
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.Type != w.Type || g.Timestamp != w.Timestamp || !bytes.Equal(g.Payload, w.Payload) {
			return fmt.Errorf("frame %d is %s of %d ms and %d bytes, want %s of %d ms and %d bytes",
				i, Describe(g), g.Timestamp, len(g.Payload), Describe(w), w.Timestamp, len(w.Payload))
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("%d frames came, want %d", len(got), len(want))
	}
	return nil
}

// Pause lets time pass as media plays. It reports false when ctx ends first.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
