package bench

import (
	"bufio"
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

var testTarget = target{app: "channel", name: "key", tcURL: "rtmp://example.com/channel"}

// stage is a player and what it sent.
type stage struct {
	*player
	t     testing.TB
	tally *tally
	sent  []byte
}

func newStage(t testing.TB) *stage {
	return &stage{player: &player{target: &testTarget}, t: t, tally: newTally(newWindow(), false)}
}

func (s *stage) hear(in []byte) error {
	var err error
	s.sent, err = s.feed(1000, in, s.sent, s.tally)
	return err
}

// hello is S0, S1 and S2.
func hello() []byte {
	b := make([]byte, 1+2*rtmp.HandshakeSize)
	b[0] = rtmp.Version
	for i := range rtmp.HandshakeSize {
		b[1+i] = byte(i)
	}
	return b
}

func wire(messages ...rtmp.Message) (b []byte) {
	for _, m := range messages {
		b = rtmp.AppendMessage(b, m, rtmp.DefaultChunkSize)
	}
	return b
}

// commands returns what the player said since the last call.
func (s *stage) commands() (names []string) {
	s.t.Helper()
	r := rtmp.NewReader(bufio.NewReader(bytes.NewReader(s.sent)), rtmp.AcceptedLimits)
	s.sent = nil
	for {
		m, err := r.ReadMessage()
		if err != nil {
			return names
		}
		if m.Type != rtmp.TypeCommand {
			names = append(names, m.Type.String())
			continue
		}
		c, err := rtmp.ParseCommand(m)
		if err != nil {
			s.t.Fatal(err)
		}
		names = append(names, c.Name)
		if c.Name == "play" && (m.Stream != 7 || c.Arg(0) != "key") {
			s.t.Errorf("play %v on message stream %d", c.Args, m.Stream)
		}
	}
}

// join leads a player to where it plays.
func (s *stage) join() {
	s.t.Helper()
	s.sent = s.start(nil)
	for _, step := range []struct {
		in   []byte
		want []string
	}{
		{hello(), []string{"connect"}},
		{wire(rtmp.WindowAckSize(5000000), rtmp.SetPeerBandwidth(5000000, 2), rtmp.ConnectResult(1, 0)), []string{"createStream"}},
		{wire(rtmp.Result(2, 7.0)), []string{"play"}},
		{wire(rtmp.UserControl(rtmp.EventStreamBegin, 7),
			rtmp.OnStatus(7, rtmp.Status{Level: rtmp.LevelStatus, Code: rtmp.CodePlayReset})), nil},
	} {
		if s.joined {
			s.t.Error("joined too soon")
		}
		if err := s.hear(step.in); err != nil {
			s.t.Fatal(err)
		}
		if i := 1 + 2*rtmp.HandshakeSize; len(s.sent) >= i {
			s.sent = s.sent[i:]
		}
		if got := s.commands(); !reflect.DeepEqual(got, step.want) {
			s.t.Fatalf("said %q, want %q", got, step.want)
		}
	}
	if err := s.hear(wire(rtmp.OnStatus(7, rtmp.Status{Level: rtmp.LevelStatus, Code: rtmp.CodePlayStart}))); err != nil {
		s.t.Fatal(err)
	}
	if !s.joined {
		s.t.Error("has not joined")
	}
}

func TestPlayerJoins(t *testing.T) {
	s := newStage(t)
	s.join()
	s.join() // again, over another connection
}

func TestPlayerShakesHands(t *testing.T) {
	s := newStage(t)
	s.sent = s.start(nil)
	if len(s.sent) != 1+rtmp.HandshakeSize || s.sent[0] != rtmp.Version {
		t.Fatalf("C0 and C1 are %d bytes", len(s.sent))
	}
	s.sent = nil
	for _, b := range hello()[:1+rtmp.HandshakeSize] {
		if err := s.hear([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(s.sent, hello()[1:1+rtmp.HandshakeSize]) {
		t.Error("C2 is not the echo of S1")
	}
	if err := newStageAt(t).hear([]byte("HTTP/1.1 400")); !errors.Is(err, rtmp.ErrProtocol) {
		t.Errorf("an answer of HTTP gives %v", err)
	}
}

func newStageAt(t testing.TB) *stage {
	s := newStage(t)
	s.start(nil)
	return s
}

func TestPlayerAnswersPingsAndAcknowledges(t *testing.T) {
	s := newStage(t)
	s.join()
	if err := s.hear(wire(rtmp.WindowAckSize(10_000), rtmp.UserControl(rtmp.EventPingRequest, 99))); err != nil {
		t.Fatal(err)
	}
	if want := wire(rtmp.UserControl(rtmp.EventPingResponse, 99)); !bytes.Equal(s.sent, want) {
		t.Errorf("a ping is answered by % x", s.sent)
	}
	s.sent = nil
	if err := s.hear(wire(rtmp.Message{Type: rtmp.TypeData, ChunkStream: 4, Payload: make([]byte, 6000)})); err != nil {
		t.Fatal(err)
	}
	if want := wire(rtmp.Acknowledgement(uint32(s.received))); !bytes.Equal(s.sent, want) {
		t.Errorf("acknowledged by % x", s.sent)
	}
}

func TestPlayerIsRefused(t *testing.T) {
	denied := rtmp.Status{Level: rtmp.LevelError, Code: "X.Denied", Description: "no."}
	for _, test := range []struct {
		name   string
		answer rtmp.Message
		want   error
		text   string
	}{
		{"connect", rtmp.CallError(1, denied), errRefused, "X.Denied no."},
		{"createStream", rtmp.CallError(2, rtmp.Status{}), errRefused, "_error"},
		{"play", rtmp.OnStatus(1, denied), errRefused, "X.Denied no."},
		{"no stream id", rtmp.Result(2, "seven"), rtmp.ErrProtocol, "seven"},
		{"broken command", rtmp.Message{Type: rtmp.TypeCommand, ChunkStream: 3, Payload: []byte{0xFF}}, rtmp.ErrProtocol, ""},
		{"broken window", rtmp.Message{Type: rtmp.TypeWindowAckSize, ChunkStream: 2, Payload: []byte{1}}, rtmp.ErrProtocol, ""},
		{"broken chunk", rtmp.SetChunkSize(0), rtmp.ErrProtocol, ""},
	} {
		s := newStageAt(t)
		if err := s.hear(hello()); err != nil {
			t.Fatal(err)
		}
		err := s.hear(wire(test.answer))
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// frames is a second of a stream in chunks of the given size.
func frames(tb testing.TB, from uint64, size int) []byte {
	y := newSynthetic(shapeOf(tb, Defaults()))
	var b []byte
	for i := range uint64(30) {
		b = rtmp.AppendMessage(b, rtmp.Message{
			Type: rtmp.TypeVideo, ChunkStream: 6, Stream: 1, Payload: y.frame(i == 0, marker{source: 1, seq: from + i, sent: 900}),
		}, size)
		b = rtmp.AppendMessage(b, rtmp.Message{
			Type: rtmp.TypeAudio, ChunkStream: 4, Stream: 1, Payload: y.sound(marker{source: 1, seq: from + i, sent: 900}),
		}, size)
	}
	return b
}

func TestPlayerAllocatesNothingPerMessage(t *testing.T) {
	s := newStage(t)
	s.join()
	in := frames(t, 1, rtmp.DefaultChunkSize)
	s.tally.window.from.Store(0)
	if n := testing.AllocsPerRun(100, func() {
		s.progress = progress{}
		s.sent = s.sent[:0]
		if err := s.hear(in); err != nil {
			t.Fatal(err)
		}
	}); n > 1 { // an acknowledgement now and then
		t.Errorf("%v allocations for 60 messages", n)
	}
	if s.tally.messages == 0 || s.tally.gaps != 0 {
		t.Errorf("%d messages, %d gaps", s.tally.messages, s.tally.gaps)
	}
}

func TestPlayerIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(seat{}); size > 1500 {
		t.Errorf("a player takes %d bytes", size)
	}
}

func BenchmarkPlayer(b *testing.B) {
	s := newStage(b)
	s.sent = s.start(nil)
	if err := s.hear(append(hello(), wire(rtmp.SetChunkSize(60000))...)); err != nil {
		b.Fatal(err)
	}
	in := frames(b, 1, 60000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		s.progress = progress{}
		s.sent = s.sent[:0]
		if err := s.hear(in); err != nil {
			b.Fatal(err)
		}
	}
}
