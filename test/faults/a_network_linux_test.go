package faults

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// afar connects from the other end of the link.
func (f *fault) afar() *stage.Client {
	f.Helper()
	_, port, _ := net.SplitHostPort(f.server.Addr)
	var c *stage.Client
	var err error
	f.network.Viewer.Do(func() { c, err = stage.DialFrom(f.T, "", net.JoinHostPort(stage.ServerHost, port)) })
	if err != nil {
		f.Fatal(err)
	}
	return c
}

// The cable of a publisher, and of a player, is pulled: neither side is told.
func TestPeersWhoseCableIsPulledAreMissed(t *testing.T) {
	t.Parallel()
	f := beginIn(t, "A6 A7", stage.NewNetwork(t))
	publisher, player := f.afar(), f.afar()
	if err := player.Start(stage.CanaryChannel, "key", stage.Watching); err != nil {
		f.Fatal(err)
	}
	player.Record()
	if err := publisher.Start("attack", "key", stage.Publishing); err != nil {
		f.Fatal(err)
	}
	publisher.Record()
	for n := range 25 {
		if err := publisher.WriteMessage(stage.CanaryMessage(publisher.Stream, n)); err != nil {
			f.Fatal(err)
		}
	}
	f.network.Cut()
	cut := time.Now()
	ends := []string{"role=player", "role=publisher"}
	limits := []time.Duration{12 * time.Second, 20 * time.Second} // silence alone takes longest
	for i, role := range ends {
		end := f.server.AwaitLines(1, limits[i]+15*time.Second, "msg=end", role, "addr="+stage.ViewerHost)[0]
		took := time.Since(cut)
		f.figure(strings.TrimPrefix(role, "role=")+" missed after", took.Round(100*time.Millisecond))
		f.figure("reason", stage.Attr(end, "reason"))
		if took > limits[i] {
			f.Errorf("the %s was missed after %v: %s", role, took, end)
		}
		if i == 0 { // a second publisher may come at once
			continue
		}
		again, err := dial(f, host(1), f.server.Addr, nil)
		if err == nil {
			err = again.Start("attack", "key", stage.Publishing)
		}
		if err != nil {
			f.Errorf("the channel is not free: %v", err)
		}
	}
}

// watched is what came of the canary to a viewer: where it has gaps, and by how much
// it was late at worst.
type watched struct {
	messages, gaps int
	delay          time.Duration
}

// watchWithGaps reads the canary until the connection ends, in which whole groups
// may be missing and nothing else.
func (f *fault) watchWithGaps(c *stage.Client) (seen watched, err error) {
	f.Helper()
	for next := -1; ; {
		m, err := c.ReadMessage()
		if err != nil {
			return seen, err
		}
		if m.Type != rtmp.TypeVideo || len(m.Payload) < 17 {
			continue
		}
		seen.messages++
		end := len(m.Payload) - 4
		if crc32.ChecksumIEEE(m.Payload[:end]) != binary.BigEndian.Uint32(m.Payload[end:]) {
			f.Error("a message came spoiled")
		}
		sent := time.Unix(0, int64(binary.BigEndian.Uint64(m.Payload[9:])))
		seen.delay = max(seen.delay, time.Since(sent))
		n := int(binary.BigEndian.Uint32(m.Payload[5:]))
		if next >= 0 && n != next {
			seen.gaps++
			if n < next || m.Payload[0] != 0x17 {
				f.Errorf("message %d follows message %d, and is no keyframe", n, next-1)
			}
		}
		next = n + 1
	}
}

func TestLostPacketsCostWholeGroupsOnly(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{10, 30} {
		t.Run(fmt.Sprint(percent, " of 100"), func(t *testing.T) {
			t.Parallel()
			f := beginIn(t, "A11", stage.NewNetwork(t))
			viewer := f.afar()
			if err := viewer.Start(stage.CanaryChannel, "key", stage.Watching); err != nil {
				f.Fatal(err)
			}
			f.network.Lose(percent)
			_ = viewer.Conn.SetReadDeadline(time.Now().Add(time.Duration(f.scale(6, 60)) * time.Second))
			seen, err := f.watchWithGaps(viewer)
			f.figure("packets lost in 100", percent)
			f.figure("messages through", seen.messages)
			f.figure("groups left out", seen.gaps)
			// Of 30 in 100, TCP may find that the peer is gone.
			if percent < 30 && !errors.Is(err, os.ErrDeadlineExceeded) || seen.messages == 0 {
				f.Errorf("the viewer did not stay: %v", err)
			}
		})
	}
}
