package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

func wireBytes(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tap keeps what a client read.
type tap struct {
	*rtmptest.Conn
	mu   sync.Mutex
	read []byte
}

func (c *tap) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = append(c.read, b[:n]...)
	return n, err
}

// want checks that the wire has the bytes, which may be cut off at the end.
func (c *tap) want(t *testing.T, what string, b []byte) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !bytes.Contains(c.read, b) {
		t.Errorf("%s: the player was not sent % x…", what, b[:min(len(b), 20)])
	}
}

// tapped returns a client that plays live/key, and its connection.
func (f *fixture) tapped() (*rtmp.Client, *tap) {
	f.t.Helper()
	conn := &tap{Conn: f.dial()}
	client := rtmp.NewClient(conn)
	_, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}})
	if err == nil {
		_, err = client.Connect(rtmp.ConnectOptions{App: "live"})
	}
	if err == nil {
		_, err = client.CreateStream()
	}
	if err == nil {
		err = client.Play(1, "key")
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return client, conn
}

// nextMedia returns the next audio or video message.
func nextMedia(client *rtmp.Client) (rtmp.Message, error) {
	for {
		m, err := client.ReadMessage()
		if err != nil || m.Type == rtmp.TypeAudio || m.Type == rtmp.TypeVideo {
			return m, err
		}
	}
}

func wantTimestamp(t *testing.T, client *rtmp.Client, want uint32) {
	t.Helper()
	if m, err := nextMedia(client); err != nil || m.Timestamp != want {
		t.Fatalf("the player got %d and %v, want %d", m.Timestamp, err, want)
	}
}

func keyframeAt(timestamp uint32, size int) rtmp.Message {
	payload := append([]byte{0x17, 1, 0, 0, 0}, make([]byte, size)...)
	return rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: timestamp, Payload: payload}
}

// mustSend writes messages of a client.
func mustSend(t *testing.T, client *rtmp.Client, messages ...rtmp.Message) {
	t.Helper()
	for _, m := range messages {
		if err := client.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPlayersGetExtendedTimestampsInEveryChunk(t *testing.T) {
	conformance.Covers(t, 63, 64)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, wire := f.tapped()
		defer func() { _ = wire.Close() }()
		publisher, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		const size = 60100 // one chunk and a bit
		tests := []struct {
			timestamp             uint32
			header, continuations string
		}{
			{0xFFFFFE, "06 FFFFFE 00EAC9 09 01000000", "C6"},
			{0xFFFFFF, "06 FFFFFF 00EAC9 09 01000000 00FFFFFF", "C6 00FFFFFF"},
			{0x1000000, "06 FFFFFF 00EAC9 09 01000000 01000000", "C6 01000000"},
		}
		for _, test := range tests {
			m := keyframeAt(test.timestamp, size)
			mustSend(t, publisher, m)
			wantTimestamp(t, player, test.timestamp)
			first, rest := m.Payload[:60000], m.Payload[60000:]
			want := append(wireBytes(t, test.header), first...)
			want = append(want, wireBytes(t, test.continuations)...)
			want = append(want, rest...)
			wire.want(t, fmt.Sprintf("%#x", test.timestamp), want)
		}
	})
}

// TestAPublisherThatSentNothingIntroducesNobody has a player wait through one: the
// metadata of the next is its first.
func TestAPublisherThatSentNothingIntroducesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, wire := f.tapped()
		defer func() { _ = wire.Close() }()
		_, conn := f.publish("live", "key")
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		publisher, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		metadata := []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x00\x00\x00\x09")
		mustSend(t, publisher, rtmp.Message{Type: rtmp.TypeData, Stream: 1, Timestamp: 500, Payload: metadata})
		for {
			m, err := player.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if m.Type == rtmp.TypeData {
				if m.Timestamp != 0 {
					t.Errorf("its metadata is at %d", m.Timestamp)
				}
				return
			}
		}
	})
}

// TestTimestampsPassTheirWrap has the publisher write the wrap as a small delta.
func TestTimestampsPassTheirWrap(t *testing.T) {
	conformance.Covers(t, 41)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, wire := f.tapped()
		defer func() { _ = wire.Close() }()
		_, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		if _, err := conn.Write(wireBytes(t, "04 FFFFFF 000001 08 01000000 FFFFFFF0 AF  84 000020 AF")); err != nil {
			t.Fatal(err)
		}
		wantTimestamp(t, player, 0xFFFFFFF0)
		wantTimestamp(t, player, 0x10)
	})
}

// TestAStepBackHasAFullHeader has a player watch again, on the same connection,
// a publisher that came back with a clock at zero; and one whose clock goes
// back while it is watched.
func TestAStepBackHasAFullHeader(t *testing.T) {
	conformance.Covers(t, 65)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, wire := f.tapped()
		defer func() { _ = wire.Close() }()
		publisher, conn := f.publish("live", "key")
		mustSend(t, publisher, keyframeAt(100_000, 1))
		wantTimestamp(t, player, 100_000)
		wire.want(t, "first publication", wireBytes(t, "06 0186A0 000006 09 01000000"))

		// The clock of the same publisher starts anew: no step back is seen.
		mustSend(t, publisher, keyframeAt(0, 1))
		wantTimestamp(t, player, 100_001)
		wire.want(t, "clock that started anew", wireBytes(t, "06 0186A1 000006 09 01000000"))

		mustSend(t, player, rtmp.Command{Name: "closeStream"}.Message(1))
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		publisher, conn = f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		if err := player.Play(1, "key"); err != nil {
			t.Fatal(err)
		}
		mustSend(t, publisher, keyframeAt(0, 2))
		wantTimestamp(t, player, 0)
		wire.want(t, "second publication", wireBytes(t, "06 000000 000007 09 01000000"))
	})
}

// TestSoundStaysWithThePicture compares how far sound and picture are apart at
// the publisher and at a player, before and behind a jump of the publisher's
// clock.
func TestSoundStaysWithThePicture(t *testing.T) {
	conformance.Covers(t, 155, 213)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		player, wire := f.tapped()
		defer func() { _ = wire.Close() }()
		publisher, conn := f.publish("live", "key")
		defer func() { _ = conn.Close() }()
		const behind = 240
		last := uint32(0)
		for i := range uint32(60) {
			at := 5000 + i*40
			if i >= 30 {
				at += 1 << 31
			}
			mustSend(t, publisher, keyframeAt(at, 1), rtmp.Message{
				Type: rtmp.TypeAudio, Stream: 1, Timestamp: at - behind, Payload: []byte{0xAF, 1, 0},
			})
			picture, err := nextMedia(player)
			if err != nil {
				t.Fatal(err)
			}
			sound, err := nextMedia(player)
			if err != nil {
				t.Fatal(err)
			}
			if picture.Timestamp-sound.Timestamp != behind {
				t.Fatalf("frame %d: sound at %d, picture at %d", i, sound.Timestamp, picture.Timestamp)
			}
			if step := picture.Timestamp - last; i > 0 && step != 40 {
				t.Errorf("frame %d: a step of %d ms", i, step)
			}
			last = picture.Timestamp
			time.Sleep(40 * time.Millisecond)
		}
	})
}

// broadcast is half an hour of 30 pictures a second and AAC sound at 48 kHz.
const broadcast = 30 * time.Minute

// playBroadcast has a player watch all of a broadcast, and compare.
func playBroadcast(t *testing.T, start uint32) {
	f := newFixture(t, nil)
	defer f.stop()
	player, wire := f.tapped()
	defer func() { _ = wire.Close() }()
	_, conn := f.publish("live", "key")
	defer func() { _ = conn.Close() }()
	go func() { _ = drain(conn) }()
	const seconds = int(broadcast / time.Second)
	got := make(chan error, 1)
	go func() {
		for second := range seconds {
			for _, want := range aSecond(second, start) {
				m, err := nextMedia(player)
				if err != nil || m.Timestamp != want.Timestamp || m.Type != want.Type || !bytes.Equal(m.Payload, want.Payload) {
					got <- fmt.Errorf("second %d: got %v at %d and %w, want %v at %d",
						second, m.Type, m.Timestamp, err, want.Type, want.Timestamp)
					_ = wire.Close()
					return
				}
			}
		}
		got <- nil
	}()
	for second := range seconds {
		var chunks []byte
		for _, m := range aSecond(second, start) {
			chunks = rtmp.AppendMessage(chunks, m, 60000)
		}
		if _, err := conn.Write(chunks); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// aSecond returns the messages of one second of a broadcast, in the order of
// their timestamps; each is another.
func aSecond(second int, start uint32) []rtmp.Message {
	messages := make([]rtmp.Message, 0, 80)
	add := func(kind rtmp.MessageType, at int, head ...byte) {
		payload := binary.BigEndian.AppendUint32(head, uint32(at))
		messages = append(messages, rtmp.Message{
			Type: kind, ChunkStream: rtmp.ChunkStreamFor(kind), Stream: 1, Timestamp: start + uint32(at), Payload: payload,
		})
	}
	picture, sound := second*30, (second*1000*3+63)/64
	for picture < (second+1)*30 || sound*64/3 < (second+1)*1000 {
		at := picture * 1000 / 30
		if s := sound * 64 / 3; s < at || picture >= (second+1)*30 {
			add(rtmp.TypeAudio, s, 0xAF, 1)
			sound++
			continue
		}
		frameType := byte(0x27)
		if picture%60 == 0 {
			frameType = 0x17
		}
		add(rtmp.TypeVideo, at, frameType, 1, 0, 0, 0)
		picture++
	}
	return messages
}

func TestBroadcastsPassTheLimitsOfTimestamps(t *testing.T) {
	conformance.Covers(t, 41, 63)
	half := uint32(broadcast.Milliseconds() / 2)
	for name, limit := range map[string]uint32{"2^24": 0xFFFFFF, "2^32": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { playBroadcast(t, limit-half) })
		})
	}
}
