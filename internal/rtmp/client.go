package rtmp

import (
	"bufio"
	"fmt"
	"io"
	"sync"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

// StatusError is the refusal of a command by the peer.
type StatusError struct {
	Command string
	Status  Status
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s refused: %s (%s)", e.Command, e.Status.Code, e.Status.Description)
}

// Client is the side of a connection that publishes or plays. Its calls block
// on the connection it was given; deadlines are the business of whoever owns
// that connection.
//
// One goroutine may read while another writes.
type Client struct {
	reader      *Reader
	buffered    *bufio.Reader
	transaction float64
	acks        AckWindow

	mu        sync.Mutex // guards w: answers and the caller's messages share it
	w         io.Writer
	buf       []byte
	chunkSize int
}

// clientChunkSize is the chunk size of what a Client sends.
const clientChunkSize = 60000

// NewClient returns a client on a connection whose handshake is still to come.
func NewClient(conn io.ReadWriter) *Client {
	buffered := bufio.NewReaderSize(conn, 64<<10)
	return &Client{
		buffered:  buffered,
		reader:    NewReader(buffered, AcceptedLimits),
		w:         conn,
		chunkSize: DefaultChunkSize,
	}
}

// Handshake performs the client's side of the handshake.
func (c *Client) Handshake(scheme Scheme, o HandshakeOptions) (Handshake, error) {
	return DialHandshake(c.buffered, c.w, scheme, o)
}

// ConnectOptions are the properties of a connect command.
type ConnectOptions struct {
	App string
	// TCURL is the URL up to and including the app.
	TCURL string
	// FlashVersion is how the client calls itself; empty means a name that
	// servers take for a publisher.
	FlashVersion string
	// Extra is appended to the command object.
	Extra amf.Object
}

// Connect announces the chunk size, sends connect and waits for the answer.
// The handshake must be done. A refusal is a *StatusError.
func (c *Client) Connect(o ConnectOptions) (Command, error) {
	if o.FlashVersion == "" {
		o.FlashVersion = "FMLE/3.0 (compatible; rtmp-server)"
	}
	if err := c.SetChunkSize(clientChunkSize); err != nil {
		return Command{}, err
	}
	return c.Call(Command{Name: "connect", Object: append(amf.Object{
		{Name: "app", Value: o.App},
		{Name: "type", Value: "nonprivate"},
		{Name: "flashVer", Value: o.FlashVersion},
		{Name: "tcUrl", Value: o.TCURL},
	}, o.Extra...)})
}

// SetChunkSize announces a chunk size and uses it from then on.
func (c *Client) SetChunkSize(size int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(SetChunkSize(uint32(size))); err != nil {
		return err
	}
	c.chunkSize = size
	return nil
}

// CreateStream asks for a message stream and returns its id.
func (c *Client) CreateStream() (uint32, error) {
	answer, err := c.Call(Command{Name: "createStream"})
	if err != nil {
		return 0, err
	}
	id, ok := StreamID(answer.Arg(0))
	if !ok || id == 0 {
		return 0, fmt.Errorf("createStream answered %v: %w", answer.Arg(0), ErrProtocol)
	}
	return id, nil
}

// Publish starts publishing under a name and waits for the answer. A refusal
// is a *StatusError.
func (c *Client) Publish(stream uint32, name string) error {
	c.transaction++
	err := c.WriteMessage(Command{
		Name: "publish", Transaction: c.transaction, Args: []any{name, "live"},
	}.Message(stream))
	if err != nil {
		return err
	}
	return c.awaitStatus("publish", stream, CodePublishStart)
}

// Play starts playing the live stream of a name and waits for the answer. A
// refusal is a *StatusError.
func (c *Client) Play(stream uint32, name string) error {
	err := c.WriteMessage(Command{
		Name: "play", Args: []any{name, -2000.0},
	}.Message(stream))
	if err != nil {
		return err
	}
	return c.awaitStatus("play", stream, CodePlayStart)
}

// Call sends a command on the connection with the next transaction id and
// waits for its _result. An _error is returned as a *StatusError.
func (c *Client) Call(call Command) (Command, error) {
	c.transaction++
	call.Transaction = c.transaction
	if err := c.WriteMessage(call.Message(0)); err != nil {
		return Command{}, err
	}
	for {
		answer, _, err := c.readCommand()
		if err != nil {
			return Command{}, fmt.Errorf("wait for the answer to %s: %w", call.Name, err)
		}
		if answer.Transaction != call.Transaction {
			continue
		}
		switch answer.Name {
		case CommandResult:
			return answer, nil
		case CommandError:
			status, _ := ParseStatus(answer)
			return Command{}, &StatusError{Command: call.Name, Status: status}
		}
	}
}

func (c *Client) awaitStatus(command string, stream uint32, code string) error {
	for {
		answer, on, err := c.readCommand()
		if err != nil {
			return fmt.Errorf("wait for the answer to %s: %w", command, err)
		}
		status, ok := ParseStatus(answer)
		if answer.Name != CommandOnStatus || on != stream || !ok {
			continue
		}
		if status.Level == LevelError {
			return &StatusError{Command: command, Status: status}
		}
		if status.Code == code {
			return nil
		}
	}
}

func (c *Client) readCommand() (Command, uint32, error) {
	for {
		m, err := c.ReadMessage()
		if err != nil {
			return Command{}, 0, err
		}
		if m.Type != TypeCommand && m.Type != TypeCommandAMF3 {
			continue
		}
		command, err := ParseCommand(m)
		return command, m.Stream, err
	}
}

// ReadMessage returns the next message. Pings and windows of the peer are
// answered on the way; the messages are returned all the same.
func (c *Client) ReadMessage() (Message, error) {
	m, err := c.reader.ReadMessage()
	if err != nil {
		return Message{}, err
	}
	switch m.Type {
	case TypeWindowAckSize:
		window, err := ParseUint32(m)
		if err != nil {
			return Message{}, err
		}
		c.acks.Set(window)
	case TypeUserControl:
		if event, value, ok := ParseUserControl(m); ok && event == EventPingRequest {
			if err := c.WriteMessage(UserControl(EventPingResponse, value)); err != nil {
				return Message{}, err
			}
		}
	}
	if sequence, due := c.acks.Due(c.reader.Received()); due {
		if err := c.WriteMessage(Acknowledgement(sequence)); err != nil {
			return Message{}, err
		}
	}
	return m, nil
}

// WriteMessage sends one message. A zero ChunkStream is filled in.
func (c *Client) WriteMessage(m Message) error {
	if m.ChunkStream == 0 {
		m.ChunkStream = ChunkStreamFor(m.Type)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(m)
}

// write sends one message. The lock must be held.
func (c *Client) write(m Message) error {
	c.buf = AppendMessage(c.buf[:0], m, c.chunkSize)
	if _, err := c.w.Write(c.buf); err != nil {
		return fmt.Errorf("write %v message: %w", m.Type, err)
	}
	return nil
}
