package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// However an encoder stops, its channel is free at once for the next one, and
// players are told.
func TestEachWayToStopFreesTheChannel(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 116)
	s := startServer(t, "PUBLISH_TAKEOVER=never", "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
	call := func(name string, stream bool, args ...any) func(*client) error {
		return func(c *client) error {
			on := uint32(0)
			if stream {
				on = c.stream
			}
			return c.WriteMessage(rtmp.Command{Name: name, Transaction: 9, Args: args}.Message(on))
		}
	}
	tests := []struct {
		name string
		stop func(*client) error
		told bool // that it stopped, on the connection that goes on
	}{
		{"FCUnpublish", call("FCUnpublish", false, "key"), true},
		{"deleteStream", call("deleteStream", false, 1.0), true},
		{"deleteStream by name", call("deleteStream", false, "key"), true},
		{"closeStream", call("closeStream", true), true},
		{"FIN", func(c *client) error { return c.conn.CloseWrite() }, false},
		{"RST", func(c *client) error { c.reset(); return nil }, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := string(rune('a'+i)) + "/key"
			player := play(t, s, path).record()
			first := publish(t, s, path)
			answers := first.record()
			frame := framesOf(t, mediaPath(fileVideo))[0]
			frame.Stream = first.stream
			if err := first.WriteMessage(frame); err != nil {
				t.Fatal(err)
			}
			awaitEvent(t, player, 1, keyframe)
			if err := tt.stop(first); err != nil {
				t.Fatal(err)
			}
			stopped := time.Now()
			awaitEvent(t, player, 1, rtmp.CodePlayUnpublishNotify)
			if took := time.Since(stopped); took > time.Second {
				t.Errorf("players were told after %v", took)
			}
			if _, err := tryPublish(t, "", s.addr, path); err != nil {
				t.Errorf("the next publisher: %v", err)
			}
			awaitEvent(t, player, 2, rtmp.CodePlayPublishNotify)
			if tt.told {
				awaitEvent(t, answers, 1, rtmp.CodeUnpublishSuccess)
			} else if !answers.awaitEnd(2 * time.Second) {
				t.Error("the connection is still open")
			}
		})
	}
}

// An encoder that is cut off and comes back is the same stream to its players;
// its channel is free for it at once.
func TestPlayersHearNothingOfALostConnection(t *testing.T) {
	t.Parallel()
	s := startServer(t, "PUBLISH_TAKEOVER=never", "PUBLISH_GRACE_SECONDS=300", "MAX_IP_CONCURRENT_CONNECTIONS=0")
	for name, lose := range map[string]func(*client) error{
		"FIN": func(c *client) error { return c.conn.CloseWrite() },
		"RST": func(c *client) error { c.reset(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := name + "/key"
			player := play(t, s, path).record()
			for i := range 3 {
				publisher := publish(t, s, path)
				publisher.record()
				frame := framesOf(t, mediaPath(fileVideo))[0]
				frame.Stream = publisher.stream
				if err := publisher.WriteMessage(frame); err != nil {
					t.Fatal(err)
				}
				awaitEvent(t, player, i+1, keyframe)
				if err := lose(publisher); err != nil {
					t.Fatal(err)
				}
				s.awaitLines(i+1, soon, "msg=end", " role=publisher channel="+name+" ")
			}
			got := events(awaitEvent(t, player, 3, keyframe))
			if n := count(got, rtmp.CodePlayPublishNotify); n != 1 || slices.Contains(got, rtmp.CodePlayUnpublishNotify) {
				t.Errorf("the player was told %q", got)
			}
		})
	}
}

func count(events []string, want string) (n int) {
	for _, e := range events {
		if e == want {
			n++
		}
	}
	return n
}

// A player that ends with its stream, as FFmpeg does, goes on with an encoder
// that comes back, and ends with one that says that it stops.
func TestFFmpegGoesOnWithAnEncoderThatIsBack(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 214)
	s := startServer(t, "PUBLISH_GRACE_SECONDS=300")
	const path = "channel/key"
	watcher := play(t, s, path).record()
	file := filepath.Join(t.TempDir(), "got.flv")
	player := ffmpeg(t, "-i", s.url(path), "-c", "copy", "-copyts", "-f", "flv", file)
	s.awaitLines(2, soon, "msg=play")
	lost := ffmpegPublish(t, mediaPath(fileAV), s.url(path))
	awaitTime(t, watcher, 1000)
	_ = lost.cmd.Process.Kill()
	s.awaitLine("msg=end", "role=publisher")
	ffmpegPublish(t, mediaPath(fileAV), s.url(path), "-t", "1.5").succeed(1500*time.Millisecond + soon)
	player.succeed(time.Second)
	checkDecodes(t, file)
	for kind, stored := range packetsOf(t, file) {
		checkTimeGoesOn(t, kind, stored)
	}
	if got := events(awaitEvent(t, watcher, 1, rtmp.CodePlayUnpublishNotify)); count(got, videoHeader) != 2 {
		t.Errorf("it got %q", got)
	}
}

// checkTimeGoesOn wants each packet of a track to be later than the one before.
func checkTimeGoesOn(t *testing.T, track string, packets []packet) {
	t.Helper()
	for i := 1; i < len(packets); i++ {
		if before, at := packets[i-1].dts, packets[i].dts; at <= before {
			t.Errorf("packet %d of %d of %s is of %d ms, the one before of %d ms", i, len(packets), track, at, before)
		}
	}
}
