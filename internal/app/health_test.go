package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/admin"
	"github.com/AgustinSRG/rtmp-server/internal/httpflv"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// text is what a log has said, since it was last asked.
type text struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (x *text) Write(line []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lines.Write(line)
}

func (x *text) take() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	said := x.lines.String()
	x.lines.Reset()
	return said
}

// encoder is a publisher whose connection does nothing.
type encoder struct{}

func (encoder) Kick(stream.Reason)           {}
func (encoder) RequestReconnect(string) bool { return false }
func (encoder) Silent() time.Duration        { return 0 }
func (encoder) Leaving() bool                { return false }

// publish has a channel go live that sends a picture a second, every one of them a
// keyframe, for as long as wanted.
func publish(t *testing.T, r *stream.Registry, channel string) (send func(seconds int)) {
	t.Helper()
	epoch := time.Now()
	p, err := r.Publish(stream.Claim{Channel: channel, Key: "key", StreamID: channel, Publisher: encoder{}, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return func(seconds int) {
		for range seconds {
			time.Sleep(time.Second)
			at := time.Since(epoch)
			p.Append(rtmp.Message{
				Type: rtmp.TypeVideo, Timestamp: uint32(at.Milliseconds()), Payload: []byte{0x17, 1, 0, 0, 0, 1},
			}, at)
		}
	}
}

func TestWarningsOfStreamsAreLoggedAndShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
		var lines text
		w := &healthWatch{registry: registry, log: slog.New(slog.NewTextHandler(&lines, nil))}
		s := &source{registry: registry, server: server.New(server.Options{Registry: registry}), http: httpflv.New(httpflv.Options{}), health: w}
		ctx, stop := context.WithCancel(t.Context())
		go func() { _ = w.run(ctx) }()
		defer synctest.Wait()
		defer stop()

		send := publish(t, registry, "live")
		send(20)
		synctest.Wait()
		if got := lines.take(); got != "" {
			t.Errorf("the log says of a sound stream:\n%s", got)
		}
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if got := lines.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="stream warning" channel=live warning=no-media text="Nothing has come`) {
			t.Errorf("the log says of a silent one:\n%s", got)
		}
		if got := w.counts(); got["no-media"] != 1 || len(got) != 10 {
			t.Errorf("the metrics count %v", got)
		}
		if got := warnings(s); len(got) != 1 || !strings.HasPrefix(got[0], "Nothing has come") {
			t.Errorf("the administration shows %q", got)
		}
		send(60)
		synctest.Wait()
		if got := lines.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=WARN msg="stream warning over" channel=live warning=no-media after=`) {
			t.Errorf("the log says of one that is back:\n%s", got)
		}
		if got := w.counts(); got["no-media"] != 0 {
			t.Errorf("the metrics count %v", got)
		}
		if got := warnings(s); got == nil || len(got) != 0 {
			t.Errorf("the administration shows %q", got)
		}
	})
}

// warnings are those of the only channel.
func warnings(s admin.Source) []string { return s.Channels()[0].Health.Warnings }

func TestWarningsOfManyChannelsDoNotFillTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
		var lines text
		w := &healthWatch{registry: registry, log: slog.New(slog.NewTextHandler(&lines, nil))}
		for i := range maxHealthLines + 50 {
			publish(t, registry, fmt.Sprint("channel", i))
		}
		time.Sleep(silence)
		w.look(time.Now())
		w.look(time.Now())
		got := lines.take()
		if n := strings.Count(got, `msg="stream warning" `); n != maxHealthLines {
			t.Errorf("%d lines", n)
		}
		if !strings.Contains(got, `msg="stream warnings left out" count=50`) {
			t.Error("the log does not say how many there were more")
		}
	})
}

// silence is for longer than a stream may be.
const silence = 20 * time.Second
