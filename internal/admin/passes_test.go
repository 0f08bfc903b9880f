package admin

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// Who is logged in remains so for as long as was promised, neither less nor longer,
// when the wall clock is set.
func TestPassesDoNotFollowTheWallClock(t *testing.T) {
	for _, step := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		for left, want := range map[time.Duration]bool{time.Hour: true, -time.Second: false} {
			p := newPasses[string](left, 1)
			text, expires := p.issue("value")
			p.issued[sha256.Sum256([]byte(text))] = pass[string]{"value", rtmptest.Stepped(expires, -step)}
			if _, ok := p.check(text); ok != want {
				t.Errorf("with %v left and a step of %v a pass is taken: %v", left, step, ok)
			}
		}
	}
}
