package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
	"github.com/AgustinSRG/rtmp-server/test/sessions"
)

// control is a control message of the given type as bytes.
func control(kind rtmp.MessageType, payload ...byte) []byte {
	return rtmp.AppendMessage(nil, rtmp.Message{Type: kind, ChunkStream: rtmp.ChunkStreamControl, Payload: payload}, 60000)
}

func spoken(name string, on uint32, args ...any) []byte {
	return rtmp.AppendMessage(nil, rtmp.Command{Name: name, Transaction: 9, Args: args}.Message(on), 60000)
}

// chatters are what a client may say now and then, and how much of it one is.
var chatters = []struct {
	name string
	wire []byte
	each int
}{
	{"pings", rtmp.AppendMessage(nil, rtmp.UserControl(rtmp.EventPingRequest, 1), 128), 1},
	{"answers to pings", rtmp.AppendMessage(nil, rtmp.UserControl(rtmp.EventPingResponse, 1), 128), 1},
	{"buffer lengths", rtmp.AppendMessage(nil, rtmp.UserControl(rtmp.EventSetBufferLength, 1, 300), 128), 1},
	{"windows", control(rtmp.TypeWindowAckSize, 0, 1, 0, 0), 1},
	{"bandwidths", control(rtmp.TypeSetPeerBandwidth, 0, 1, 0, 0, 2), 1},
	{"chunk sizes", control(rtmp.TypeSetChunkSize, 0, 0, 0xEA, 0x60), 1},
	{"aborts", control(rtmp.TypeAbort, 0, 0, 0, 9), 1},
	{"acknowledgements of nothing", control(rtmp.TypeAcknowledgement, 0, 1, 0, 0), 1},
	{"pauses", append(spoken("pause", 1, true, 0.0), spoken("pause", 1, false, 0.0)...), 2},
	{"sound off and on", append(spoken("receiveAudio", 1, false), spoken("receiveAudio", 1, true)...), 2},
	{"picture off and on", append(spoken("receiveVideo", 1, false), spoken("receiveVideo", 1, true)...), 2},
	{"seeks", spoken("seek", 1, 0.0), 1},
	{"calls of nothing", spoken("foo", 0), 1},
}

// chattering has a client play that will say the same again and again.
func chattering(f *fixture) *conversation {
	conn := f.dial()
	client, err := f.play(conn, "live", "key")
	if err != nil {
		f.t.Fatal(err)
	}
	go func() { _ = drainMessages(client) }()
	return &conversation{f, conn}
}

type conversation struct {
	f    *fixture
	conn io.WriteCloser
}

func (c *conversation) say(wire []byte, times int) {
	_, err := c.conn.Write(bytes.Repeat(wire, times))
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		c.f.t.Fatal(err)
	}
	synctest.Wait()
}

func (c *conversation) wantEnd(reason stream.Reason, n int) {
	c.f.t.Helper()
	time.Sleep(2 * lingerTimeout)
	synctest.Wait()
	c.f.wantLog(`reason="`+string(reason)+`"`, n)
	c.f.wantLog("msg=end", n)
}

func TestWhoTalksNowAndThenIsHeard(t *testing.T) {
	for _, test := range chatters {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				c := chattering(f)
				defer func() { _ = c.conn.Close() }()
				c.say(test.wire, chatterBurst/2/test.each)
				for range 60 {
					time.Sleep(time.Second)
					c.say(test.wire, chatterRate/test.each)
				}
				c.wantEnd(ReasonChatter, 0)
			})
		})
	}
}

func TestWhoDoesNothingButTalkIsClosedWithinASecond(t *testing.T) {
	for _, test := range chatters {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				c := chattering(f)
				defer func() { _ = c.conn.Close() }()
				for range 10 { // 1,000 a second
					c.say(test.wire, 100/test.each)
					time.Sleep(100 * time.Millisecond)
				}
				c.wantEnd(ReasonChatter, 1)
			})
		})
	}
}

// Message streams that are deleted again leave none behind, but cost all the same.
func TestStreamsWithoutEndAreTooMuchTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		c := chattering(f)
		defer func() { _ = c.conn.Close() }()
		for id := range 1000 {
			c.say(append(spoken("createStream", 0), spoken("deleteStream", 0, float64(id+2))...), 1)
		}
		c.wantEnd(ReasonChatter, 1)
	})
}

// librtmp acknowledges each tenth of the window: a viewer of many megabits does so
// more often than anybody may talk.
func TestAcknowledgementsOfWhatWasSentAreFree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		publisher, up := f.publish("live", "key")
		defer func() { _ = up.Close() }()
		go func() { _ = drain(up) }()
		c := chattering(f)
		defer func() { _ = c.conn.Close() }()
		const seconds, perSecond = 5, 200
		for range seconds {
			if err := publisher.WriteMessage(frame(0x17, 0, perSecond*freeAckBytes)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			c.say(control(rtmp.TypeAcknowledgement, 0, 1, 0, 0), perSecond)
			time.Sleep(time.Second)
		}
		f.wantLog("msg=end", 0)
	})
}

func TestMessagesOfUnknownTypesAreCountedAndThenTooMany(t *testing.T) {
	for _, kind := range []rtmp.MessageType{0, 7, 10, 14, 16, 19, 21, 23, 255} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, nil)
			defer f.stop()
			c := chattering(f)
			defer func() { _ = c.conn.Close() }()
			c.say(control(kind, 1, 2, 3), maxStrange)
			c.wantEnd(ReasonStrange, 0)
			c.say(control(kind), 1)
			c.wantEnd(ReasonStrange, 1)
			f.wantLog("messages_ignored=101", 1)
		})
	}
}

// What is queued for a peer that does not read has a bound of its own.
func TestAnswersThatAreNotReadEndTheConnection(t *testing.T) {
	conformance.Covers(t, 83)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		synctest.Wait() // until it has its place
		for _, c := range f.open() {
			for range maxControlQueue/orderSize + 2 {
				c.out.sendThen(func() {}, rtmp.UserControl(rtmp.EventPingResponse, 1))
			}
		}
		time.Sleep(stallTimeout + 2*lingerTimeout)
		synctest.Wait()
		f.wantLog(`reason="`+string(ReasonControlQueue)+`"`, 1)
	})
}

// Real programs say so little that the budget is several times as large.
func TestRealProgramsTalkLittle(t *testing.T) {
	for i, session := range sessions.All(t) {
		r := rtmp.NewReader(bufio.NewReader(bytes.NewReader(session[sessions.Shaken:])), rtmp.AcceptedLimits)
		said := 0
		for {
			m, err := r.ReadMessage()
			if err != nil {
				break
			}
			switch m.Type {
			case rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData:
			default:
				said++
			}
			if !m.Type.Known() {
				t.Errorf("session %d has a message of type %d", i, m.Type)
			}
		}
		if said == 0 || said > chatterBurst/4 {
			t.Errorf("session %d says %d things beside media, want %d at most", i, said, chatterBurst/4)
		}
	}
}
