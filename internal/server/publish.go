package server

import (
	"errors"
	"slices"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

var (
	errNoStream   = errors.New("message stream was not created")
	errStreamBusy = errors.New("message stream already publishes or plays")
	errEnded      = errors.New("ended while the authorizer was asked")
)

// publish lets an encoder publish: the name is checked, then that the channel
// is free, then the authorizer asked, and only then the channel claimed. The
// client hears of a start when all of it went well.
func (c *conn) publish(in call) error {
	s := c.streams[in.stream]
	switch {
	case s == nil:
		return c.refuse(in.stream, rtmp.CodePublishDenied, "Create a stream first.", ReasonBadState, errNoStream)
	case !allow(&c.startBudget, startRate, startBurst):
		return errFlood
	case s.busy():
		return c.refuse(in.stream, rtmp.CodePublishBadName, "The stream is in use.", ReasonBadState, errStreamBusy)
	}
	name, _ := amf.AsString(in.Arg(0))
	p, err := parsePath(c.app, name, c.server.options.IDMaxLength)
	if err != nil {
		return c.refuse(s.id, rtmp.CodePublishBadName, err.Error(), stream.ReasonBadName, err)
	}
	c.role, c.channel = "publisher", p.channel
	if !c.mayTry() {
		return c.denyGuess(s.id)
	}
	withdraw, err := c.server.options.Registry.Apply(p.channel, p.key, c)
	if err != nil {
		return c.refuseBusy(s.id)
	}
	defer withdraw()
	c.out.flush() // asking takes time
	g, err := c.server.authorize(c.ctx, access.Request{Channel: p.channel, Key: p.key, Client: c.addr.Addr()})
	s.name, s.grant = name, g
	switch {
	case c.ended():
		c.turnAway(s)
		return errEnded
	case err != nil:
		return c.deny(s.id, err)
	}
	return c.claim(s)
}

func (c *conn) refuseBusy(id uint32) error {
	return c.refuse(id, rtmp.CodePublishBadName, "The channel is live already.", ReasonBusy, nil)
}

// claim takes the channel that a stream has a grant for.
func (c *conn) claim(s *netStream) error {
	// The authorizer took its time, which does not count as silence: neither
	// for the media that came meanwhile, nor for another publisher who would
	// take the channel over as soon as it is claimed.
	c.readAt = c.server.now()
	c.watch.media.Store(int64(c.readAt))
	publication, err := c.server.options.Registry.Publish(stream.Claim{
		Channel: s.grant.Channel, Key: s.grant.Key, StreamID: s.grant.streamID, Publisher: c,
		Address: c.addr.String(), Epoch: c.server.at(0), At: c.readAt,
	})
	if err != nil {
		c.unpublish(s)
		return c.refuseBusy(s.id)
	}
	s.publication = publication
	c.publishing = append(c.publishing, s)
	faultinject.At(faultinject.Claimed, s.grant.Channel)
	c.accept()
	c.begin(s, stream.KindPublisher, path{channel: s.grant.Channel, key: s.grant.Key}, s.grant.streamID)
	c.watch.enter(phasePublishing)
	c.reader.SetLimits(rtmp.AcceptedLimits)
	channel := s.grant.Channel
	c.server.running.Go(func() { c.fanOut(publication, channel) })
	c.out.send(
		rtmp.UserControl(rtmp.EventStreamBegin, s.id),
		status(s.id, rtmp.CodePublishStart, "Started publishing stream."))
	c.logPublish(publication, s.grant)
	return nil
}

// logPublish names both publishers of a takeover: an operator wants to know who
// pushed whom aside.
func (c *conn) logPublish(p *stream.Publication, g *grant) {
	attrs := []any{"channel", g.Channel, "key", maskKey(g.Key), "stream_id", g.streamID}
	if replaced := p.Replaced(); replaced != "" {
		attrs = append(attrs, "replaces", replaced)
	}
	c.request("publish", attrs...)
}

// closeNetStream ends what a message stream does, if anything.
func (c *conn) closeNetStream(s *netStream) {
	if !s.busy() {
		return // and no deadline starts anew
	}
	if s.publishes() {
		c.unpublish(s)
	}
	if s.player != nil {
		c.stopPlaying(s)
	}
	if !c.ended() {
		c.watch.enter(c.phase())
	}
}

// unpublish ends a publication, or gives back a grant that led to none.
func (c *conn) unpublish(s *netStream) {
	publication, g := s.publication, s.grant
	s.publication, s.grant = nil, nil
	c.publishing = slices.DeleteFunc(c.publishing, func(other *netStream) bool { return other == s })
	c.letGo(publication, g)
	if publication != nil {
		c.finish(s)
	}
	if publication != nil && !c.ended() { // else the connection's end says it
		c.request("unpublish", "channel", g.Channel, "stream_id", g.streamID)
		c.out.send(status(s.id, rtmp.CodeUnpublishSuccess, "Stopped publishing stream."))
	}
}

// letGo frees the channel, and gives the grant back, whatever happens meanwhile.
func (c *conn) letGo(p *stream.Publication, g *grant) {
	defer c.server.giveBack(g)
	if p == nil {
		return
	}
	defer c.endPublication(p)
	faultinject.At(faultinject.Unpublish, g.Channel)
	c.ignored += p.Log().Unreadable() + p.Log().Excess()
	c.repaired = c.repaired.Plus(p.Log().Repairs())
}

// phase is what the streams of the connection amount to.
func (c *conn) phase() phase {
	phase := phaseIdle
	for _, s := range c.streams {
		switch {
		case s.publishes():
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
	streams := c.named(in, (*netStream).publishes)
	for _, s := range streams {
		c.closeNetStream(s)
	}
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, amf.Undefined{}))
		if len(streams) > 0 {
			c.out.send(rtmp.FCUnpublished())
		}
	}
	return nil
}
