package httpflv

import (
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// A viewer was there for as long as it was, whatever the wall clock did meanwhile.
func TestBothEndsOfAViewerAreOfOneWallClock(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		var end stream.End
		v := &viewer{server: &Server{options: Options{Ended: func(e stream.End) { end = e }}}}
		v.began = rtmptest.Stepped(time.Now().Add(-10*time.Second), -step)
		v.cause.Store(&ending{reason: stream.ReasonClientClosed})
		v.tell()
		if lasted := end.Ended.Round(0).Sub(end.Started.Round(0)); lasted < 10*time.Second || lasted > time.Minute {
			t.Errorf("after a step of %v a viewer of 10 s lasted %v", step, lasted)
		}
	}
}
