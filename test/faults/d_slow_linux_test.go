package faults

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// D2: a link that carries a part of the stream. test/e2e has what FFmpeg makes of it,
// that headers come before each group, and what the log tells.
func TestASlowPlayerMissesWholeGroups(t *testing.T) {
	t.Parallel()
	f := beginIn(t, "D2", stage.NewNetwork(t))
	viewer := f.afar()
	if err := viewer.Start(stage.CanaryChannel, "key", stage.Watching); err != nil {
		f.Fatal(err)
	}
	f.network.Narrow(1500) // of 4000
	_ = viewer.Conn.SetReadDeadline(time.Now().Add(time.Duration(f.scale(13, 55)) * time.Second))
	seen, err := f.watchWithGaps(viewer)
	f.figure("messages through", seen.messages)
	f.figure("groups left out", seen.gaps)
	f.figure("furthest behind", seen.delay.Round(100*time.Millisecond))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		f.Errorf("the viewer did not stay: %v", err)
	}
	// The lag at which it skips, a group, and what is in the kernel's buffers.
	if seen.gaps == 0 || seen.delay > 4*time.Second+2*time.Second+4*time.Second {
		f.Errorf("%d gaps, and a delay of %v", seen.gaps, seen.delay)
	}
}
