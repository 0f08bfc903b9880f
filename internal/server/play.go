package server

import (
	"errors"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

var errNotOnList = errors.New("address is not on the play whitelist")

// play lets a client watch. Whatever it asks to start with — live, recorded or
// any — is played live. Some small clients play on message stream 0: they mean
// the one they created.
func (c *conn) play(in call) error {
	id := in.stream
	if id == 0 {
		id = c.lastStream
	}
	s := c.streams[id]
	switch {
	case s == nil:
		return c.refuse(in.stream, rtmp.CodePlayFailed, "Create a stream first.", ReasonBadState, errNoStream)
	case !allow(&c.startBudget, startRate, startBurst):
		return errFlood
	case s.busy():
		return c.refuse(id, rtmp.CodePlayFailed, "The stream is in use.", ReasonBadState, errStreamBusy)
	case !c.server.options.Players.Contains(c.addr.Addr()):
		return c.refuse(id, rtmp.CodePlayFailed, "You may not play here.", stream.ReasonPlayDenied, errNotOnList)
	}
	name, _ := amf.AsString(in.Arg(0))
	p, err := parsePath(c.app, name, c.server.options.IDMaxLength)
	if err != nil {
		return c.refuse(id, rtmp.CodePlayStreamNotFound, err.Error(), stream.ReasonBadName, err)
	}
	c.role, c.channel = "player", p.channel
	if !c.mayTry() {
		return c.refuseGuess(id)
	}
	subscription, err := c.server.options.Registry.Subscribe(p.channel, p.key, c, c.out)
	if err != nil {
		return c.refuseKey(id)
	}
	s.name = name
	s.player = c.newPlayer()
	s.player.stream, s.player.channel, s.player.subscription = id, p.channel, subscription
	s.player.capabilities = c.server.options.capabilitiesOf(c.capabilities, p.wishes)
	if p.wishes.live {
		s.player.start = stream.AtLive
		subscription.Hurry()
	}
	c.startPlaying(s, p, wantsReset(in))
	return nil
}

// newPlayer returns the writer's own player to the first one who asks: hardly any
// connection has two.
func (c *conn) newPlayer() *player {
	if c.played {
		return new(player)
	}
	c.played = true
	return &c.out.first
}

// wantsReset reads the fourth argument of play, which is true unless the client
// says otherwise.
func wantsReset(in call) bool {
	reset, ok := amf.AsBool(in.Arg(3))
	return reset || !ok
}

func (c *conn) startPlaying(s *netStream, p path, reset bool) {
	c.accept()
	c.begin(s, stream.KindPlayer, p, "")
	if c.phase() != phasePublishing {
		c.watch.enter(phasePlaying)
	}
	answers := []rtmp.Message{rtmp.UserControl(rtmp.EventStreamBegin, s.id)}
	if reset {
		answers = append(answers, status(s.id, rtmp.CodePlayReset, "Playing and resetting stream."))
	}
	joining := s.player
	c.out.sendThen(func() { c.out.players = append(c.out.players, joining) },
		append(answers, status(s.id, rtmp.CodePlayStart, "Started playing stream."))...)
	c.request("play", "channel", p.channel, "key", maskKey(p.key))
}

// stopPlaying takes the player off its channel, with some last words. What it
// has not been sent by then is not sent any more.
func (c *conn) stopPlaying(s *netStream, last ...rtmp.Message) {
	leaving := s.player
	c.finish(s)
	s.player = nil
	leaving.subscription.Close()
	c.out.sendThen(func() {
		c.out.remove(leaving)
	}, last...)
}

// status is an onStatus message that tells of something that went well.
func status(id uint32, code, description string) rtmp.Message {
	return rtmp.OnStatus(id, rtmp.Status{Level: rtmp.LevelStatus, Code: code, Description: description})
}

// playing finds the player that a command is for.
func (c *conn) playing(in call) *player {
	id := in.stream
	if id == 0 {
		id = c.lastStream
	}
	if s := c.streams[id]; s != nil {
		return s.player
	}
	return nil
}

func (c *conn) pause(in call) error {
	p := c.playing(in)
	paused, ok := amf.AsBool(in.Arg(0))
	if p == nil || !ok {
		return nil
	}
	answers := []rtmp.Message{
		rtmp.UserControl(rtmp.EventStreamBegin, p.stream),
		status(p.stream, rtmp.CodeUnpauseNotify, "Resumed."),
	}
	if paused {
		answers = []rtmp.Message{
			status(p.stream, rtmp.CodePauseNotify, "Paused."),
			rtmp.UserControl(rtmp.EventStreamEOF, p.stream),
		}
	}
	c.out.sendThen(func() { p.pause(paused) }, answers...)
	return nil
}

// seek cannot be done in a live stream.
func (c *conn) seek(in call) error {
	if p := c.playing(in); p != nil {
		c.out.send(rtmp.OnStatus(p.stream, rtmp.Status{
			Level: rtmp.LevelError, Code: rtmp.CodeSeekFailed, Description: "A live stream cannot seek.",
		}))
	}
	return nil
}

func (c *conn) receiveAudio(in call) error { return c.receive(in, (*player).receiveAudio) }

func (c *conn) receiveVideo(in call) error { return c.receive(in, (*player).receiveVideo) }

// receive switches a kind of media. Only switching on is answered (RTMP 1.0
// section 7.2.2.4).
func (c *conn) receive(in call, set func(*player, bool)) error {
	p := c.playing(in)
	on, ok := amf.AsBool(in.Arg(0))
	if p == nil || !ok {
		return nil
	}
	var answers []rtmp.Message
	if on {
		answers = []rtmp.Message{
			status(p.stream, rtmp.CodeSeekNotify, "Receiving."),
			status(p.stream, rtmp.CodePlayStart, "Started playing stream."),
		}
	}
	c.out.sendThen(func() { set(p, on) }, answers...)
	return nil
}

// fcSubscribe is what librtmp and FFmpeg say before they play a live stream.
func (c *conn) fcSubscribe(in call) error {
	c.out.send(rtmp.FCSubscribed())
	return c.acknowledgeCall(in)
}
