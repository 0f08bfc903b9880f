package server

import (
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// lagLogInterval is how often the log tells of one viewer that is too slow.
const lagLogInterval = 10 * time.Second

// player is the playing side of a message stream: a place on a channel, and a
// cursor while the channel is live. It belongs to whoever has the turn of the
// connection's writer.
type player struct {
	stream       uint32
	channel      string
	subscription *stream.Subscription
	cursor       stream.Cursor
	start        stream.Start
	capabilities media.Capabilities
	paused       bool
	muted, blind bool // receiveAudio and receiveVideo were switched off
	// announce says that the client knows the channel as not live, and has to
	// be told when it is. kept says the contrary of a channel that is not live:
	// the client does not know, and has to be told if nobody comes back.
	announce, kept bool
	// awaits says that there was no log when the player looked last: all of the
	// next one is new to it.
	awaits bool
	// missed is what earlier cursors missed because the viewer was too slow,
	// and missedLogged what the log told of, at skipLogged.
	missed, missedLogged stream.Skipped
	skipLogged           time.Duration
	// introduced says that the player has been sent something of a stream.
	introduced bool
	// served says that the cursor has come to media that the viewer takes, and
	// warned that the log told of media that it does not take.
	served, warned bool
	// place is what others may know of it.
	place stream.Place
}

// waiting reports whether the channel is not live, and nobody is expected back.
func (p *player) waiting() bool {
	return !p.cursor.IsOpen() && !p.paused && !p.subscription.Interrupted()
}

// fill adds to the batch what the player has not got yet. In a pass of the
// fan-out it goes no further than the others.
func (p *player) fill(w *writer, b *batch) {
	faultinject.At(faultinject.Gather, p.channel)
	if p.paused {
		return
	}
	p.read(w, b)
	if !p.cursor.IsOpen() {
		return
	}
	p.place.Note(&p.cursor)
	if p.cursor.Withheld() > 0 {
		p.judge(w)
	}
}

// judge ends the session of a viewer that can take nothing of the stream, and
// tells the log, once, of media that another does not take.
func (p *player) judge(w *writer) {
	if !p.served && !p.muted && !p.blind && !p.cursor.Playable() {
		w.c.end(stream.ReasonNoTrack, nil)
	}
	if !p.warned && p.cursor.Withheld() >= withheldNoticed && p.capabilities.Enhanced != media.AllCodecs {
		p.warned = true
		w.c.log.Warn("media withheld from a player that does not take it",
			"channel", p.channel, "takes", codecNames(p.capabilities.Enhanced))
	}
}

func (p *player) read(w *writer, b *batch) {
	if p.cursor.IsOpen() && !p.fillRun(b) {
		p.catchUp(w)
	}
	for !b.full() {
		if !p.cursor.IsOpen() && !p.join(w, b) || b.pass && p.cursor.AtJoint() {
			return
		}
		m, err := p.cursor.Next()
		switch {
		case err != nil:
			p.leave(w, b)
		case m == nil:
			return
		default:
			p.introduced = true
			p.served = p.served || m.Type != rtmp.TypeData
			b.add(p.cursor.Chunks(m, p.stream))
		}
	}
}

// fillRun adds what came since the last pass in one piece, which is all that
// most players need.
func (p *player) fillRun(b *batch) bool {
	if !b.pass || !p.served || p.stream != stream.PlayStream {
		return false
	}
	chunks := p.cursor.Joined()
	if chunks == nil {
		return false
	}
	b.addShared(chunks)
	return true
}

// join starts with the present publication, if there is one.
func (p *player) join(w *writer, b *batch) bool {
	log := p.subscription.Log()
	if log == nil {
		p.await(w, b)
		return false
	}
	p.kept = false
	p.cursor.Open(log, p.startingPoint())
	p.place.Join(&p.cursor)
	if !p.introduced {
		p.cursor.Introduce()
	}
	p.cursor.SetCapabilities(p.capabilities)
	p.served = false
	p.cursor.SetAudio(!p.muted)
	p.cursor.SetVideo(!p.blind)
	if p.announce {
		p.announce = false
		w.addMessages(b,
			rtmp.UserControl(rtmp.EventStreamBegin, p.stream),
			status(p.stream, rtmp.CodePlayPublishNotify, "The stream is live."))
	}
	return true
}

// startingPoint is where the player starts with a log. One that has waited for it has
// seen nothing that came before: to miss what comes first would be to wait for the
// next keyframe, only because media was there before the player was woken.
func (p *player) startingPoint() stream.Start {
	if p.awaits {
		p.awaits = false
		return stream.AtGroup
	}
	return p.start
}

// leave comes to the end of a publication.
func (p *player) leave(w *writer, b *batch) {
	p.dropCursor()
	p.kept = true
	p.await(w, b)
}

// await tells the client that the stream is over, if it is. FFmpeg ends at that,
// so it is not said while the publisher may come back, nor when another one has
// taken over already: then the client hears nothing, and goes on with what comes.
func (p *player) await(w *writer, b *batch) {
	p.awaits = true
	switch {
	case !p.kept:
		p.announce = true
	case p.subscription.Over():
		p.kept, p.announce = false, true
		w.addMessages(b, endOfStream(p.stream)...)
	}
}

// endOfStream is how a player learns that there is nothing more to come.
func endOfStream(id uint32) []rtmp.Message {
	return []rtmp.Message{
		rtmp.UserControl(rtmp.EventStreamEOF, id),
		status(id, rtmp.CodePlayUnpublishNotify, "The stream has ended."),
	}
}

// catchUp moves a player that is too far behind to the newest keyframe group,
// and tells the log now and then.
func (p *player) catchUp(w *writer) {
	skipped, ok := p.cursor.CatchUp(lagLimit)
	if !ok {
		return
	}
	p.place.Skip()
	now := w.server.now()
	if p.skipLogged != 0 && now-p.skipLogged < lagLogInterval {
		return
	}
	missed := p.totalMissed()
	w.c.log.Warn("player too slow, skipped to the newest keyframe",
		"channel", p.channel, "lag", skipped.Lag.Round(time.Millisecond), "limit", lagLimit,
		"messages_skipped", missed.Messages-p.missedLogged.Messages, "bytes_skipped", missed.Bytes-p.missedLogged.Bytes)
	p.missedLogged, p.skipLogged = missed, now
}

// totalMissed is all that the viewer missed because it was too slow.
func (p *player) totalMissed() stream.Skipped {
	total := p.missed
	if p.cursor.IsOpen() {
		missed := p.cursor.Missed()
		total.Messages += missed.Messages
		total.Bytes += missed.Bytes
	}
	return total
}

func (p *player) dropCursor() {
	p.place.Leave(&p.cursor)
	p.missed = p.totalMissed()
	p.cursor.Close()
}

// pause stops or resumes the player; it resumes at the live edge, since
// timestamps must not run backwards. If the stream ends meanwhile it is told then.
func (p *player) pause(paused bool) {
	p.paused = paused
	p.kept, p.awaits = p.kept || p.cursor.IsOpen(), false
	p.dropCursor()
	p.start = stream.AtLive
	p.announce = false
}

func (p *player) receiveAudio(on bool) {
	p.muted = !on
	if p.cursor.IsOpen() {
		p.cursor.SetAudio(on)
	}
}

func (p *player) receiveVideo(on bool) {
	p.blind = !on
	if p.cursor.IsOpen() {
		p.cursor.SetVideo(on)
	}
}
