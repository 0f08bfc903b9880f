package server

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// A player that waits for a channel is woken by the first pass, and may be busy
// then: by the time it looks, media may have come.
func TestWhoWaitedAtTheLiveEdgeGetsTheFirstKeyframe(t *testing.T) {
	media := [][]byte{{0x17, 0, 0, 0, 0, 1}, {0x17, 1, 0, 0, 0, 2}, {0x27, 1, 0, 0, 0, 3}}
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, playing := f.client("live")
		defer func() { _ = playing.Close() }()
		id, err := player.CreateStream()
		if err != nil {
			t.Fatal(err)
		}
		if err := player.WriteMessage(rtmp.Command{Name: "play", Args: []any{"key?cache=no"}}.Message(id)); err != nil {
			t.Fatal(err)
		}
		var got [][]byte
		go func() {
			for {
				m, err := player.ReadMessage()
				if err != nil {
					return
				}
				if m.Type == rtmp.TypeVideo {
					got = append(got, m.Payload)
				}
			}
		}()
		synctest.Wait()
		playing.Stall()
		for range 2 { // the first answer may still be read
			if err := player.WriteMessage(rtmp.UserControl(rtmp.EventPingRequest, 1)); err != nil {
				t.Fatal(err)
			}
		}

		publisher, publishing := f.publish("live", "key")
		defer func() { _ = publishing.Close() }()
		go func() { _ = drain(publishing) }()
		for i, payload := range media {
			m := rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: uint32(i * 40), Payload: payload}
			if err := publisher.WriteMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		time.Sleep(time.Second)
		playing.Resume()
		synctest.Wait()
		if len(got) != len(media) || !bytes.Equal(bytes.Join(got, nil), bytes.Join(media, nil)) {
			t.Errorf("got %x, want %x", got, media)
		}
	})
}
