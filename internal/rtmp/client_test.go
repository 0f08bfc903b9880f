package rtmp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// scriptedPeer is the server that a Client talks to.
type scriptedPeer struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	r    *Reader
	sent int
}

// startPeer runs a script at the other end of the connection of a Client. The
// connection closes when the script ends.
func startPeer(t *testing.T, script func(p *scriptedPeer)) *Client {
	local, remote := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p := &scriptedPeer{t: t, conn: remote, in: bufio.NewReader(remote)}
		p.r = NewReader(p.in, AcceptedLimits)
		defer p.close()
		script(p)
	}()
	t.Cleanup(func() {
		if err := local.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return NewClient(local)
}

func (p *scriptedPeer) close() {
	if err := p.conn.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *scriptedPeer) read() Message {
	m, err := p.r.ReadMessage()
	if err != nil {
		p.t.Errorf("peer: %v", err)
		runtime.Goexit()
	}
	return m
}

// expect reads the next command, which must be of the given form.
func (p *scriptedPeer) expect(stream uint32, want Command) {
	m := p.read()
	for m.Type != TypeCommand {
		m = p.read()
	}
	got, err := ParseCommand(m)
	if len(got.Args) == 0 {
		got.Args = nil
	}
	if err != nil || m.Stream != stream || !reflect.DeepEqual(got, want) {
		p.t.Errorf("peer got %#v on message stream %d, %v; want %#v on %d", got, m.Stream, err, want, stream)
		runtime.Goexit()
	}
}

func (p *scriptedPeer) send(messages ...Message) {
	var b []byte
	for _, m := range messages {
		b = AppendMessage(b, m, DefaultChunkSize)
	}
	p.sent += len(b)
	if _, err := p.conn.Write(b); err != nil {
		p.t.Errorf("peer: %v", err)
		runtime.Goexit()
	}
}

var (
	liveOptions = ConnectOptions{App: "live", TCURL: "rtmp://host/live"}

	liveConnect = Command{Name: "connect", Transaction: 1, Object: amf.Object{
		{Name: "app", Value: "live"},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: "FMLE/3.0 (compatible; rtmp-server)"},
		{Name: "tcUrl", Value: "rtmp://host/live"},
	}}
)

// chatter is what servers send between answers and a client has to skip.
func chatter() []Message {
	return []Message{
		WindowAckSize(DefaultWindow),
		SetPeerBandwidth(DefaultWindow, LimitDynamic),
		UserControl(EventStreamBegin, 0),
		Command{Name: "onBWDone"}.Message(0),
		Command{Name: "unknown", Transaction: 1}.Message(0),
		Result(77, 9.0),
		CallError(78, Status{LevelError, CodeCallFailed, ""}),
		{Type: TypeData, ChunkStream: 8, Stream: 1, Payload: unhex("02 0001 63")},
		OnStatus(5, Status{LevelError, CodeStreamFailed, "another stream"}),
		Command{Name: CommandOnStatus, Args: []any{"no object"}}.Message(1),
		video(6, 0, fill(300)),
	}
}

func TestClientPublishes(t *testing.T) {
	c := startPeer(t, func(p *scriptedPeer) {
		if hs, err := AcceptHandshake(p.in, p.conn, handshakeOptions()); err != nil || hs.Scheme != SchemeDigestAt8 {
			p.t.Errorf("handshake: %v, %v", hs, err)
		}
		if m := p.read(); !sameMessages([]Message{m}, []Message{SetChunkSize(clientChunkSize)}) {
			p.t.Errorf("first message is %v", m)
		}
		p.expect(0, liveConnect)
		p.send(append(chatter(), ConnectResult(1, 0))...)
		p.expect(0, Command{Name: "createStream", Transaction: 2})
		p.send(append(chatter(), Result(2, 1.0))...)
		p.expect(1, Command{Name: "publish", Transaction: 3, Args: []any{"key", "live"}})
		p.send(append(chatter(), OnStatus(1, Status{LevelStatus, CodePublishStart, ""}))...)
		if m := p.read(); !sameMessages([]Message{m}, []Message{video(ChunkStreamVideo, 7, fill(70_000))}) {
			p.t.Errorf("got%s", describe([]Message{m}))
		}
	})
	if hs, err := c.Handshake(SchemeDigestAt8, handshakeOptions()); err != nil || hs.Scheme != SchemeDigestAt8 {
		t.Fatalf("handshake: %v, %v", hs, err)
	}
	answer, err := c.Connect(liveOptions)
	if status, ok := ParseStatus(answer); err != nil || !ok || status.Code != CodeConnectSuccess {
		t.Fatalf("connect: %v, %v", answer, err)
	}
	stream, err := c.CreateStream()
	if stream != 1 || err != nil {
		t.Fatalf("createStream: %d, %v", stream, err)
	}
	if err := c.Publish(stream, "key"); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteMessage(Message{Type: TypeVideo, Stream: 1, Timestamp: 7, Payload: fill(70_000)}); err != nil {
		t.Fatal(err)
	}
}

func TestClientPlays(t *testing.T) {
	media := []Message{video(6, 0, fill(200)), audio(4, 5, fill(20))}
	c := startPeer(t, func(p *scriptedPeer) {
		p.expect(0, liveConnect)
		p.send(ConnectResult(1, 0))
		p.expect(3, Command{Name: "play", Args: []any{"key", -2000.0}})
		p.send(append(chatter(), OnStatus(3, Status{LevelStatus, CodePlayReset, ""}), OnStatus(3, Status{LevelStatus, CodePlayStart, ""}))...)
		p.send(media...)
	})
	if _, err := c.Connect(liveOptions); err != nil {
		t.Fatal(err)
	}
	if err := c.Play(3, "key"); err != nil {
		t.Fatal(err)
	}
	for i, want := range media {
		got, err := c.ReadMessage()
		if err != nil || !sameMessages([]Message{got}, []Message{want}) {
			t.Fatalf("message %d: %v, got%s", i, err, describe([]Message{got}))
		}
		if wantLeft := 32 * (1 - i); c.buffered.Buffered() != wantLeft {
			t.Errorf("%d bytes are buffered, want %d", c.buffered.Buffered(), wantLeft)
		}
	}
	if _, err := c.ReadMessage(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// recorded is a connection whose peer has sent everything already.
type recorded struct {
	io.Reader
	bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error) { return r.Reader.Read(p) }

func recordedPeer(messages ...Message) *recorded {
	var b []byte
	for _, m := range messages {
		b = AppendMessage(b, m, DefaultChunkSize)
	}
	return &recorded{Reader: bytes.NewReader(b)}
}

// written returns what the client sent.
func (r *recorded) written() []Message {
	messages, _ := readAll(readerOf(r.Bytes(), AcceptedLimits))
	return messages
}

func TestConnectSendsItsOptions(t *testing.T) {
	peer := recordedPeer(ConnectResult(1, 0))
	extra := amf.Object{{Name: "capsEx", Value: 1.0}}
	_, err := NewClient(peer).Connect(ConnectOptions{App: "a", TCURL: "u", FlashVersion: "f", Extra: extra})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCommand(peer.written()[1])
	want := amf.Object{
		{Name: "app", Value: "a"}, {Name: "type", Value: "nonprivate"}, {Name: "flashVer", Value: "f"}, {Name: "tcUrl", Value: "u"},
		{Name: "capsEx", Value: 1.0},
	}
	if err != nil || !reflect.DeepEqual(got.Object, want) {
		t.Errorf("sent %v, %v", got, err)
	}
}

var clientCalls = []struct {
	name string
	call func(c *Client) error
	// start is the code that accepts the call where that is no _result.
	start string
}{
	{"connect", func(c *Client) error { _, err := c.Connect(liveOptions); return err }, ""},
	{"createStream", func(c *Client) error { _, err := c.CreateStream(); return err }, ""},
	{"publish", func(c *Client) error { return c.Publish(1, "key") }, CodePublishStart},
	{"play", func(c *Client) error { return c.Play(1, "key") }, CodePlayStart},
}

func TestClientReportsRefusals(t *testing.T) {
	for _, call := range clientCalls {
		status := Status{LevelError, "NetStream.Code", "why"}
		refusal := CallError(1, status)
		if call.start != "" {
			refusal = OnStatus(1, status)
		}
		err := call.call(NewClient(recordedPeer(append(chatter(), refusal)...)))
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Command != call.name || refused.Status != status {
			t.Errorf("%s: %v", call.name, err)
		} else if want := call.name + " refused: NetStream.Code (why)"; err.Error() != want {
			t.Errorf("%s: error reads %q, want %q", call.name, err, want)
		}
	}
}

func TestClientReportsARefusalWithoutStatus(t *testing.T) {
	refusal := Command{Name: CommandError, Transaction: 1}.Message(0)
	err := clientCalls[0].call(NewClient(recordedPeer(refusal)))
	var refused *StatusError
	if !errors.As(err, &refused) || refused.Status != (Status{}) {
		t.Errorf("error = %v", err)
	}
}

func TestCreateStreamRefusesIDsThatAreNone(t *testing.T) {
	for name, answer := range map[string]Message{
		"zero":    Result(1, 0.0),
		"text":    Result(1, "1"),
		"nothing": Result(1),
		"half":    Result(1, 1.5),
	} {
		if id, err := NewClient(recordedPeer(answer)).CreateStream(); id != 0 || !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %d, %v", name, id, err)
		}
	}
}

func TestClientSaysWhatItWaitedForWhenReadingFails(t *testing.T) {
	broken := Message{Type: TypeCommand, ChunkStream: 3, Payload: unhex("FF")}
	for _, call := range clientCalls {
		for want, peer := range map[error]*recorded{io.EOF: recordedPeer(chatter()...), ErrProtocol: recordedPeer(broken)} {
			err := call.call(NewClient(peer))
			if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "wait for the answer to "+call.name+": ") {
				t.Errorf("%s: error = %v, want %v", call.name, err, want)
			}
		}
	}
}

// failingWriter fails from its nth Write on.
type failingWriter struct {
	io.Reader
	n int
}

var errWrite = errors.New("no more")

func (w *failingWriter) Write(p []byte) (int, error) {
	w.n--
	if w.n < 0 {
		return 0, errWrite
	}
	return len(p), nil
}

func TestClientSaysWhatItWroteWhenWritingFails(t *testing.T) {
	for _, call := range clientCalls {
		err := call.call(NewClient(&failingWriter{Reader: bytes.NewReader(nil)}))
		want := "write Command message: no more"
		if call.name == "connect" {
			want = "write SetChunkSize message: no more"
		}
		if !errors.Is(err, errWrite) || err.Error() != want {
			t.Errorf("%s: %v", call.name, err)
		}
	}
	c := NewClient(&failingWriter{Reader: bytes.NewReader(nil), n: 1})
	if err := clientCalls[0].call(c); !errors.Is(err, errWrite) || err.Error() != "write Command message: no more" {
		t.Errorf("connect behind its chunk size: %v", err)
	}
}

func TestClientAnswersPings(t *testing.T) {
	c := startPeer(t, func(p *scriptedPeer) {
		p.expect(0, Command{Name: "createStream", Transaction: 1})
		p.send(UserControl(EventPingRequest, 0x12345678))
		if m := p.read(); !sameMessages([]Message{m}, []Message{UserControl(EventPingResponse, 0x12345678)}) {
			p.t.Errorf("answer to a ping is %v", m)
		}
		p.send(UserControl(EventPingResponse, 1), Message{Type: TypeUserControl, ChunkStream: 2, Payload: unhex("0006")}, Result(1, 1.0))
	})
	if _, err := c.CreateStream(); err != nil {
		t.Fatal(err)
	}
}

func TestClientAcknowledges(t *testing.T) {
	c := startPeer(t, func(p *scriptedPeer) {
		p.expect(0, Command{Name: "createStream", Transaction: 1})
		p.send(WindowAckSize(10_000))
		for range 3 {
			p.send(video(6, 0, fill(4000)))
			p.send(video(6, 0, fill(4000)))
			if m := p.read(); !sameMessages([]Message{m}, []Message{Acknowledgement(uint32(p.sent))}) {
				p.t.Errorf("got %v after %d bytes", m, p.sent)
			}
		}
		p.send(Result(1, 1.0))
	})
	if _, err := c.CreateStream(); err != nil {
		t.Fatal(err)
	}
}

func TestClientReadMessageFails(t *testing.T) {
	for name, c := range map[string]struct {
		message Message
		want    error
	}{
		"short window":       {Message{Type: TypeWindowAckSize, ChunkStream: 2, Payload: unhex("000000")}, ErrProtocol},
		"answer to a ping":   {UserControl(EventPingRequest, 1), errWrite},
		"acknowledgement":    {video(6, 0, fill(DefaultWindow/2)), errWrite},
		"end of the message": {Message{Type: TypeCommand}, ErrProtocol},
	} {
		stream := AppendMessage(nil, c.message, DefaultChunkSize)
		if name == "end of the message" {
			stream = unhex("C3")
		}
		client := NewClient(&failingWriter{Reader: bytes.NewReader(stream)})
		if m, err := client.ReadMessage(); !errors.Is(err, c.want) || !reflect.DeepEqual(m, Message{}) {
			t.Errorf("%s: %v, %v", name, m.Type, err)
		}
	}
}

func TestWriteMessageFillsInTheChunkStream(t *testing.T) {
	peer := recordedPeer()
	c := NewClient(peer)
	for _, m := range []Message{{Type: TypeAudio}, {Type: TypeVideo}, {Type: TypeData}, {Type: TypeVideo, ChunkStream: 9}} {
		if err := c.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	want := []Message{{Type: TypeAudio, ChunkStream: 4}, {Type: TypeVideo, ChunkStream: 6}, {Type: TypeData, ChunkStream: 8}, {Type: TypeVideo, ChunkStream: 9}}
	if got := peer.written(); !sameMessages(got, want) {
		t.Errorf("wrote%s", describe(got))
	}
}

// switchingWriter lets another goroutine run wherever it is written to.
type switchingWriter struct{ recorded }

func (w *switchingWriter) Write(p []byte) (int, error) {
	runtime.Gosched()
	return w.recorded.Write(p)
}

// The peer must never see a chunk of another size than the last announced,
// also if an answer to a ping goes out at that moment.
func TestSetChunkSizeHoldsFromTheNextMessage(t *testing.T) {
	w := &switchingWriter{}
	c := NewClient(w)
	var wg sync.WaitGroup
	const rounds = 5000
	wg.Go(func() {
		for i := range rounds {
			if err := c.SetChunkSize(4 + i%2*100); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Go(func() {
		for range rounds {
			if err := c.WriteMessage(UserControl(EventPingResponse, 7)); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	got, err := readAll(readerOf(w.Bytes(), AcceptedLimits))
	if len(got) != 2*rounds || !errors.Is(err, io.EOF) {
		t.Errorf("%d messages, then %v", len(got), err)
	}
}
