package server

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
)

// guarded is an Authorizer that knows one key, or fails with another error.
type guarded struct {
	fails error
	asked int
}

func (g *guarded) Start(_ context.Context, r access.Request) (string, error) {
	g.asked++
	switch {
	case g.fails != nil:
		return "", g.fails
	case r.Key != "key":
		return "", access.Denied(errors.New("status 403"))
	}
	return "id", nil
}

func (*guarded) Stop(access.Request, string) {}

const guessLimit = 10

func guarding(t *testing.T, g *guarded, exempt string) *fixture {
	list, err := access.ParseList(exempt)
	if err != nil {
		t.Fatal(err)
	}
	return newFixture(t, func(o *Options) {
		o.Authorizer = g
		o.Guesses = access.NewGuesses(guessLimit, list, 64)
	})
}

const (
	guesser   = "203.0.113.9:4000"
	bystander = "203.0.113.10:4000"
)

// try has an address publish or play, and returns what it is told.
func (f *fixture) try(from, command, key string) (told string, conn *rtmptest.Conn) {
	f.t.Helper()
	conn, err := f.listener.Dial(netip.MustParseAddrPort(from))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close() })
	client := rtmp.NewClient(conn)
	if _, err = client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err == nil {
		_, err = client.Connect(rtmp.ConnectOptions{App: "live"})
	}
	id, err2 := client.CreateStream()
	if err = errors.Join(err, err2); err != nil {
		f.t.Fatal(err)
	}
	if command == "publish" {
		err = client.Publish(id, key)
	} else {
		err = client.Play(id, key)
	}
	if err == nil {
		go func() { _ = drain(conn) }()
		return "", conn
	}
	_ = conn.Close()
	synctest.Wait()
	return err.Error(), conn
}

func TestWhoGuessesKeysIsRefusedUnasked(t *testing.T) {
	for _, command := range []string{"publish", "play"} {
		t.Run(command, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &guarded{}
				f := guarding(t, g, "")
				defer f.stop()
				_, live := f.try(bystander, "publish", "key")
				if command == "publish" { // a busy channel is refused before any key
					_ = live.Close()
					synctest.Wait()
				}
				first, _ := f.try(guesser, command, "wrong")
				for i := range 1000 {
					if told, _ := f.try(guesser, command, fmt.Sprint("wrong", i)); told != first || told == "" {
						t.Fatalf("guess %d is answered with %q, the first one with %q", i, told, first)
					}
				}
				if told, _ := f.try(guesser, command, "key"); told != first {
					t.Errorf("the right key is answered with %q", told)
				}
				f.wantLog(`reason="too many wrong keys from this address"`, refusalLines)
				if want := 1 + guessLimit; command == "publish" && g.asked > want {
					t.Errorf("the authorizer was asked %d times, want %d", g.asked, want)
				}
				if told, conn := f.try(bystander, "play", "key"); told != "" {
					t.Errorf("another address is told %q", told)
				} else {
					_ = conn.Close()
				}
				time.Sleep(time.Minute / guessLimit)
				if told, _ := f.try(guesser, "play", "key"); told != "" {
					t.Errorf("some time later the right key is answered with %q", told)
				}
				_ = live.Close()
			})
		})
	}
}

func TestWhoIsOnTheListMayGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{}
		f := guarding(t, g, "203.0.113.0/24")
		defer f.stop()
		for range 100 {
			f.try(guesser, "publish", "wrong")
		}
		if g.asked != 100 {
			t.Errorf("asked %d times, want 100", g.asked)
		}
	})
}

// Encoders come back every second while the backend is down, and are let in when
// it is back.
func TestABackendThatFailsBrakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{fails: errors.New("unreachable")}
		f := guarding(t, g, "")
		defer f.stop()
		for range 100 {
			f.try(guesser, "publish", "key")
		}
		g.fails = nil
		if told, _ := f.try(guesser, "publish", "key"); told != "" {
			t.Errorf("told %q", told)
		}
	})
}

// Waiting for a channel with a key is a guess as well, once it is live.
func TestWaitingWithAWrongKeyIsAGuess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := guarding(t, &guarded{}, "")
		defer f.stop()
		for i := range guessLimit {
			if told, _ := f.try(guesser, "play", fmt.Sprint("wrong", i)); told != "" {
				t.Fatalf("told %q before the channel is live", told)
			}
		}
		_, live := f.try(bystander, "publish", "key")
		time.Sleep(2 * lingerTimeout)
		synctest.Wait()
		f.wantLog(`reason="wrong key"`, guessLimit)
		if told, _ := f.try(guesser, "play", "key"); !strings.Contains(told, textWrongKey) {
			t.Errorf("the next one is told %q", told)
		}
		_ = live.Close()
	})
}

// What an address plays and publishes goes on while others there guess.
func TestSessionsGoOnWhileTheirAddressGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := guarding(t, &guarded{}, "")
		defer f.stop()
		f.try(guesser, "publish", "key")
		f.try(guesser, "play", "key")
		for range 2 * guessLimit {
			f.try(guesser, "play", "wrong")
		}
		f.wantLog("role=publisher", 0)
		if n := f.Connections(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}
