package bench

import (
	"errors"
	"fmt"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// player is the playing side of one connection without the connection: it is
// fed with what was read, and appends what is to be written.
type player struct {
	target   *target
	progress progress

	// hello collects S0 and S1 until they are answered; skip is what is left of
	// S2. The handshake is the simple one, which needs no digest.
	hello []byte
	skip  int

	chunks   chunkParser
	web      webParser // in place of all that, over HTTP
	acks     rtmp.AckWindow
	received uint64
	joined   bool
}

// The transactions of the two calls that are answered by number.
const (
	callConnect = 1
	callCreate  = 2
)

// start begins a connection: it forgets the last one, except for the progress
// of the stream, and appends C0 and C1.
func (p *player) start(out []byte) []byte {
	if p.target.web != webNone {
		p.joined = false
		return p.web.request(p.target, out)
	}
	p.hello = make([]byte, 0, 1+rtmp.HandshakeSize)
	p.skip = rtmp.HandshakeSize
	p.chunks.reset()
	p.acks = rtmp.AckWindow{}
	p.received = 0
	p.joined = false
	out = append(out, rtmp.Version)
	out = append(out, make([]byte, 8)...) // time and version: 0 asks for the simple handshake
	for i := range rtmp.HandshakeSize - 8 {
		out = append(out, byte(i*7))
	}
	return out
}

// feed takes what was read at the time now, in microseconds, and appends what
// is to be sent to out. It counts at t, whose lock must be held. After an error
// the connection is of no use.
func (p *player) feed(now int64, in, out []byte, t *tally) ([]byte, error) {
	t.wire += int64(len(in))
	if p.target.web != webNone {
		return out, p.feedWeb(now, in, t)
	}
	if p.skip > 0 {
		var err error
		if in, out, err = p.shake(in, out); err != nil {
			return out, err
		}
	}
	p.received += uint64(len(in))
	for len(in) > 0 {
		m, n, complete, err := p.chunks.next(in)
		if err != nil {
			return out, err
		}
		in = in[n:]
		if !complete {
			continue
		}
		if m.kind == rtmp.TypeAudio || m.kind == rtmp.TypeVideo {
			p.joined = true
			t.media(now, &p.progress, m)
		} else if out, err = p.handle(m, out); err != nil {
			return out, err
		}
	}
	if sequence, due := p.acks.Due(p.received); due {
		out = send(out, rtmp.Acknowledgement(sequence))
	}
	return out, nil
}

// shake takes S0, S1 and S2, and returns what follows.
func (p *player) shake(in, out []byte) (rest, sent []byte, err error) {
	if p.hello != nil {
		n := min(cap(p.hello)-len(p.hello), len(in))
		p.hello = append(p.hello, in[:n]...)
		in = in[n:]
		if len(p.hello) > 0 && p.hello[0] != rtmp.Version {
			return nil, out, fmt.Errorf("the server does not speak plain RTMP: %w", rtmp.ErrProtocol)
		}
		if len(p.hello) < cap(p.hello) {
			return nil, out, nil
		}
		out = append(out, p.hello[1:]...)
		p.hello = nil
	}
	n := min(p.skip, len(in))
	if p.skip -= n; p.skip == 0 {
		out = send(out, p.connect())
	}
	return in[n:], out, nil
}

func (p *player) connect() rtmp.Message {
	return rtmp.Command{Name: "connect", Transaction: callConnect, Object: amf.Object{
		{Name: "app", Value: p.target.app},
		{Name: "flashVer", Value: "LNX 9,0,124,2"},
		{Name: "tcUrl", Value: p.target.tcURL},
		{Name: "fpad", Value: false},
		{Name: "capabilities", Value: 15.0},
		{Name: "audioCodecs", Value: 4071.0},
		{Name: "videoCodecs", Value: 252.0},
		{Name: "videoFunction", Value: 1.0},
	}}.Message(0)
}

// handle takes a message that is not media.
func (p *player) handle(m arrival, out []byte) ([]byte, error) {
	message := rtmp.Message{Type: m.kind, Payload: m.payload}
	switch m.kind {
	case rtmp.TypeWindowAckSize:
		window, err := rtmp.ParseUint32(message)
		p.acks.Set(window)
		return out, err
	case rtmp.TypeUserControl:
		if event, value, ok := rtmp.ParseUserControl(message); ok && event == rtmp.EventPingRequest {
			out = send(out, rtmp.UserControl(rtmp.EventPingResponse, value))
		}
	case rtmp.TypeCommand, rtmp.TypeCommandAMF3:
		command, err := rtmp.ParseCommand(message)
		if err != nil {
			return out, err
		}
		return p.answer(command, out)
	}
	return out, nil
}

func (p *player) answer(c rtmp.Command, out []byte) ([]byte, error) {
	status, _ := rtmp.ParseStatus(c)
	switch {
	case c.Name == rtmp.CommandError && (c.Transaction == callConnect || c.Transaction == callCreate):
		return out, refusal(c, status)
	case c.Name == rtmp.CommandOnStatus && status.Level == rtmp.LevelError:
		return out, refusal(c, status)
	case c.Name == rtmp.CommandOnStatus && status.Code == rtmp.CodePlayStart:
		p.joined = true
	case c.Name == rtmp.CommandResult && c.Transaction == callConnect:
		return send(out, rtmp.Command{Name: "createStream", Transaction: callCreate}.Message(0)), nil
	case c.Name == rtmp.CommandResult && c.Transaction == callCreate:
		id, ok := rtmp.StreamID(c.Arg(0))
		if !ok || id == 0 {
			return out, fmt.Errorf("createStream answered %v: %w", c.Arg(0), rtmp.ErrProtocol)
		}
		// -2000 asks for the live stream of the name, or for waiting for it.
		out = send(out, rtmp.Command{Name: "play", Args: []any{p.target.name, -2000.0}}.Message(id))
	}
	return out, nil
}

// errRefused is wrapped by the error of a player that the server turned away.
var errRefused = errors.New("refused by the server")

func refusal(c rtmp.Command, s rtmp.Status) error {
	if s.Code == "" {
		s.Code = c.Name
	}
	return fmt.Errorf("%w: %s %s", errRefused, s.Code, s.Description)
}

// send appends a message in chunks of the size that holds until another is
// announced.
func send(out []byte, m rtmp.Message) []byte {
	return rtmp.AppendMessage(out, m, rtmp.DefaultChunkSize)
}
