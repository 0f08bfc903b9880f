package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestStopTellsPublisherAndPlayer(t *testing.T) {
	t.Parallel()
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	player := stage.Play(t, s, "channel/key").Record()
	waiting := stage.Play(t, s, "other/key").Record()
	c := stage.Publish(t, s, "channel/key")
	publisher := c.Record()
	frame := framesOf(t, mediaPath(fileVideo))[0]
	frame.Stream = c.Stream
	if err := c.WriteMessage(frame); err != nil {
		t.Fatal(err)
	}
	stage.AwaitEvent(t, player, 1, stage.Keyframe)

	start := time.Now()
	s.Stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("the stop took %v, though everyone reads", took)
	}
	for name, tt := range map[string]struct {
		messages *stage.Journal[rtmp.Message]
		want     []string
	}{
		"publisher":      {publisher, []string{rtmp.CodeUnpublishSuccess}},
		"player":         {player, []string{stage.StreamEOF, rtmp.CodePlayUnpublishNotify}},
		"waiting player": {waiting, []string{stage.StreamEOF, rtmp.CodePlayUnpublishNotify}},
	} {
		if !tt.messages.AwaitEnd(stage.Soon) {
			t.Errorf("%s is still connected", name)
		}
		got := stage.Events(tt.messages.All())
		for _, want := range tt.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s was told %q, not %q", name, got, want)
			}
		}
	}
}

func TestStopEndsProgramsNormally(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	dir := t.TempDir()
	watcher := stage.Play(t, s, "channel/key").Record()
	player := stage.Ffmpeg(t, "-i", s.URL("channel/key"), "-c", "copy", "-f", "flv", dir+"/got.flv")
	s.AwaitLines(2, stage.Soon, "msg=play")
	publisher := stage.FfmpegPublish(t, mediaPath(fileAV), s.URL("channel/key"))
	stage.AwaitTime(t, watcher, 2000)

	s.Stop()
	player.Succeed(stage.Soon)
	publisher.Refuse(stage.Soon) // it has not sent everything
	checkDecodes(t, dir+"/got.flv")
}

// stalledPlayer is a player that does not read, while a publisher sends more
// than the buffers in between hold.
func stalledPlayer(t *testing.T, s *stage.Server) {
	t.Helper()
	c := stage.Play(t, s, "channel/key")
	if err := c.Conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	watcher := stage.Play(t, s, "channel/key").Record()
	publisher := stage.Publish(t, s, "channel/key")
	publisher.Record()
	messages := messagesOf(t, mediaPath(fileHeavy))
	for i, m := range messages {
		m.Stream, m.Timestamp = publisher.Stream, uint32(i)
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	stage.AwaitTime(t, watcher, uint32(len(messages)-1))
}

func TestStopDoesNotWaitForAPlayerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	stalledPlayer(t, s)
	s.Stop()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := stage.Start(t)
	stalledPlayer(t, s)
	s.Signal(syscall.SIGTERM)
	s.AwaitLine("msg=stopping")
	s.Stopped = true
	second := time.Now()
	// The line comes a moment before the server lets go of the signal.
	for ended := false; !ended && time.Since(second) < stage.StopLimit; {
		s.Signal(syscall.SIGTERM)
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-s.Exited:
			ended = true
		case <-timer.C:
		}
		timer.Stop()
	}
	s.AwaitExit(stage.Soon)
	took := time.Since(second)
	if status, ok := s.Cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it was not the second signal that ended the server, but %v", s.Status)
	}
	if took > 500*time.Millisecond {
		t.Errorf("the second signal took %v", took)
	}
	s.CheckOutput()
}
