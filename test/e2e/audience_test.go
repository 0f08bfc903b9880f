package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const (
	// audience is how many viewers of a kind there are: enough in all for the server
	// to have the kernel keep what they get alike.
	audience    = 24
	audienceFor = 80 // frames
	frameEvery  = 10 * time.Millisecond
)

// largeFrames are frames of noise, the first of which is a keyframe.
func largeFrames() []rtmp.Message {
	noise := rand.NewChaCha8([32]byte{1})
	frames := []rtmp.Message{{Type: rtmp.TypeVideo, Payload: []byte{0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xFF, 0xE1, 0, 0, 1, 0, 0}}}
	for i := range audienceFor {
		p := make([]byte, 15_000+100*i)
		_, _ = noise.Read(p)
		p[0], p[1] = 0x27, 1
		if i == 0 {
			p[0] = 0x17
		}
		frames = append(frames, rtmp.Message{Type: rtmp.TypeVideo, Timestamp: uint32(10 * i), Payload: p})
	}
	return frames
}

// frameSum is what distinguishes frames.
func frameSum(timestamp uint32, payload []byte) [sha256.Size]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint32(nil, timestamp), payload...))
}

// seen takes the frames that a viewer got.
type seen struct {
	want [][sha256.Size]byte
	n    int
}

func (s *seen) frame(timestamp uint32, payload []byte) (all bool, err error) {
	if frameSum(timestamp, payload) != s.want[s.n] {
		return false, fmt.Errorf("frame %d of %d is another, at %d ms with %d bytes", s.n, len(s.want), timestamp, len(payload))
	}
	s.n++
	return s.n == len(s.want), nil
}

// readRTMP reads until all frames have come.
func (s *seen) readRTMP(c *stage.Client) error {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return err
		}
		if m.Type != rtmp.TypeVideo {
			continue
		}
		if all, err := s.frame(m.Timestamp, m.Payload); all || err != nil {
			return err
		}
	}
}

// readFLV reads until all frames have come.
func (s *seen) readFLV(r io.Reader) error {
	if _, err := io.CopyN(io.Discard, r, 13); err != nil {
		return err
	}
	for {
		var head [11]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		size := int(head[1])<<16 | int(head[2])<<8 | int(head[3])
		tag := make([]byte, size+4)
		if _, err := io.ReadFull(r, tag); err != nil {
			return err
		}
		if head[0] != 9 {
			continue
		}
		at := uint32(head[7])<<24 | uint32(head[4])<<16 | uint32(head[5])<<8 | uint32(head[6])
		if all, err := s.frame(at, tag[:size]); all || err != nil {
			return err
		}
	}
}

// socketReader reads a WebSocket as one text.
type socketReader struct {
	ctx  context.Context
	c    *websocket.Conn
	rest []byte
}

func (m *socketReader) Read(p []byte) (int, error) {
	for len(m.rest) == 0 {
		_, text, err := m.c.Read(m.ctx)
		if err != nil {
			return 0, err
		}
		m.rest = text
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// watchFrames watches in one of the ways, and returns what reads until all frames
// have come.
func watchFrames(t *testing.T, way string, s *stage.Server, web string, ca *stage.Issuer) func(*seen) error {
	t.Helper()
	const channel, key = "channel", "key"
	switch way {
	case "rtmp":
		c := stage.Play(t, s, channel+"/"+key)
		return func(v *seen) error { return v.readRTMP(c) }
	case "rtmps":
		c := stage.DialSecure(t, s, ca.Config())
		if err := c.Start(channel, key, stage.Watching); err != nil {
			t.Fatal(err)
		}
		return func(v *seen) error { return v.readRTMP(c) }
	case "http":
		r, err := http.Get("http://" + web + "/" + channel + "/" + key + ".flv")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Body.Close() })
		return func(v *seen) error { return v.readFLV(r.Body) }
	default:
		c, _, err := websocket.Dial(t.Context(), "ws://"+web+"/"+channel+"/"+key+".flv", nil) //nolint:bodyclose // it has none
		if err != nil {
			t.Fatal(err)
		}
		c.SetReadLimit(-1)
		t.Cleanup(func() { _ = c.CloseNow() })
		return func(v *seen) error { return v.readFLV(&socketReader{ctx: t.Context(), c: c}) }
	}
}

// TestALargeAudienceGetsTheSameBytes has viewers of every kind, so many that they
// are served together, and wants each to get each byte in its place.
func TestALargeAudienceGetsTheSameBytes(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s, web := startWithHTTP(t, ca.Issue(t, t.TempDir()).Settings()...)
	publisher := stage.Publish(t, s, "channel/key")
	frames := largeFrames()
	publish := func(m rtmp.Message) [sha256.Size]byte {
		m.Stream = publisher.Stream
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
		return frameSum(m.Timestamp, m.Payload)
	}
	// Before the keyframe there is nothing but the header, which all get as they come.
	want := [][sha256.Size]byte{publish(frames[0])}
	publish(rtmp.Message{Type: rtmp.TypeAudio, Payload: []byte{0xAF, 0, 0x12, 0x10}}) // FLV names both kinds in its header
	ways := []string{"rtmp", "rtmps", "http", "ws"}
	var viewers []func(*seen) error
	for range audience {
		for _, way := range ways {
			viewers = append(viewers, watchFrames(t, way, s, web, ca))
		}
	}
	s.AwaitLines(len(viewers), 2*stage.Soon, "msg=play")
	for _, f := range frames[1:] {
		want = append(want, frameSum(f.Timestamp, f.Payload))
	}
	var watching sync.WaitGroup
	for i, view := range viewers {
		watching.Go(func() {
			if err := view(&seen{want: want}); err != nil {
				t.Errorf("%s: %v", ways[i%len(ways)], err)
			}
		})
	}
	for _, f := range frames[1:] {
		publish(f)
		stage.Pause(t.Context(), frameEvery)
	}
	watching.Wait()
}
