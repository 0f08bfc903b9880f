package server

import (
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// steps are by how much the wall clock is set while the server runs.
var steps = []time.Duration{time.Hour, -time.Hour, 50 * 365 * 24 * time.Hour}

// apart is by how much two times differ on the wall clock.
func apart(a, b time.Time) time.Duration { return a.Round(0).Sub(b.Round(0)).Abs() }

// What begins after the wall clock was set has the time of the wall clock.
func TestTimesForOperatorsFollowTheWallClock(t *testing.T) {
	for _, step := range steps {
		s := &Server{epoch: rtmptest.Stepped(time.Now(), -step)}
		c := &conn{server: s, nc: &transport{}, started: s.now()}
		for what, got := range map[string]time.Time{
			"session": c.known(stream.KindPlayer).Started,
			"end":     s.at(c.started),
			"channel": s.at(0).Add(s.now()),
		} {
			if off := apart(got, time.Now()); off > time.Minute {
				t.Errorf("after a step of %v the time of a %s is off by %v", step, what, off)
			}
		}
	}
}

// Deadlines, durations and what is live do not: a step cuts nobody off.
func TestTheServersOwnClockDoesNotFollowTheWallClock(t *testing.T) {
	for _, step := range steps {
		s := &Server{epoch: rtmptest.Stepped(time.Now(), -step)}
		if now := s.now(); now < 0 || now > time.Minute {
			t.Errorf("after a step of %v the server's clock is at %v", step, now)
		}
		if moved := s.at(0).Sub(s.epoch); moved != 0 {
			t.Errorf("after a step of %v arrivals count from a moment %v away", step, moved)
		}
	}
}

// A session lasted for as long as it did, whatever the wall clock did meanwhile.
func TestBothEndsOfASessionAreOfOneWallClock(t *testing.T) {
	for _, step := range steps {
		var end stream.End
		s := &Server{epoch: time.Now(), options: Options{Ended: func(e stream.End) { end = e }}}
		began := time.Now().Add(-10 * time.Second)
		(&conn{server: s, nc: &transport{}}).tell(stream.Session{Started: rtmptest.Stepped(began, -step)})
		if lasted := end.Ended.Round(0).Sub(end.Started.Round(0)); lasted < 10*time.Second || lasted > time.Minute {
			t.Errorf("after a step of %v a session of 10 s lasted %v", step, lasted)
		}
	}
}
