package e2e

import (
	"context"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// stallLimit is within how long a viewer that stopped reading has to be gone. The
// server notices when the buffers of both kernels are full, which the stream has
// to do in a part of that: FFmpeg's takes 2 MB and more.
const stallLimit = 10 * time.Second

// A viewer whose program is stopped is closed within 10 s, and nobody else notices.
// test/faults has sockets that nobody reads.
func TestStalledViewerIsClosedAndHarmsNobody(t *testing.T) {
	t.Parallel()
	conformance.Covers(t, 158)
	s := stage.Start(t, "MAX_IP_CONCURRENT_CONNECTIONS=0")
	const path = "channel/key"
	watcher := stage.Play(t, s, path).Record()
	publisher := stage.Publish(t, s, path)
	publisher.Record()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sent []rtmp.Message
	var failed error
	var feeding sync.WaitGroup
	messages := messagesOf(t, mediaPath(fileHeavy))
	feeding.Go(func() { sent, failed = feed(ctx, publisher, messages) })
	stage.AwaitEvent(t, watcher, 1, stage.Keyframe)

	stalled := []struct {
		name  string
		stall func(t *testing.T, s *stage.Server, path string)
	}{
		{"ffmpeg", func(t *testing.T, s *stage.Server, path string) {
			stopProgram(t, "ffmpeg", "-nostdin", "-v", "error", "-i", s.URL(path), "-c", "copy", "-f", "flv", "-")
		}},
		{"rtmpdump", func(t *testing.T, s *stage.Server, path string) {
			stopProgram(t, "rtmpdump", "-q", "--live", "-r", s.URL(path))
		}},
		{"gstreamer", func(t *testing.T, s *stage.Server, path string) {
			stopProgram(t, "gst-launch-1.0", "-q", "rtmp2src", "location="+s.URL(path), "!", "fdsink", "fd=1")
		}},
	}
	type stall struct {
		name, id string
		since    time.Time
	}
	var stalls []stall
	for i, viewer := range stalled {
		viewer.stall(t, s, path)
		since := time.Now()
		line := s.AwaitLines(i+2, stage.Soon, "msg=play")[i+1]
		stalls = append(stalls, stall{viewer.name, stage.Attr(line, "id"), since})
	}
	for _, viewer := range stalls {
		line := s.AwaitLines(1, 3*stallLimit, "msg=end", " id="+viewer.id+" ")[0]
		ended, err := time.Parse(time.RFC3339, stage.Attr(line, "time"))
		if err != nil {
			t.Fatal(err)
		}
		took := ended.Sub(viewer.since)
		t.Logf("%s was closed after %.1f s with %s bytes sent: %s",
			viewer.name, took.Seconds(), stage.Attr(line, "bytes_out"), stage.Attr(line, "reason"))
		if reason := stage.Attr(line, "reason"); reason != "peer stopped reading" && reason != "peer unreachable" {
			t.Errorf("%s was closed because: %s", viewer.name, reason)
		}
		if took > stallLimit {
			t.Errorf("%s was closed after %v", viewer.name, took)
		}
	}

	cancel()
	if feeding.Wait(); failed != nil {
		t.Fatal(failed)
	}
	if err := publisher.WriteMessage(rtmp.Command{Name: "deleteStream", Args: []any{float64(publisher.Stream)}}.Message(0)); err != nil {
		t.Fatal(err)
	}
	if err := stage.SameFrames(stage.Frames(stage.AwaitEvent(t, watcher, 1, stage.StreamEOF)), sent); err != nil {
		t.Errorf("the viewer that goes on: %v", err)
	}
}

// stopProgram starts a player that writes to its standard output and stops it
// when media has come.
func stopProgram(t *testing.T, name string, args ...string) {
	t.Helper()
	flow := &flow{running: make(chan struct{})}
	p := stage.Launch(t, flow, name, args...)
	timer := time.NewTimer(2 * stage.Soon)
	defer timer.Stop()
	select {
	case <-flow.running:
	case <-timer.C:
		t.Fatalf("%s plays nothing", p)
	}
	if err := p.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// flow takes what a player writes, and tells when that is more than a header.
type flow struct {
	size    int
	running chan struct{}
}

func (f *flow) Write(b []byte) (int, error) {
	const enough = 64 << 10
	if f.size < enough && f.size+len(b) >= enough {
		close(f.running)
	}
	f.size += len(b)
	return len(b), nil
}
