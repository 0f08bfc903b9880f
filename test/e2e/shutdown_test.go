package e2e

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestStopTellsPublisherAndPlayer(t *testing.T) {
	t.Parallel()
	s := startServer(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	player := play(t, s, "channel/key").record()
	waiting := play(t, s, "other/key").record()
	c := publish(t, s, "channel/key")
	publisher := c.record()
	frame := framesOf(t, mediaPath(fileVideo))[0]
	frame.Stream = c.stream
	if err := c.WriteMessage(frame); err != nil {
		t.Fatal(err)
	}
	awaitEvent(t, player, 1, keyframe)

	start := time.Now()
	s.stop()
	if took := time.Since(start); took > 3*time.Second {
		t.Errorf("the stop took %v, though everyone reads", took)
	}
	for name, tt := range map[string]struct {
		messages *journal[rtmp.Message]
		want     []string
	}{
		"publisher":      {publisher, []string{rtmp.CodeUnpublishSuccess}},
		"player":         {player, []string{streamEOF, rtmp.CodePlayUnpublishNotify}},
		"waiting player": {waiting, []string{streamEOF, rtmp.CodePlayUnpublishNotify}},
	} {
		if !tt.messages.awaitEnd(soon) {
			t.Errorf("%s is still connected", name)
		}
		got := events(tt.messages.all())
		for _, want := range tt.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s was told %q, not %q", name, got, want)
			}
		}
	}
}

func TestStopEndsProgramsNormally(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()
	watcher := play(t, s, "channel/key").record()
	player := ffmpeg(t, "-i", s.url("channel/key"), "-c", "copy", "-f", "flv", dir+"/got.flv")
	s.awaitLines(2, soon, "msg=play")
	publisher := ffmpegPublish(t, mediaPath(fileAV), s.url("channel/key"))
	awaitTime(t, watcher, 2000)

	s.stop()
	player.succeed(soon)
	publisher.refuse(soon) // it has not sent everything
	checkDecodes(t, dir+"/got.flv")
}

// stalledPlayer is a player that does not read, while a publisher sends more
// than the buffers in between hold.
func stalledPlayer(t *testing.T, s *server) {
	t.Helper()
	c := play(t, s, "channel/key")
	if err := c.conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	watcher := play(t, s, "channel/key").record()
	publisher := publish(t, s, "channel/key")
	publisher.record()
	messages := messagesOf(t, mediaPath(fileHeavy))
	for i, m := range messages {
		m.Stream, m.Timestamp = publisher.stream, uint32(i)
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	awaitTime(t, watcher, uint32(len(messages)-1))
}

func TestStopDoesNotWaitForAPlayerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	stalledPlayer(t, s)
	s.stop()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	stalledPlayer(t, s)
	s.signal(syscall.SIGTERM)
	s.awaitLine("msg=stopping")
	s.stopped = true
	second := time.Now()
	// The line comes a moment before the server lets go of the signal.
	for ended := false; !ended && time.Since(second) < stopLimit; {
		s.signal(syscall.SIGTERM)
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-s.exited:
			ended = true
		case <-timer.C:
		}
		timer.Stop()
	}
	s.awaitExit(soon)
	took := time.Since(second)
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
		t.Errorf("it was not the second signal that ended the server, but %v", s.status)
	}
	if took > 500*time.Millisecond {
		t.Errorf("the second signal took %v", took)
	}
	s.checkOutput()
}
