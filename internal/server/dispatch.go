package server

import (
	"fmt"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// netStream is a message stream of the client, which may publish, play, or do
// nothing.
type netStream struct {
	id uint32
	// name is what publish or play asked for, as the client spelled it.
	name string
	// grant is set while it publishes, and a moment before.
	grant       *grant
	publication *stream.Publication
	player      *player
	// account is open while it publishes or plays.
	account *account
}

func (s *netStream) publishes() bool { return s.grant != nil }

func (s *netStream) busy() bool { return s.publishes() || s.player != nil }

// dispatch carries out one message. The error ends the connection.
func (c *conn) dispatch(m rtmp.Message) error {
	switch m.Type {
	case rtmp.TypeAudio, rtmp.TypeVideo, rtmp.TypeData, rtmp.TypeDataAMF3:
		return c.media(m)
	default:
		if !m.Type.Known() {
			return c.ignoreStrange()
		}
		if err := c.chargeChatter(m); err != nil {
			return err
		}
		return c.converse(m)
	}
}

// converse carries out a control message or command.
func (c *conn) converse(m rtmp.Message) error {
	switch m.Type {
	case rtmp.TypeCommand, rtmp.TypeCommandAMF3:
		command, err := rtmp.ParseCommand(m)
		if err != nil {
			return err
		}
		return c.command(m.Stream, command)
	case rtmp.TypeUserControl:
		c.userControl(m)
	case rtmp.TypeWindowAckSize:
		window, err := rtmp.ParseUint32(m)
		if err != nil {
			return err
		}
		c.acks.Set(window)
	case rtmp.TypeSetChunkSize, rtmp.TypeAbort, rtmp.TypeAcknowledgement, rtmp.TypeSetPeerBandwidth:
		// The reader has done what there is to do. Acknowledgements do not
		// steer sending: many players send them late or never.
	}
	return nil
}

// media appends to the publication of the message's stream. Media of a client
// that does not publish there is dropped; before connect it is an error.
func (c *conn) media(m rtmp.Message) error {
	if !c.connected {
		return fmt.Errorf("%v before connect: %w", m.Type, rtmp.ErrProtocol)
	}
	i := slices.IndexFunc(c.publishing, func(s *netStream) bool { return s.id == m.Stream })
	if i < 0 {
		c.ignored++
		return nil
	}
	if m.Type == rtmp.TypeAudio || m.Type == rtmp.TypeVideo {
		c.watch.noteMedia(c.readAt)
	}
	faultinject.At(faultinject.Append, c.channel)
	c.publishing[i].publication.Append(m, c.readAt)
	return nil
}

// userControl answers pings, which some encoders send; all other events of a
// client, the length of its buffer among them, mean nothing to a live server.
func (c *conn) userControl(m rtmp.Message) {
	event, value, ok := rtmp.ParseUserControl(m)
	if ok && event == rtmp.EventPingRequest && allow(&c.pingBudget, pingRate, pingBurst) {
		c.out.send(rtmp.UserControl(rtmp.EventPingResponse, value))
	}
}
