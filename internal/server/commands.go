package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/faultinject"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// call is one command with the message stream it came on.
type call struct {
	rtmp.Command
	stream uint32
}

// commands are what clients call, FMLE-style encoders, librtmp, FFmpeg,
// GStreamer and Flash together. A command that is missing is answered with an
// error, if it wants an answer.
var commands map[string]func(*conn, call) error

func init() { // not an initialiser: the handlers refer to the table
	commands = map[string]func(*conn, call) error{
		"connect":         (*conn).connect,
		"createStream":    (*conn).createStream,
		"deleteStream":    (*conn).deleteStream,
		"closeStream":     (*conn).closeStream,
		"publish":         (*conn).publish,
		"releaseStream":   (*conn).acknowledgeCall,
		"FCPublish":       (*conn).fcPublish,
		"FCUnpublish":     (*conn).fcUnpublish,
		"play":            (*conn).play,
		"pause":           (*conn).pause,
		"pauseRaw":        (*conn).pause,
		"seek":            (*conn).seek,
		"receiveAudio":    (*conn).receiveAudio,
		"receiveVideo":    (*conn).receiveVideo,
		"FCSubscribe":     (*conn).fcSubscribe,
		"FCUnsubscribe":   (*conn).acknowledgeCall,
		"getStreamLength": (*conn).streamLength,
		"_checkbw":        (*conn).acknowledgeCall,
		"checkBandwidth":  (*conn).acknowledgeCall,
		"set_playlist":    (*conn).acknowledgeCall,
		"close":           (*conn).closeConnection,
		// Answers to calls that this server never makes.
		rtmp.CommandResult:   (*conn).ignore,
		rtmp.CommandError:    (*conn).ignore,
		rtmp.CommandOnStatus: (*conn).ignore,
	}
}

func (c *conn) command(on uint32, command rtmp.Command) error {
	c.log.Debug("command", "name", cut(command.Name), "stream", on, "transaction", command.Transaction)
	in := call{Command: command, stream: on}
	handle := commands[command.Name]
	switch {
	case !c.connected && command.Name != "connect":
		return c.beforeConnect(in)
	case handle == nil:
		if in.Transaction != 0 {
			c.out.send(rtmp.CallError(in.Transaction, rtmp.Status{
				Level: rtmp.LevelError, Code: rtmp.CodeCallFailed, Description: "Unknown method.",
			}))
		}
		return nil
	default:
		faultinject.At(faultinject.Command, c.channel)
		return handle(c, in)
	}
}

var errNotConnected = errors.New("command before connect")

// beforeConnect refuses every other command that comes first.
func (c *conn) beforeConnect(in call) error {
	const description = "Connect first."
	switch in.Name {
	case "publish":
		return c.refuse(in.stream, rtmp.CodePublishDenied, description, ReasonBadState, errNotConnected)
	case "play":
		return c.refuse(in.stream, rtmp.CodePlayFailed, description, ReasonBadState, errNotConnected)
	default:
		c.out.send(rtmp.CallError(in.Transaction, rtmp.Status{
			Level: rtmp.LevelError, Code: rtmp.CodeCallFailed, Description: description,
		}))
		return &refusal{ReasonBadState, errNotConnected}
	}
}

// refuse tells the client why a publish or play fails; the error it returns
// closes the connection after that. Both are needed: FFmpeg and GStreamer act on
// the status, OBS on some codes and otherwise only on the close.
func (c *conn) refuse(on uint32, code, description string, reason stream.Reason, detail error) error {
	c.out.send(rtmp.OnStatus(on, rtmp.Status{Level: rtmp.LevelError, Code: code, Description: description}))
	return &refusal{reason, detail}
}

var (
	errSecondConnect = errors.New("second connect")
	errNoApp         = errors.New("no app")
)

// ackWindow is after how many bytes clients acknowledge what they got. Nothing here
// waits for that, and with thousands of players it is most of what they send; this is
// the largest window that is in wide use.
const ackWindow = 5_000_000

func (c *conn) connect(in call) error {
	if c.connected {
		return c.refuseConnect(in, "Already connected.", ReasonBadState, errSecondConnect)
	}
	object, _ := amf.Properties(in.Object)
	value, _ := object.Get("app")
	app, ok := amf.AsString(value)
	if !ok {
		return c.refuseConnect(in, "The connect command has no app.", ReasonConnectRefused, errNoApp)
	}
	c.connected, c.app = true, app
	c.capabilities = rtmp.ParseCapabilities(object)
	if c.capabilities.Reconnect {
		c.reconnect.Store(canReconnect)
	}
	c.out.send(
		rtmp.WindowAckSize(ackWindow),
		rtmp.SetPeerBandwidth(ackWindow, rtmp.LimitDynamic),
		rtmp.SetChunkSize(uint32(c.server.options.ChunkSize)),
		rtmp.ConnectResult(in.Transaction, objectEncoding(object)),
	)
	value, _ = object.Get("flashVer")
	client, _ := amf.AsString(value)
	c.client = stream.ClientName(client)
	// Only the first part: people paste whole URLs, keys included, into the app.
	channel, _, _ := strings.Cut(strings.TrimLeft(app, "/"), "/")
	channel, _, _ = strings.Cut(channel, "?")
	c.request("connect", "app", cut(channel), "client", cut(client))
	return nil
}

func (c *conn) refuseConnect(in call, description string, reason stream.Reason, detail error) error {
	c.out.send(rtmp.CallError(in.Transaction, rtmp.Status{
		Level: rtmp.LevelError, Code: rtmp.CodeConnectRejected, Description: description,
	}))
	return &refusal{reason, detail}
}

// objectEncoding is what the client asked for, 0 unless it is 3. It is echoed
// but not used: AMF0 answers are understood with either.
func objectEncoding(object amf.Object) float64 {
	value, _ := object.Get("objectEncoding")
	if n, ok := amf.AsNumber(value); ok && n == 3 {
		return 3
	}
	return 0
}

func (c *conn) createStream(in call) error {
	if len(c.streams) == maxMessageStreams {
		return fmt.Errorf("more than %d message streams: %w", maxMessageStreams, rtmp.ErrLimit)
	}
	c.lastStream++
	c.streams[c.lastStream] = &netStream{id: c.lastStream}
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, float64(c.lastStream)))
	}
	return nil
}

// deleteStream names its stream by number; GStreamer gives the name instead,
// and some give nothing. Ids that are not this client's mean nothing.
func (c *conn) deleteStream(in call) error {
	streams := c.named(in, (*netStream).busy)
	if _, isNumber := amf.AsNumber(in.Arg(0)); isNumber {
		id, _ := rtmp.StreamID(in.Arg(0)) // of what is no id: 0, which no stream has
		streams = c.numbered(id)
	}
	for _, s := range streams {
		c.closeNetStream(s)
		delete(c.streams, s.id)
	}
	return nil
}

func (c *conn) closeStream(in call) error {
	streams := c.numbered(in.stream)
	if in.stream == 0 {
		streams = c.named(in, (*netStream).busy)
	}
	for _, s := range streams {
		c.closeNetStream(s)
	}
	return nil
}

// numbered finds the stream with an id, if there is one.
func (c *conn) numbered(id uint32) []*netStream {
	if s := c.streams[id]; s != nil {
		return []*netStream{s}
	}
	return nil
}

// named finds the streams that a command means by the name they publish or
// play, among those that come into question; or the only one of these.
func (c *conn) named(in call, eligible func(*netStream) bool) []*netStream {
	name, _ := amf.AsString(in.Arg(0))
	var all, named []*netStream
	for _, id := range slices.Sorted(maps.Keys(c.streams)) {
		s := c.streams[id]
		if eligible(s) {
			all = append(all, s)
			if s.name == name {
				named = append(named, s)
			}
		}
	}
	if len(named) == 0 && len(all) == 1 {
		return all
	}
	return named
}

func (c *conn) closeConnection(call) error {
	c.orderly = true
	return &refusal{reason: stream.ReasonClientClosed}
}

func (c *conn) ignore(call) error { return nil }

// acknowledgeCall answers calls that need nothing but an answer.
func (c *conn) acknowledgeCall(in call) error {
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, amf.Undefined{}))
	}
	return nil
}

// streamLength answers FFmpeg: a live stream has none.
func (c *conn) streamLength(in call) error {
	if in.Transaction != 0 {
		c.out.send(rtmp.Result(in.Transaction, 0.0))
	}
	return nil
}
