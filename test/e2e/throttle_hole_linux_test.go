package e2e

import (
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// lightContent is a stream that takes long to fill the buffers of a kernel: a
// viewer that vanished is noticed by what it does not acknowledge.
func lightContent(*testing.T) stage.Content { return stage.Content{Message: stage.NumberedMessage} }

// A viewer that vanishes without a word is closed within 10 s, and nobody else
// notices.
func TestVanishedViewerIsClosed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		content func(*testing.T) stage.Content
	}{
		{"heavy stream", heavyContent},
		{"light stream", lightContent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := startSpoiled(t, tt.content(t), func(s *stage.Server) *stage.Client { return dialPlain(t, s) })
			stage.AwaitTime(t, b.viewer, 1000)
			b.network.Cut()
			start := time.Now()
			end := b.server.AwaitLines(1, 2*stallLimit, "msg=end", " id="+b.id+" ")[0]
			took := time.Since(start)
			t.Logf("closed after %.1f s: %s", took.Seconds(), end)
			if took > stallLimit {
				t.Errorf("the viewer that vanished was closed after %v", took)
			}
			if reason := stage.Attr(end, "reason"); reason != "peer stopped reading" && reason != "peer unreachable" {
				t.Errorf("it was closed because: %s", reason)
			}
			b.Flows()
			b.CheckUnharmed()
		})
	}
}

// A viewer whose network is gone for 2 s goes on: what it misses, if anything,
// are whole groups.
func TestViewerOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	const outage = 2 * time.Second
	b := startSpoiled(t, heavyContent(t), func(s *stage.Server) *stage.Client { return dialPlain(t, s) })
	stage.AwaitTime(t, b.viewer, 1000)
	b.network.Cut()
	before := len(b.viewer.All())
	if !stage.Pause(t.Context(), outage) {
		t.Fatal("the test was ended")
	}
	// What had arrived may not have been read yet; 2 s have ten times as much.
	if after := len(b.viewer.All()); after > before+20 {
		t.Errorf("%d messages came through a link that was cut", after-before)
	}
	b.network.Mend()
	mended := time.Now()
	last := b.witness()
	stage.AwaitTime(t, b.viewer, last.Timestamp)
	t.Logf("the viewer was up to date %.1f s after the outage", time.Since(mended).Seconds())
	b.Flows()
	b.checkSkips(b.finish().gaps)
}

// witness returns the newest message that came to the viewer on the server's
// machine.
func (b *spoiled) witness() rtmp.Message {
	all := b.Viewer.All()
	return all[len(all)-1]
}
