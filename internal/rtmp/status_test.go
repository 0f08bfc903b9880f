package rtmp

import (
	"bytes"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// text is an AMF0 string as it appears in values; key is one in front of a
// value.
func text(s string) []byte { return append([]byte{2}, key(s)...) }

func key(s string) []byte { return append([]byte{0, byte(len(s))}, s...) }

// statusText is a status object in bytes.
func statusText(level, code, description string) []byte {
	return wire("03", key("level"), text(level), key("code"), text(code), key("description"), text(description), "000009")
}

const (
	zero = "00 0000000000000000"
	one  = "00 3FF0000000000000"
)

var answerCases = []struct {
	name    string
	message Message
	csid    uint32
	payload []byte
}{
	{"connect accepted", ConnectResult(1, 0), 3, unhex(`
		02 00 07 5F 72 65 73 75 6C 74 00 3F F0 00 00 00
		00 00 00 03 00 06 66 6D 73 56 65 72 02 00 0E 46
		4D 53 2F 33 2C 35 2C 37 2C 37 30 30 39 00 0C 63
		61 70 61 62 69 6C 69 74 69 65 73 00 40 3F 00 00
		00 00 00 00 00 04 6D 6F 64 65 00 3F F0 00 00 00
		00 00 00 00 00 09 03 00 05 6C 65 76 65 6C 02 00
		06 73 74 61 74 75 73 00 04 63 6F 64 65 02 00 1D
		4E 65 74 43 6F 6E 6E 65 63 74 69 6F 6E 2E 43 6F
		6E 6E 65 63 74 2E 53 75 63 63 65 73 73 00 0B 64
		65 73 63 72 69 70 74 69 6F 6E 02 00 15 43 6F 6E
		6E 65 63 74 69 6F 6E 20 73 75 63 63 65 65 64 65
		64 2E 00 0E 6F 62 6A 65 63 74 45 6E 63 6F 64 69
		6E 67 00 00 00 00 00 00 00 00 00
		00 0A 66 6F 75 72 43 63 4C 69 73 74 0A 00 00 00 01 02 00 01 2A
		00 12 76 69 64 65 6F 46 6F 75 72 43 63 49 6E 66 6F 4D 61 70
		03 00 01 2A 00 40 10 00 00 00 00 00 00 00 00 09
		00 12 61 75 64 69 6F 46 6F 75 72 43 63 49 6E 66 6F 4D 61 70
		03 00 01 2A 00 40 10 00 00 00 00 00 00 00 00 09
		00 06 63 61 70 73 45 78 00 40 2E 00 00 00 00 00 00
		00 00 09`)},
	{"publish started", OnStatus(1, Status{LevelStatus, CodePublishStart, "Started publishing stream."}), 5, unhex(`
		02 00 08 6F 6E 53 74 61 74 75 73 00 00 00 00 00
		00 00 00 00 05 03 00 05 6C 65 76 65 6C 02 00 06
		73 74 61 74 75 73 00 04 63 6F 64 65 02 00 17 4E
		65 74 53 74 72 65 61 6D 2E 50 75 62 6C 69 73 68
		2E 53 74 61 72 74 00 0B 64 65 73 63 72 69 70 74
		69 6F 6E 02 00 1A 53 74 61 72 74 65 64 20 70 75
		62 6C 69 73 68 69 6E 67 20 73 74 72 65 61 6D 2E
		00 00 09`)},
	{"createStream", Result(4, 1.0), 3, unhex(`
		02 00 07 5F 72 65 73 75 6C 74 00 40 10 00 00 00 00 00 00 05 00 3F F0 00 00 00 00 00 00`)},
	{"releaseStream", Result(2, amf.Undefined{}), 3, unhex(`
		02 00 07 5F 72 65 73 75 6C 74 00 40 00 00 00 00 00 00 00 05 06`)},
	{"FCPublish", FCPublished(), 3, unhex(`
		02 00 0B 6F 6E 46 43 50 75 62 6C 69 73 68 00 00 00 00 00 00 00 00 00 05 03 00 04 63 6F 64 65
		02 00 17 4E 65 74 53 74 72 65 61 6D 2E 50 75 62 6C 69 73 68 2E 53 74 61 72 74 00 0B 64 65 73
		63 72 69 70 74 69 6F 6E 02 00 1A 53 74 61 72 74 65 64 20 70 75 62 6C 69 73 68 69 6E 67 20 73
		74 72 65 61 6D 2E 00 00 09`)},
	{"FCUnpublish", FCUnpublished(), 3, wire(text("onFCUnpublish"), zero, "05 03", key("code"), text("NetStream.Unpublish.Success"),
		key("description"), text("Stopped publishing stream."), "000009")},
	{"FCSubscribe", FCSubscribed(), 3, wire(text("onFCSubscribe"), zero, "05",
		statusText("status", "NetStream.Play.Start", "Started playing stream."))},
	{"reconnect elsewhere", ReconnectRequest("rtmp://b.example/live", "Server maintenance"), 3, unhex(`
		02 00 08 6F 6E 53 74 61 74 75 73 00 00 00 00 00
		00 00 00 00 05 03 00 05 6C 65 76 65 6C 02 00 06
		73 74 61 74 75 73 00 04 63 6F 64 65 02 00 26 4E
		65 74 43 6F 6E 6E 65 63 74 69 6F 6E 2E 43 6F 6E
		6E 65 63 74 2E 52 65 63 6F 6E 6E 65 63 74 52 65
		71 75 65 73 74 00 0B 64 65 73 63 72 69 70 74 69
		6F 6E 02 00 12 53 65 72 76 65 72 20 6D 61 69 6E
		74 65 6E 61 6E 63 65 00 05 74 63 55 72 6C 02 00
		15 72 74 6D 70 3A 2F 2F 62 2E 65 78 61 6D 70 6C
		65 2F 6C 69 76 65 00 00 09`)},
	{"reconnect", ReconnectRequest("", ""), 3, wire(text("onStatus"), zero, "05 03", key("level"), text("status"),
		key("code"), text("NetConnection.Connect.ReconnectRequest"), "000009")},
	{"connect refused", CallError(1, Status{LevelError, CodeConnectRejected, "no"}), 3,
		wire(text("_error"), one, "05", statusText("error", "NetConnection.Connect.Rejected", "no"))},
	{"publish refused", OnStatus(1, Status{LevelError, CodePublishBadName, "busy"}), 5,
		wire(text("onStatus"), zero, "05", statusText("error", "NetStream.Publish.BadName", "busy"))},
}

func TestAnswers(t *testing.T) {
	conformance.Covers(t, 85, 86, 190)
	for _, c := range answerCases {
		want := Message{Type: TypeCommand, ChunkStream: c.csid, Payload: c.payload}
		if c.csid == ChunkStreamStatus {
			want.Stream = 1
		}
		if !sameMessages([]Message{c.message}, []Message{want}) {
			t.Errorf("%s:\n\t%v %x\n\t%v %x", c.name, c.message, c.message.Payload, want, want.Payload)
		}
	}
}

func TestConnectResultEchoesTheEncoding(t *testing.T) {
	amf0, amf3 := ConnectResult(1, 0).Payload, ConnectResult(1, 3).Payload
	encoding := key("objectEncoding")
	if want := bytes.Replace(amf0, wire(encoding, zero), wire(encoding, "00 4008000000000000"), 1); !bytes.Equal(amf3, want) || bytes.Equal(amf0, amf3) {
		t.Errorf("answer to AMF3 = %x", amf3)
	}
}

func TestParseStatus(t *testing.T) {
	full := Status{LevelError, CodePlayFailed, "why"}
	for _, c := range []struct {
		name string
		args []any
		want Status
		ok   bool
	}{
		{"an object", []any{full.Object()}, full, true},
		{"an ECMA array", []any{amf.ECMAArray(full.Object())}, full, true},
		{"further properties and arguments", []any{append(full.Object(), amf.Property{Name: "details", Value: nil}), 1.0}, full, true},
		{"missing properties", []any{amf.Object{{Name: "code", Value: "c"}}}, Status{Code: "c"}, true},
		{"properties that are no text", []any{amf.Object{{Name: "level", Value: 1.0}, {Name: "code", Value: nil}}}, Status{}, true},
		{"null", []any{nil}, Status{}, false},
		{"text", []any{"error"}, Status{}, false},
		{"nothing", nil, Status{}, false},
	} {
		if got, ok := ParseStatus(Command{Args: c.args}); got != c.want || ok != c.ok {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
	}
}
