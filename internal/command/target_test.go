package command

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

var _ Target = (*stream.Registry)(nil)

// session counts how often it is ended, and keeps where it was asked to connect.
type session struct {
	kicks int
	asked []string
}

func (s *session) Kick(stream.Reason) { s.kicks++ }

func (s *session) RequestReconnect(tcURL string) bool {
	s.asked = append(s.asked, tcURL)
	return true
}

func (*session) Leaving() bool         { return false }
func (*session) Silent() time.Duration { return 0 }
func (*session) Wake(stream.Pages)     {}
func (*session) Expect()               {}

func TestARequestToReconnectReachesTheSessionsOfItsChannel(t *testing.T) {
	r := &scripted{answers: healthy}
	synctest.Test(t, func(t *testing.T) {
		registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
		l, _, log := newListener(func(o *Options) { o.Target = registry })
		l.dial = r.dial
		defer run(t, l)()
		synctest.Wait()
		publisher, player, other := new(session), new(session), new(session)
		if _, err := registry.Publish(stream.Claim{Channel: "live", Key: "key", Publisher: publisher}); err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]*session{"live": player, "other": other} {
			subscription, err := registry.Subscribe(name, "key", s, s)
			if err != nil {
				t.Fatal(err)
			}
			defer subscription.Close()
		}
		for _, message := range []string{
			"request-reconnect>live",
			"request-reconnect>live|rtmp://b.example/app",
			"request-reconnect>live|http://b.example/app",
		} {
			r.publish(message)
			synctest.Wait()
		}
		log.await(t, time.Second, "command=request-reconnect>live|rtmp://b.example/app asked=2")
		log.await(t, time.Second, "unusable URL")
		want := []string{"", "rtmp://b.example/app"}
		if !slices.Equal(publisher.asked, want) || !slices.Equal(player.asked, want) || other.asked != nil {
			t.Errorf("asked: publisher %q, player %q, player of another channel %q", publisher.asked, player.asked, other.asked)
		}
		if s := l.Stats(); s.Executed != 2 || s.Ignored.URL != 1 {
			t.Errorf("stats are %+v", s)
		}
	})
}

func TestCloseStreamNeverReachesTheNextStreamOfAChannel(t *testing.T) {
	r := &scripted{answers: healthy}
	synctest.Test(t, func(t *testing.T) {
		registry := stream.NewRegistry(stream.Options{ChunkSize: 4096})
		l, _, _ := newListener(func(o *Options) { o.Target = registry })
		l.dial = r.dial
		defer run(t, l)()
		synctest.Wait()
		publisher, player := new(session), new(session)
		if _, err := registry.Publish(stream.Claim{Channel: "live", Key: "key", StreamID: "second", Publisher: publisher}); err != nil {
			t.Fatal(err)
		}
		subscription, err := registry.Subscribe("live", "key", player, player)
		if err != nil {
			t.Fatal(err)
		}
		defer subscription.Close()
		for _, step := range []struct {
			message           string
			publisher, player int
		}{
			{"close-stream>live|first", 0, 0},
			{"close-stream>other|second", 0, 0},
			{"close-stream>live|", 0, 0},
			{"kill-session>other", 0, 0},
			{"close-stream>live|second", 1, 0},
			{"kill-session>live", 2, 1},
		} {
			r.publish(step.message)
			synctest.Wait()
			if publisher.kicks != step.publisher || player.kicks != step.player {
				t.Fatalf("after %q the publisher was ended %d times and the player %d times, want %d and %d",
					step.message, publisher.kicks, player.kicks, step.publisher, step.player)
			}
		}
	})
}
