package server

import (
	"errors"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

var (
	errNoStream   = errors.New("message stream was not created")
	errStreamBusy = errors.New("message stream already publishes or plays")
)

// publish lets an encoder publish: the name is checked, then that the channel
// is free, then the authorizer asked, and only then the channel claimed. The
// client hears of a start when all of it went well.
func (c *conn) publish(in call) error {
	s := c.streams[in.stream]
	switch {
	case s == nil:
		return c.refuse(in.stream, rtmp.CodePublishDenied, "Create a stream first.", ReasonBadState, errNoStream)
	case s.busy():
		return c.refuse(in.stream, rtmp.CodePublishBadName, "The stream is in use.", ReasonBadState, errStreamBusy)
	}
	name, _ := amf.AsString(in.Arg(0))
	p, err := parsePath(c.app, name, c.server.options.IDMaxLength)
	if err != nil {
		return c.refuse(s.id, rtmp.CodePublishBadName, err.Error(), ReasonBadName, err)
	}
	c.role, c.channel = "publisher", p.channel
	if err := c.server.options.Registry.Available(p.channel); err != nil {
		return c.refuseBusy(s.id)
	}
	request := Request{Channel: p.channel, Key: p.key, Client: c.addr.Addr()}
	streamID, err := c.server.authorize(c.ctx, request)
	if err != nil {
		return c.refuse(s.id, rtmp.CodePublishDenied, "You may not publish here.", ReasonDenied, err)
	}
	s.publication, err = c.server.options.Registry.Publish(stream.Claim{
		Channel: p.channel, Key: p.key, StreamID: streamID, Publisher: c,
	})
	if err != nil {
		c.server.unpublished(request, streamID)
		return c.refuseBusy(s.id)
	}
	s.name, s.request, s.streamID = name, request, streamID
	c.startPublishing(s)
	return nil
}

func (c *conn) refuseBusy(id uint32) error {
	return c.refuse(id, rtmp.CodePublishBadName, "The channel is live already.", ReasonBusy, nil)
}

func (c *conn) startPublishing(s *netStream) {
	// The authorizer took its time: media that came meanwhile is not old.
	c.readAt = c.server.now()
	c.watch.enter(phasePublishing)
	c.reader.SetLimits(rtmp.AcceptedLimits)
	c.reader.SetBuffer(ingestReadBuffer)
	c.server.running.Go(s.publication.Run)
	c.out.send(
		rtmp.UserControl(rtmp.EventStreamBegin, s.id),
		status(s.id, rtmp.CodePublishStart, "Started publishing stream."))
	c.request("publish", "channel", s.request.Channel, "key", maskKey(s.request.Key), "stream_id", s.streamID)
}

// closeNetStream ends what a message stream does, if anything.
func (c *conn) closeNetStream(s *netStream) {
	if s.publication != nil {
		s.publication.Close()
		s.publication = nil
		c.server.unpublished(s.request, s.streamID)
		if c.reason.Load() == nil { // else the connection's end says it
			c.request("unpublish", "channel", s.request.Channel, "stream_id", s.streamID)
			c.out.send(status(s.id, rtmp.CodeUnpublishSuccess, "Stopped publishing stream."))
		}
	}
	if s.player != nil {
		c.stopPlaying(s)
	}
	if c.reason.Load() == nil {
		c.watch.enter(c.phase())
	}
}

// phase is what the streams of the connection amount to.
func (c *conn) phase() phase {
	phase := phaseIdle
	for _, s := range c.streams {
		switch {
		case s.publication != nil:
			return phasePublishing
		case s.player != nil:
			phase = phasePlaying
		}
	}
	return phase
}

func (c *conn) fcPublish(in call) error {
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, amf.Undefined{}), rtmp.FCPublished())
	}
	return nil
}

// fcUnpublish ends a publication; the connection may go on and publish again.
func (c *conn) fcUnpublish(in call) error {
	s := c.named(in)
	unpublish := s != nil && s.publication != nil
	if unpublish {
		c.closeNetStream(s)
	}
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, amf.Undefined{}))
		if unpublish {
			c.out.send(rtmp.FCUnpublished())
		}
	}
	return nil
}
