package server

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// await reads messages up to the first one of a type.
func await(t *testing.T, client *rtmp.Client, kind rtmp.MessageType) rtmp.Message {
	t.Helper()
	for {
		m, err := client.ReadMessage()
		if err != nil {
			t.Fatalf("waiting for %v: %v", kind, err)
		}
		if m.Type == kind {
			return m
		}
	}
}

// Numbers that are no ids are nobody's: as a transaction, as the stream to delete
// and as the place to play from. 4294967297 would be stream 1, cut to 32 bits.
func TestNumbersThatAreNoIDsDoNothing(t *testing.T) {
	for _, n := range []float64{
		math.NaN(), math.Inf(1), math.Inf(-1), 0.5, 1.5, -1, -4294967295, 4294967297, 18446744073709551617, 1e300, -1e300,
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			conformance.Covers(t, 136)
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				publisher, up := f.publish("live", "key")
				player, down := f.client("live")
				send := func(c *rtmp.Client, on uint32, command rtmp.Command) {
					if err := c.WriteMessage(command.Message(on)); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := player.CreateStream(); err != nil {
					t.Fatal(err)
				}
				send(player, 1, rtmp.Command{Name: "play", Transaction: n, Args: []any{"key", n, n, n}})
				for _, c := range []*rtmp.Client{player, publisher} {
					send(c, 0, rtmp.Command{Name: "deleteStream", Transaction: n, Args: []any{n}})
					send(c, 0, rtmp.Command{Name: "createStream", Transaction: n})
				}
				send(publisher, 0, rtmp.Command{Name: "getStreamLength", Transaction: 7, Args: []any{"key"}})
				answer, err := rtmp.ParseCommand(await(t, publisher, rtmp.TypeCommand))
				if err != nil || answer.Transaction != 7 {
					t.Errorf("the first answer is %v, %v: calls without an id were answered", answer, err)
				}

				frame := rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Payload: []byte{0x2F, 0x01}}
				if err := publisher.WriteMessage(frame); err != nil {
					t.Fatal(err)
				}
				if m := await(t, player, rtmp.TypeAudio); m.Stream != 1 || !bytes.Equal(m.Payload, frame.Payload) {
					t.Errorf("the player got %v", m)
				}
				_, _ = up.Close(), down.Close()
			})
		})
	}
}

// Encoders send empty and tiny messages at any time. They disturb nobody.
func TestShortMediaDisturbsNobody(t *testing.T) {
	conformance.Covers(t, 150)
	const longest = 6
	for _, kind := range []rtmp.MessageType{rtmp.TypeAudio, rtmp.TypeVideo} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			publisher, up := f.publish("live", "key")
			player, down := f.client("live")
			id, err := player.CreateStream()
			if err != nil {
				t.Fatal(err)
			}
			if err := player.Play(id, "key"); err != nil {
				t.Fatal(err)
			}
			end := []byte("\x02\x00\x03end\x05")
			got := make(chan error, 1)
			go func() {
				for {
					m, err := player.ReadMessage()
					if err != nil || bytes.Equal(m.Payload, end) {
						got <- err
						return
					}
				}
			}()
			for first := range 256 {
				for length := range longest + 1 {
					payload := append([]byte{byte(first)}, make([]byte, longest)...)[:length]
					m := rtmp.Message{Type: kind, Stream: 1, Timestamp: uint32(first), Payload: payload}
					if err := publisher.WriteMessage(m); err != nil {
						t.Fatalf("behind % X: %v", payload, err)
					}
				}
			}
			if err := publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeData, Stream: 1, Timestamp: 256, Payload: end}); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Errorf("the player: %v", err)
			}
			_, _ = up.Close(), down.Close()
		})
	}
}

// What a client says of itself cannot write lines of its own into the log, or
// colours, or pages.
func TestTextsOfClientsAreEscapedAndCutInTheLog(t *testing.T) {
	conformance.Covers(t, 140)
	const forged = "\n\r\x1b[31mtime=now level=INFO msg=forged\x00\u202e"
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		text := forged + strings.Repeat("x\n", 5000)
		conn := f.dial()
		client := rtmp.NewClient(conn)
		if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
			t.Fatal(err)
		}
		connect := rtmp.Command{Name: "connect", Transaction: 1, Object: amf.Object{
			{Name: "app", Value: text}, {Name: "flashVer", Value: text}, {Name: "tcUrl", Value: text},
		}}
		publish := rtmp.Command{Name: "publish", Args: []any{text, text}}
		for _, m := range []rtmp.Message{
			connect.Message(0), rtmp.Command{Name: text, Transaction: 2}.Message(0),
			rtmp.Command{Name: "createStream", Transaction: 3}.Message(0), publish.Message(1),
		} {
			if err := client.WriteMessage(m); err != nil {
				t.Fatal(err)
			}
		}
		go func() { _ = drain(conn) }()
		synctest.Wait()
		_ = conn.Close()
		synctest.Wait()
		if f.journal.count("forged") == 0 {
			t.Error("the log does not show the client")
		}
		f.journal.mu.Lock()
		defer f.journal.mu.Unlock()
		for _, line := range f.journal.lines {
			body := strings.TrimSuffix(line, "\n")
			if strings.ContainsFunc(body, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("the log has %q", body)
			}
			if len(body) > 2000 {
				t.Errorf("a line of %d bytes: %.200s", len(body), body)
			}
		}
	})
}

// log/slog quotes a text for any other control character in it.
func TestDeleteCharactersAreEscapedInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		_, conn := f.client("a\x7fb")
		go func() { _ = drain(conn) }()
		_ = conn.Close()
		synctest.Wait()
		f.wantLog("\x7f", 0)
		f.wantLog(`a\x7fb`, 1)
	})
}
