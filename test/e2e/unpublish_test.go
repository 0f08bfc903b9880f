package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// However an encoder stops, its channel is free at once for the next one, and
// players are told.
func TestEachWayToStopFreesTheChannel(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 116)
	s := stage.Start(t, "PUBLISH_TAKEOVER=never", "MAX_IP_CONCURRENT_CONNECTIONS=0", "PUBLISH_GRACE_SECONDS=0")
	call := func(name string, stream bool, args ...any) func(*stage.Client) error {
		return func(c *stage.Client) error {
			on := uint32(0)
			if stream {
				on = c.Stream
			}
			return c.WriteMessage(rtmp.Command{Name: name, Transaction: 9, Args: args}.Message(on))
		}
	}
	tests := []struct {
		name string
		stop func(*stage.Client) error
		told bool // that it stopped, on the connection that goes on
	}{
		{"FCUnpublish", call("FCUnpublish", false, "key"), true},
		{"deleteStream", call("deleteStream", false, 1.0), true},
		{"deleteStream by name", call("deleteStream", false, "key"), true},
		{"closeStream", call("closeStream", true), true},
		{"FIN", func(c *stage.Client) error { return c.Conn.CloseWrite() }, false},
		{"RST", func(c *stage.Client) error { c.Reset(); return nil }, false},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := string(rune('a'+i)) + "/key"
			player := stage.Play(t, s, path).Record()
			first := stage.Publish(t, s, path)
			answers := first.Record()
			frame := framesOf(t, mediaPath(fileVideo))[0]
			frame.Stream = first.Stream
			if err := first.WriteMessage(frame); err != nil {
				t.Fatal(err)
			}
			stage.AwaitEvent(t, player, 1, stage.Keyframe)
			if err := tt.stop(first); err != nil {
				t.Fatal(err)
			}
			stopped := time.Now()
			stage.AwaitEvent(t, player, 1, rtmp.CodePlayUnpublishNotify)
			if took := time.Since(stopped); took > time.Second {
				t.Errorf("players were told after %v", took)
			}
			if _, err := stage.TryPublish(t, "", s.Addr, path); err != nil {
				t.Errorf("the next publisher: %v", err)
			}
			stage.AwaitEvent(t, player, 2, rtmp.CodePlayPublishNotify)
			if tt.told {
				stage.AwaitEvent(t, answers, 1, rtmp.CodeUnpublishSuccess)
			} else if !answers.AwaitEnd(2 * time.Second) {
				t.Error("the connection is still open")
			}
		})
	}
}

// An encoder that is cut off and comes back is the same stream to its players;
// its channel is free for it at once.
func TestPlayersHearNothingOfALostConnection(t *testing.T) {
	t.Parallel()
	s := stage.Start(t, "PUBLISH_TAKEOVER=never", "PUBLISH_GRACE_SECONDS=300", "MAX_IP_CONCURRENT_CONNECTIONS=0")
	for name, lose := range map[string]func(*stage.Client) error{
		"FIN": func(c *stage.Client) error { return c.Conn.CloseWrite() },
		"RST": func(c *stage.Client) error { c.Reset(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := name + "/key"
			player := stage.Play(t, s, path).Record()
			for i := range 3 {
				publisher := stage.Publish(t, s, path)
				publisher.Record()
				frame := framesOf(t, mediaPath(fileVideo))[0]
				frame.Stream = publisher.Stream
				if err := publisher.WriteMessage(frame); err != nil {
					t.Fatal(err)
				}
				stage.AwaitEvent(t, player, i+1, stage.Keyframe)
				if err := lose(publisher); err != nil {
					t.Fatal(err)
				}
				s.AwaitLines(i+1, stage.Soon, "msg=end", " role=publisher channel="+name+" ")
			}
			got := stage.Events(stage.AwaitEvent(t, player, 3, stage.Keyframe))
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
	s := stage.Start(t, "PUBLISH_GRACE_SECONDS=300")
	const path = "channel/key"
	watcher := stage.Play(t, s, path).Record()
	file := filepath.Join(t.TempDir(), "got.flv")
	player := stage.Ffmpeg(t, "-i", s.URL(path), "-c", "copy", "-copyts", "-f", "flv", file)
	s.AwaitLines(2, stage.Soon, "msg=play")
	lost := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path))
	stage.AwaitTime(t, watcher, 1000)
	_ = lost.Cmd.Process.Kill()
	s.AwaitLine("msg=end", "role=publisher")
	stage.FfmpegPublish(t, mediaPath(fileAV), s.URL(path), "-t", "1.5").Succeed(1500*time.Millisecond + stage.Soon)
	player.Succeed(time.Second)
	checkDecodes(t, file)
	for kind, stored := range packetsOf(t, file) {
		checkTimeGoesOn(t, kind, stored)
	}
	if got := stage.Events(stage.AwaitEvent(t, watcher, 1, rtmp.CodePlayUnpublishNotify)); count(got, stage.VideoHeader) != 2 {
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
