package server

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// Viewers who do not read are closed when their media is needed, as few as it takes,
// and nobody who keeps up.
func TestPlayersFarthestBehindMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := new(obituaries)
		f := newFixture(t, func(options *Options) { options.Ended = o.add })
		defer f.stop()
		publishers := make(map[string]*rtmp.Client)
		for _, channel := range []string{"fast", "slow"} {
			publisher, up := f.publish(channel, "key") // 1, 2
			defer func() { _ = up.Close() }()
			go func() { _ = drain(up) }()
			publishers[channel] = publisher
		}
		for _, channel := range []string{"fast", "fast", "slow"} { // 3, 4, 5: read nothing
			down := f.viewer(channel, "key")
			defer func() { _ = down.Close() }()
		}
		up := f.viewer("fast", "key") // 6
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		waits := f.viewer("nowhere", "key") // 7
		defer func() { _ = waits.Close() }()

		if n := stream.EndStragglers(f.Stragglers(), 1<<40); n != 0 {
			t.Errorf("%d viewers were closed although nobody was behind", n)
		}
		for i := range 30 {
			for channel, size := range map[string]int{"fast": 200_000, "slow": 50_000} {
				if err := publishers[channel].WriteMessage(frame(map[bool]byte{true: 0x17, false: 0x27}[i == 0], uint32(i*100), size)); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		if n := stream.EndStragglers(f.Stragglers(), 0); n != 0 {
			t.Errorf("%d viewers were closed for nothing", n)
		}
		// The two of the fast channel hold the same: closing one frees next to nothing.
		if n := stream.EndStragglers(f.Stragglers(), 4_000_000); n != 2 {
			t.Errorf("%d viewers were closed, want 2", n)
		}
		reason := " " + string(stream.ReasonBehind)
		o.want(t, "player 3.1 fast"+reason, "player 4.1 fast"+reason)
		if n := stream.EndStragglers(f.Stragglers(), 1<<40); n != 1 {
			t.Errorf("%d viewers were closed, want the last one that is behind", n)
		}
		o.want(t, "player 5.1 slow"+reason)
	})
}
