package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/rtmptest"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// unhex reads bytes written in hexadecimal with spaces anywhere.
func unhex(parts ...string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(strings.Join(parts, "")), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// userControls are user control messages of all lengths, for events that mean
// nothing or too little.
func userControls() (wire []byte) {
	for _, event := range []string{"0000", "0003", "0005", "0007", "001A", "001B", "001F", "FFFF"} {
		for n := range 11 {
			payload := unhex(event, "00000000 00000000")[:n]
			wire = append(wire, 2, 0, 0, 0, 0, 0, byte(n), byte(rtmp.TypeUserControl), 0, 0, 0, 0)
			wire = append(wire, payload...)
		}
	}
	return wire
}

// states brings a new client to where it has connected, publishes, or plays.
var states = map[string]func(*fixture) (*rtmp.Client, *rtmptest.Conn){
	"connected": func(f *fixture) (*rtmp.Client, *rtmptest.Conn) { return f.client("live") },
	"publishing": func(f *fixture) (*rtmp.Client, *rtmptest.Conn) {
		return f.publish("live", "key")
	},
	"playing": func(f *fixture) (*rtmp.Client, *rtmptest.Conn) {
		conn := f.dial()
		client, err := f.play(conn, "live", "key")
		if err != nil {
			f.t.Fatal(err)
		}
		return client, conn
	},
}

// pinged has a client ping and wants the answer, so that everything before has
// been read as it was meant.
func pinged(t *testing.T, client *rtmp.Client, conn *rtmptest.Conn, with uint32) {
	t.Helper()
	ping := binary.BigEndian.AppendUint32(unhex("02 000000 000006 04 00000000 0006"), with)
	pong := binary.BigEndian.AppendUint32(unhex("0007"), with)
	if _, err := conn.Write(ping); err != nil {
		t.Fatalf("ping: %v", err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	for {
		m, err := client.ReadMessage()
		if err != nil {
			t.Fatalf("no answer to a ping: %v", err)
		}
		if m.Type == rtmp.TypeUserControl && bytes.Equal(m.Payload, pong) {
			return
		}
	}
}

func TestOddControlMessagesAreTolerated(t *testing.T) {
	// The client's chunks may have 60000 bytes.
	const other = "05 000000 0000C8 63 00000000"
	tests := []struct {
		name   string
		wire   []byte
		covers []int
	}{
		{name: "a ping", covers: []int{78}},
		{name: "an empty message", wire: unhex("04 000000 000000 08 01000000"), covers: []int{42}},
		{
			name: "chunk sizes on another chunk stream", covers: []int{50},
			wire: unhex("03 000000 000004 01 00000000 00000080", other, strings.Repeat("00", 128), "C5", strings.Repeat("00", 72),
				"43 000000 000004 01 0000EA60"),
		},
		{name: "a window of nothing", wire: unhex("02 000000 000004 05 00000000 00000000"), covers: []int{74}},
		{name: "a window of one byte", wire: unhex("02 000000 000004 05 00000000 00000001"), covers: []int{74}},
		{name: "a bandwidth without its type", wire: unhex("02 000000 000004 06 00000000 002625A0"), covers: []int{76}},
		{
			name: "bandwidths of any type", covers: []int{76},
			wire: unhex("02 000000 000005 06 00000000 002625A000 C2 002625A001 C2 002625A002 C2 002625A0FF C2 0000000002"),
		},
		{
			name: "buffer lengths of no stream, of the stream, and of another", covers: []int{81},
			wire: unhex("02 000000 00000A 04 00000000 0003 00000000 00000BB8 C2 0003 00000001 00000BB8 C2 0003 00000063 FFFFFFFF"),
		},
		{name: "user control of any event and length", wire: userControls(), covers: []int{82}},
		{name: "shared objects of AMF3", wire: unhex("03 000000 000002 10 00000000 0001"), covers: []int{84}},
		{name: "shared objects of AMF0", wire: unhex("03 000000 000002 13 00000000 0001"), covers: []int{84}},
		{name: "what servers say among themselves", wire: unhex("02 000000 000002 07 00000000 0001"), covers: []int{84}},
		{name: "an abort of nothing", wire: unhex("02 000000 000004 02 00000000 00000063"), covers: []int{49}},
		{name: "acknowledgements", wire: unhex("02 000000 000004 03 00000000 FFFFFFFF C2 00000000")},
	}
	for _, test := range tests {
		for state, reach := range states {
			t.Run(test.name+", "+state, func(t *testing.T) {
				conformance.Covers(t, test.covers...)
				synctest.Test(t, func(t *testing.T) {
					f := newFixture(t, nil)
					defer f.stop()
					client, conn := reach(f)
					defer func() { _ = conn.Close() }()
					if _, err := conn.Write(test.wire); err != nil {
						t.Fatal(err)
					}
					pinged(t, client, conn, 0x12345678)
				})
			})
		}
	}
}

// What breaks the rules of the chunk layer ends the connection, at once and for
// a reason that the log tells.
func TestBreachesOfTheChunkLayerEndTheConnection(t *testing.T) {
	var crowd []byte
	for i := range 65 - 2 { // the client has used two
		crowd = append(crowd, 0, byte(i), 0, 0, 0, 0, 0, 0, byte(rtmp.TypeAudio), 1, 0, 0, 0)
	}
	partial := "06 000000 00C350 09 01000000" // 50,000 bytes of video
	for _, test := range []struct {
		name   string
		wire   []byte
		reason string
		covers []int
	}{
		{name: "type 2 first", wire: unhex("85 000001"), reason: "protocol error", covers: []int{29}},
		{name: "type 3 first", wire: unhex("C5"), reason: "protocol error", covers: []int{29}},
		{
			name: "a header within a message", reason: "protocol error", covers: []int{43},
			wire: unhex("02 000000 000004 01 00000000 00000080", "06 000000 00012C 09 01000000", strings.Repeat("00", 128), "06 000000 00012C 09 01000000"),
		},
		{name: "chunk size 0", wire: unhex("02 000000 000004 01 00000000 00000000"), reason: "protocol error", covers: []int{46}},
		{name: "chunk size of 32 bits", wire: unhex("02 000000 000004 01 00000000 80000000"), reason: "protocol error", covers: []int{46}},
		{name: "65 chunk streams", wire: crowd, reason: "limit exceeded", covers: []int{52}},
		{
			name: "partial messages", reason: "limit exceeded", covers: []int{53},
			wire: unhex("02 000000 000004 01 00000000 00009C40", partial, strings.Repeat("00", 40_000), "07"+partial[2:], strings.Repeat("00", 40_000)),
		},
		{name: "a command of 1 MiB", wire: unhex("03 000000 100000 14 00000000"), reason: "limit exceeded", covers: []int{54}},
		{
			name: "an aggregate that lies", reason: "protocol error", covers: []int{59},
			wire: unhex("04 000000 00000C 16 01000000", "08 FFFFFF 000000 00 000000 AF"),
		},
		{
			name: "an aggregate in an aggregate", reason: "protocol error", covers: []int{59},
			wire: unhex("04 000000 00000B 16 01000000", "16 000000 000000 00 000000"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			conformance.Covers(t, test.covers...)
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				_, conn := f.client("live")
				start := time.Now()
				go func() { _, _ = conn.Write(test.wire) }()
				if err := drain(conn); err != nil || time.Since(start) != 0 {
					t.Errorf("ended after %v with %v", time.Since(start), err)
				}
				_ = conn.Close()
				synctest.Wait()
				f.wantLog(`reason="`+test.reason+`"`, 1)
			})
		})
	}
}

// hear collects what a client is told, until its connection ends.
func hear(client *rtmp.Client) (heard func() []rtmp.Message) {
	all := make(chan []rtmp.Message, 1)
	go func() {
		var messages []rtmp.Message
		for {
			m, err := client.ReadMessage()
			if err != nil {
				all <- messages
				return
			}
			messages = append(messages, m)
		}
	}()
	return func() []rtmp.Message { return <-all }
}

// acknowledged returns the sequence numbers of the acknowledgements.
func acknowledged(messages []rtmp.Message) (sequence []uint32) {
	for _, m := range messages {
		if m.Type == rtmp.TypeAcknowledgement {
			n, _ := rtmp.ParseUint32(m)
			sequence = append(sequence, n)
		}
	}
	return sequence
}

func TestAcknowledgementsFollowTheWindow(t *testing.T) {
	for _, test := range []struct {
		name     string
		windows  []uint32 // announced one after the other
		total    int
		least    int // acknowledgements
		most     int
		distance uint32 // between two of them
		covers   []int
	}{
		{name: "10 kB", windows: []uint32{10_000}, total: 1 << 20, least: 100, most: 220, distance: 10_000, covers: []int{71}},
		{name: "never announced", total: 10_000_000, least: 3, most: 10, distance: rtmp.DefaultWindow, covers: []int{72}},
		{name: "none", windows: []uint32{0}, total: 10_000_000, least: 3, most: 10, distance: rtmp.DefaultWindow, covers: []int{74}},
		{name: "one byte", windows: []uint32{1}, total: 1 << 20, least: 100, most: 600, distance: 10_000, covers: []int{74}},
	} {
		t.Run(test.name, func(t *testing.T) {
			conformance.Covers(t, test.covers...)
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				client, conn := f.publish("live", "key")
				heard := hear(client)
				var messages []rtmp.Message
				for _, window := range test.windows {
					messages = append(messages, rtmp.WindowAckSize(window))
				}
				for range test.total / 1000 {
					messages = append(messages, frame(0x27, 0, 1000))
				}
				for _, m := range messages {
					if err := client.WriteMessage(m); err != nil {
						t.Fatal(err)
					}
				}
				synctest.Wait()
				_ = conn.Close()
				acks := acknowledged(heard())
				if len(acks) < test.least || len(acks) > test.most {
					t.Errorf("%d acknowledgements for %d bytes, want %d to %d", len(acks), test.total, test.least, test.most)
				}
				for i := 1; i < len(acks); i++ {
					if between := acks[i] - acks[i-1]; between > test.distance {
						t.Errorf("%d bytes between two acknowledgements", between)
					}
				}
			})
		})
	}
}

func TestAPlayerThatNeverAcknowledgesIsSentEverything(t *testing.T) {
	conformance.Covers(t, 75)
	synctest.Test(t, func(t *testing.T) {
		const frames, size = 100, 1_000_000
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		conn := f.dial()
		if _, err := f.play(conn, "live", "key"); err != nil {
			t.Fatal(err)
		}
		received := make(chan int64, 1)
		go func() { // reads bytes, and says nothing
			n, _ := io.Copy(io.Discard, conn)
			received <- n
		}()
		payload := frame(0x17, 0, size).Payload
		for i := range frames {
			m := rtmp.Message{Type: rtmp.TypeVideo, Stream: 1, Timestamp: uint32(i * 40), Payload: payload}
			if err := publisher.WriteMessage(m); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		_ = conn.Close()
		if n := <-received; n < frames*size {
			t.Errorf("%d bytes arrived, want %d", n, frames*size)
		}
	})
}

// OBS discards what it is told while it streams, pings among it.
func TestAPublisherThatAnswersNoPingsStays(t *testing.T) {
	conformance.Covers(t, 79)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		for i := range 300 {
			if err := publisher.WriteMessage(frame(0x17, uint32(i*1000), 100)); err != nil {
				t.Fatalf("after %d s: %v", i, err)
			}
			time.Sleep(time.Second)
		}
		f.wantLog("msg=end", 0)
	})
}

// After one header each byte is an empty message: far more of them pass than a
// stream has, and no more.
func TestEmptyMessagesAreLimited(t *testing.T) {
	conformance.Covers(t, 60)
	for _, n := range []int{messageBurst / 2, messageBurst * 3 / 2} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			_, conn := f.client("live")
			defer func() { _ = conn.Close() }()
			_, _ = conn.Write(append(unhex("04 000000 000000 08 01000000"), bytes.Repeat([]byte{0xC4}, n)...))
			go func() { _ = drain(conn) }()
			time.Sleep(2 * lingerTimeout)
			want := 0
			if n > messageBurst {
				want = 1
			}
			f.wantLog(`reason="`+string(stream.ReasonFlood)+`"`, want)
			f.wantLog("msg=end", want)
		})
	}
}

// TestUnreadPongsDoNotPileUp has a client ping as often as it may before it reads
// the answers.
func TestUnreadPongsDoNotPileUp(t *testing.T) {
	conformance.Covers(t, 83)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		client, conn := f.client("live")
		ping := rtmp.AppendMessage(nil, rtmp.UserControl(rtmp.EventPingRequest, 7), rtmp.DefaultChunkSize)
		const rounds, first = 4, chatterBurst * 3 / 4
		for round := range rounds {
			each := chatterRate
			if round == 0 {
				each = first
			}
			if _, err := conn.Write(bytes.Repeat(ping, each)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for c := range f.places.taken {
			c.out.mu.Lock()
			if n := len(c.out.control); n > 100*len(ping) {
				t.Errorf("%d bytes of answers wait", n)
			}
			c.out.mu.Unlock()
		}
		heard := hear(client)
		synctest.Wait()
		_ = conn.Close()
		pongs := 0
		for _, m := range heard() {
			if event, _, ok := rtmp.ParseUserControl(m); ok && event == rtmp.EventPingResponse {
				pongs++
			}
		}
		if most := pingBurst + rounds*pingRate; pongs < pingBurst || pongs > most {
			t.Errorf("%d answers to %d pings, want %d to %d", pongs, first+(rounds-1)*chatterRate, pingBurst, most)
		}
	})
}
