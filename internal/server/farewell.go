package server

import (
	"io"
	"maps"
	"slices"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/socket"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// farewell ends everything that the connection does, which frees its channel at
// once, and tells the client why if it was not the client's own doing.
func (c *conn) farewell() {
	reason := c.cause.Load().reason
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		c.bid(c.streams[id], reason)
	}
	c.closeStreams()
	if reason == stream.ReasonShutdown {
		c.out.send(rtmp.OnStatus(0, failure(rtmp.CodeConnectAppShutdown, "The server is stopping.")))
	}
}

// partings are what a client is told when a third party or a deadline ends its
// session. Reasons that are missing need no words: the client left, broke the
// protocol, or was answered already.
var partings = map[stream.Reason]struct{ publisher, player rtmp.Status }{
	stream.ReasonReplaced: {
		publisher: failure(rtmp.CodePublishBadName, "Another publisher took over."),
	},
	stream.ReasonWrongKey: {
		player: failure(rtmp.CodePlayBadName, textWrongKey),
	},
	stream.ReasonKilled: {
		publisher: failure(rtmp.CodePublishDenied, "Closed by an operator."),
		player:    failure(rtmp.CodePlayFailed, "Closed by an operator."),
	},
	stream.ReasonKicked: {
		publisher: failure(rtmp.CodePublishDenied, "Closed by an operator."),
		player:    failure(rtmp.CodePlayFailed, "Closed by an operator."),
	},
	ReasonPublisherTimeout: {
		publisher: failure(rtmp.CodePublishIdle, "No media arrived."),
	},
	stream.ReasonPlayWait: {
		player: failure(rtmp.CodePlayStreamNotFound, "The stream is not live."),
	},
	stream.ReasonNoTrack: {
		player: failure(rtmp.CodePlayNoTrack, "Nothing in this stream is of a kind that your player takes."),
	},
	stream.ReasonShutdown: {
		publisher: rtmp.Status{Level: rtmp.LevelStatus, Code: rtmp.CodeUnpublishSuccess, Description: "The server is stopping."},
		player:    rtmp.Status{Level: rtmp.LevelStatus, Code: rtmp.CodePlayUnpublishNotify, Description: "The server is stopping."},
	},
}

func failure(code, description string) rtmp.Status {
	return rtmp.Status{Level: rtmp.LevelError, Code: code, Description: description}
}

func (c *conn) bid(s *netStream, reason stream.Reason) {
	parting, ok := partings[reason]
	switch {
	case !ok:
	case s.publication != nil && parting.publisher.Code != "":
		c.out.send(rtmp.OnStatus(s.id, parting.publisher))
	case s.player != nil && parting.player.Code != "":
		c.stopPlaying(s, rtmp.UserControl(rtmp.EventStreamEOF, s.id), rtmp.OnStatus(s.id, parting.player))
	}
}

// turnAway tells a client that waited for the authorizer why it waits no more.
// It has nothing yet that could end: only refusals make sense to it.
func (c *conn) turnAway(s *netStream) {
	if parting := partings[c.cause.Load().reason].publisher; parting.Level == rtmp.LevelError {
		c.out.send(rtmp.OnStatus(s.id, parting))
	}
}

// closeStreams ends every publication and player of the connection, those that the
// last line of the log tells of last.
func (c *conn) closeStreams() {
	c.closing = true
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		c.closeNetStream(c.streams[id])
		delete(c.streams, id)
	}
}

// hangUp gives the peer a moment to read the last answers and to close from
// its side; closing a socket with unread bytes would send a reset that
// overtakes them.
func (c *conn) hangUp() {
	c.out.close()
	<-c.interrupted // or it would cut the moment short
	// Closing the socket under it ends whatever of the following takes longer,
	// the end of TLS among them.
	linger := time.AfterFunc(lingerTimeout, func() { _ = c.nc.socket.Close() })
	defer linger.Stop()
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTimeout))
	<-c.out.done
	if c.nc.records != nil {
		_ = c.nc.records.release()
	}
	_ = socket.CloseWrite(c.nc.Conn)
	_, _ = io.Copy(io.Discard, c.nc)
}
