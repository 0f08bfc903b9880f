package server

import (
	"bytes"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/test/sessions"
)

// made are whole sessions behind the handshake, as seeds.
func made(tb testing.TB) [][]byte {
	var all [][]byte
	for _, lines := range [][]string{
		{
			`SetChunkSize 4096`, `connect 1 {app: "live"}`, `releaseStream 2 null "key"`, `FCPublish 3 null "key"`,
			`createStream 4`, `@1 publish 5 null "key" "live"`, `@1 data 0 "@setDataFrame" "onMetaData" ecma{width: 1}`,
			`@1 video 0 1700000000aa`, `@1 audio 0 af001190`, `@1 video 0 170100000000000001`, `@1 audio 20 af01ff`,
			`FCUnpublish 6 null "key"`, `deleteStream 7 null 1`,
		},
		{
			`connect 1 {app: "live"}`, `WindowAckSize 2500000`, `createStream 2`, `UserControl 3 0 300`,
			`FCSubscribe 3 null "key"`, `getStreamLength 4 null "key"`, `@1 play 0 null "key" -2000`,
			`@1 pause 0 null true 0`, `@1 pause 0 null false 0`, `@1 receiveVideo 0 null false`,
			`@1 receiveAudio 0 null true`, `@1 seek 0 null 1`, `@1 closeStream 0`, `deleteStream 0 null "key"`,
		},
		{`amf3 connect 1 {app: "live/key", objectEncoding: 3}`, `createStream 2`, `play 0 null ""`, `foo 7`, `close 0`},
		{`connect 1 {app: "a"}`, `connect 2 {app: "b"}`},
	} {
		var wire []byte
		size := rtmp.DefaultChunkSize
		for _, line := range lines {
			m, err := rtmptest.ParseMessage(line)
			if err != nil {
				tb.Fatal(err)
			}
			wire = rtmp.AppendMessage(wire, m, size)
			if m.Type == rtmp.TypeSetChunkSize {
				size = 4096
			}
		}
		all = append(all, wire)
	}
	return all
}

// maxSession keeps executions short. It is longer than any recorded session.
const maxSession = 24 << 10

// FuzzServerSession has a client say anything at all, from the first byte of the
// handshake on or, if it is shaken, behind one that went well. Beside it, one
// publishes and one plays: nothing it says may end the server, reach the others,
// or leave something behind.
func FuzzServerSession(f *testing.F) {
	for _, wire := range made(f) {
		f.Add(wire, true)
		f.Add(slices.Concat(hello(), make([]byte, rtmp.HandshakeSize), wire), false)
	}
	for _, wire := range sessions.All(f) {
		f.Add(wire, false)
		f.Add(wire[sessions.Shaken:], true)
	}
	f.Add(hello()[:100], false)
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"), false)
	f.Fuzz(func(t *testing.T, wire []byte, shaken bool) {
		wire = wire[:min(len(wire), maxSession)]
		synctest.Test(t, func(t *testing.T) {
			server := newFixture(t, nil)
			canary := startCanary(server)
			talk(server, canary, wire, shaken)
			if n, channels := server.Connections(), server.registry.Len(); n != 2 || channels != 1 {
				t.Errorf("%d connections and %d channels are left, want the 2 and 1 of the canary", n, channels)
			}
			canary.check()
			canary.stop()
			synctest.Wait()
			if n, channels := server.Connections(), server.registry.Len(); n != 0 || channels != 0 {
				t.Errorf("%d connections and %d channels are left in the end", n, channels)
			}
			server.stop()
			if n := server.journal.count("level=ERROR"); n != 0 {
				t.Errorf("errors in the log:\n%v", server.journal.lines)
			}
		})
	})
}

// talk has a client come, say it all in three parts, and hang up. The canary is
// looked at after each.
func talk(server *fixture, canary *canary, wire []byte, shaken bool) {
	conn := server.dial()
	if shaken {
		if _, err := rtmp.NewClient(conn).Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
			server.t.Fatal(err)
		}
	}
	go func() { _ = drain(conn) }()
	for part := range slices.Chunk(wire, len(wire)/3+1) {
		_, _ = conn.Write(part) // it may have been cut off
		canary.check()
	}
	time.Sleep(2 * time.Second)
	canary.check()
	_ = conn.Close()
	time.Sleep(lingerTimeout)
	synctest.Wait()
}

// canary is a publisher and its player, who must not notice anything.
type canary struct {
	f         *fixture
	publisher *rtmp.Client
	sent      byte
	received  chan rtmp.Message
	stop      func()
}

func startCanary(f *fixture) *canary {
	f.t.Helper()
	c := &canary{f: f, received: make(chan rtmp.Message, 100)}
	publisher, up := f.publish("canary", "canary-key")
	player, down := f.client("canary")
	id, err := player.CreateStream()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := player.Play(id, "canary-key"); err != nil {
		f.t.Fatal(err)
	}
	c.publisher = publisher
	go func() { _ = drain(up) }()
	go func() {
		for {
			m, err := player.ReadMessage()
			if err != nil {
				return
			}
			if m.Type == rtmp.TypeAudio {
				c.received <- m
			}
		}
	}()
	synctest.Wait()
	c.stop = func() {
		_ = up.Close()
		_ = down.Close()
	}
	return c
}

// check sends one message, in several chunks, and wants it and nothing else to
// arrive at once.
func (c *canary) check() {
	c.f.t.Helper()
	c.sent++
	payload := append([]byte{0x2F}, bytes.Repeat([]byte{c.sent}, 200)...)
	at := 23 * uint32(c.sent)
	err := c.publisher.WriteMessage(rtmp.Message{Type: rtmp.TypeAudio, Stream: 1, Timestamp: at, Payload: payload})
	if err != nil {
		c.f.t.Fatalf("the canary cannot publish: %v", err)
	}
	synctest.Wait()
	if len(c.received) != 1 {
		c.f.t.Fatalf("the canary received %d messages, want message %d", len(c.received), c.sent)
	}
	if got := <-c.received; got.Timestamp != at || !bytes.Equal(got.Payload, payload) {
		c.f.t.Errorf("the canary received %x of %d ms, want message %d of %d ms", got.Payload, got.Timestamp, c.sent, at)
	}
}

// TestCommandsWithAnyArguments calls every command with its arguments missing
// and of each type.
func TestCommandsWithAnyArguments(t *testing.T) {
	values := []any{
		nil, amf.Undefined{}, true, 0.0, 1.0, -1.0, 1e300, "", "key", amf.Object{}, amf.ECMAArray{}, amf.StrictArray{},
		amf.Date{}, amf.XML("x"), amf.AVMPlus{Value: amf.Integer(1)},
	}
	for name := range commands {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			for _, object := range []any{nil, "text", amf.Object{}} {
				for _, arg := range values {
					for _, args := range [][]any{nil, {arg}, {arg, arg, arg, arg}} {
						tryCommand(f, rtmp.Command{Name: name, Transaction: 3, Object: object, Args: args})
					}
				}
			}
			if n := f.journal.count("level=ERROR"); n != 0 {
				t.Errorf("%s: %d errors in the log", name, n)
			}
		})
	}
}

func tryCommand(f *fixture, command rtmp.Command) {
	f.t.Helper()
	client, conn := f.client("live")
	if _, err := client.CreateStream(); err != nil {
		f.t.Fatal(err)
	}
	go func() { _ = drain(conn) }()
	for _, on := range []uint32{0, 1} {
		_ = client.WriteMessage(command.Message(on))
	}
	synctest.Wait()
	_ = conn.Close()
	synctest.Wait()
}
