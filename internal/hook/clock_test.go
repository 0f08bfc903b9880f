package hook

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// A backend compares the times of a token with its own clock: they are those of the
// wall clock, as it is set when the token is signed.
func TestTokensFollowTheWallClock(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		now := time.Now()
		text, err := (&signer{secret: []byte("secret")}).sign(eventStop, session{}, rtmptest.Stepped(now, step))
		if err != nil {
			t.Fatal(err)
		}
		var got claims
		if _, _, err := jwt.NewParser().ParseUnverified(text, &got); err != nil {
			t.Fatal(err)
		}
		want := now.Add(step)
		if got.IssuedAt.Unix() != want.Unix() || got.ExpiresAt.Unix() != want.Add(tokenLifetime).Unix() {
			t.Errorf("after a step of %v a token is from %v to %v, want from %v", step, got.IssuedAt, got.ExpiresAt, want)
		}
	}
}
