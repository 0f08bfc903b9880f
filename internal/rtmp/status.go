package rtmp

import "github.com/AgustinSRG/rtmp-server/internal/amf"

// Levels of a status object (RTMP 1.0 section 7.2.2).
const (
	LevelStatus = "status"
	LevelError  = "error"
)

// Status codes (RTMP 1.0 section 7.2 and the ActionScript reference). FFmpeg
// acts on the level, OBS, librtmp and GStreamer on the code.
const (
	CodeConnectSuccess     = "NetConnection.Connect.Success"
	CodeConnectRejected    = "NetConnection.Connect.Rejected"
	CodeConnectAppShutdown = "NetConnection.Connect.AppShutdown"
	CodeReconnectRequest   = "NetConnection.Connect.ReconnectRequest"
	CodeCallFailed         = "NetConnection.Call.Failed"

	CodePublishStart     = "NetStream.Publish.Start"
	CodePublishBadName   = "NetStream.Publish.BadName"
	CodePublishDenied    = "NetStream.Publish.Denied"
	CodePublishIdle      = "NetStream.Publish.Idle"
	CodeUnpublishSuccess = "NetStream.Unpublish.Success"

	CodePlayReset           = "NetStream.Play.Reset"
	CodePlayStart           = "NetStream.Play.Start"
	CodePlayStop            = "NetStream.Play.Stop"
	CodePlayFailed          = "NetStream.Play.Failed"
	CodePlayBadName         = "NetStream.Play.BadName"
	CodePlayStreamNotFound  = "NetStream.Play.StreamNotFound"
	CodePlayNoTrack         = "NetStream.Play.NoSupportedTrackFound"
	CodePlayPublishNotify   = "NetStream.Play.PublishNotify"
	CodePlayUnpublishNotify = "NetStream.Play.UnpublishNotify"
	CodePauseNotify         = "NetStream.Pause.Notify"
	CodeUnpauseNotify       = "NetStream.Unpause.Notify"
	CodeSeekNotify          = "NetStream.Seek.Notify"
	CodeSeekFailed          = "NetStream.Seek.Failed"
	CodeStreamFailed        = "NetStream.Failed"
)

// Status is the information object of an answer.
type Status struct {
	Level       string
	Code        string
	Description string
}

// Object is the status as a value. It must be an AMF0 object, not an ECMA
// array: FFmpeg looks no further.
func (s Status) Object() amf.Object {
	return amf.Object{
		{Name: "level", Value: s.Level},
		{Name: "code", Value: s.Code},
		{Name: "description", Value: s.Description},
	}
}

// ParseStatus reads the information object of an onStatus, _result or _error
// command. ok is false if there is none.
func ParseStatus(c Command) (s Status, ok bool) {
	object, ok := amf.Properties(c.Arg(0))
	if !ok {
		return Status{}, false
	}
	text := func(name string) string {
		v, _ := object.Get(name)
		s, _ := amf.AsString(v)
		return s
	}
	return Status{Level: text("level"), Code: text("code"), Description: text("description")}, true
}

// Names of the commands that answer others.
const (
	CommandResult   = "_result"
	CommandError    = "_error"
	CommandOnStatus = "onStatus"
)

// OnStatus is the answer to a NetStream command. It has to travel on the
// message stream it is about: GStreamer waits for it there.
func OnStatus(stream uint32, s Status) Message {
	return Command{Name: CommandOnStatus, Args: []any{s.Object()}}.Message(stream)
}

// Result answers the call with the given transaction.
func Result(transaction float64, values ...any) Message {
	return Command{Name: CommandResult, Transaction: transaction, Args: values}.Message(0)
}

// CallError refuses the call with the given transaction.
func CallError(transaction float64, s Status) Message {
	return Command{Name: CommandError, Transaction: transaction, Args: []any{s.Object()}}.Message(0)
}

// ConnectResult accepts a connect command. The encoding is echoed: Flash
// clients that asked for AMF0 break on AMF3 and the other way round. What the
// server can do of Enhanced RTMP stands in the information object, where the
// servers of its authors have it; the specification leaves that open.
func ConnectResult(transaction, objectEncoding float64) Message {
	information := Status{LevelStatus, CodeConnectSuccess, "Connection succeeded."}.Object()
	information = append(information, amf.Property{Name: "objectEncoding", Value: objectEncoding})
	return Command{
		Name:        CommandResult,
		Transaction: transaction,
		Object: amf.Object{
			// Clients want a version that looks like Flash Media Server's.
			{Name: "fmsVer", Value: "FMS/3,5,7,7009"},
			{Name: "capabilities", Value: 31.0},
			{Name: "mode", Value: 1.0},
		},
		Args: []any{append(information, announcement()...)},
	}.Message(0)
}

// ReconnectRequest asks the client to connect anew when it suits it, and to
// close this connection then (Enhanced RTMP v2, Reconnect Request). It is about
// the connection and not about a stream: GStreamer would take it for the answer
// to publish or play there. tcURL is where to connect, the same place as before
// if empty; the description may be empty too. Only clients whose capsEx has bit 0
// know it.
func ReconnectRequest(tcURL, description string) Message {
	information := amf.Object{
		{Name: "level", Value: LevelStatus},
		{Name: "code", Value: CodeReconnectRequest},
	}
	if description != "" {
		information = append(information, amf.Property{Name: "description", Value: description})
	}
	if tcURL != "" {
		information = append(information, amf.Property{Name: "tcUrl", Value: tcURL})
	}
	return Command{Name: CommandOnStatus, Args: []any{information}}.Message(0)
}

// FCPublished tells FMLE-style encoders that their FCPublish was taken.
func FCPublished() Message {
	return fcNotice("onFCPublish", CodePublishStart, "Started publishing stream.")
}

// FCUnpublished tells FMLE-style encoders that their FCUnpublish was taken.
func FCUnpublished() Message {
	return fcNotice("onFCUnpublish", CodeUnpublishSuccess, "Stopped publishing stream.")
}

// FCSubscribed tells players that librtmp drives for a content delivery
// network that their FCSubscribe was taken; they do not play without it.
func FCSubscribed() Message {
	return Command{Name: "onFCSubscribe", Args: []any{
		Status{LevelStatus, CodePlayStart, "Started playing stream."}.Object(),
	}}.Message(0)
}

func fcNotice(name, code, description string) Message {
	return Command{Name: name, Args: []any{amf.Object{
		{Name: "code", Value: code},
		{Name: "description", Value: description},
	}}}.Message(0)
}
