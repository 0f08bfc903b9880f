package media

import "bytes"

// Script is a data message (RTMP message type 18) as far as a relay needs to know it.
type Script struct {
	// Name is the first string behind any @setDataFrame: "onMetaData", "onTextData", "|RtmpSampleAccess". For
	// @clearDataFrame it is the name of the data to forget. It is empty when no string follows.
	Name string
	// Body is what the publisher means for players, name included. It is a part of the payload that was parsed, and
	// empty when there is nothing to forward.
	Body []byte
	// Clear is set for @clearDataFrame: forget the data of that name, forward nothing.
	Clear bool
}

// How a publisher addresses the server: an AMF0 string in front of the message to keep (librtmp, OBS and FFmpeg for
// onMetaData), or in front of the name of the message to forget.
var (
	setDataFrame   = []byte("\x02\x00\x0D@setDataFrame")
	clearDataFrame = []byte("\x02\x00\x0F@clearDataFrame")
)

// ParseScript looks at a data message in AMF0. It reports false when the message does not begin with a string, such
// as the time code messages of FFmpeg: it has no name, and nothing of it is to be forwarded, since FFmpeg ends its
// session over such a message when it plays. A message of type 15 has one byte before the AMF0 values, which the
// caller takes off.
func ParseScript(payload []byte) (Script, bool) {
	if _, ok := leadingString(payload); !ok {
		return Script{}, false
	}
	body := payload
	for bytes.HasPrefix(body, setDataFrame) { // FFmpeg puts it in front of messages that have one already
		body = body[len(setDataFrame):]
	}
	if rest, ok := bytes.CutPrefix(body, clearDataFrame); ok {
		name, _ := leadingString(rest)
		return Script{Name: name, Clear: true}, true
	}
	name, _ := leadingString(body)
	return Script{Name: name, Body: body}, true
}

// leadingString reads an AMF0 string: AMF0 section 2.4.
func leadingString(b []byte) (string, bool) {
	if len(b) < 3 || b[0] != 0x02 {
		return "", false
	}
	size := int(b[1])<<8 | int(b[2])
	if size > len(b)-3 {
		return "", false
	}
	return string(b[3 : 3+size]), true
}

// The two ways to say in AMF0 that the colour information no longer holds: undefined, and an object without members.
var (
	undefinedColorInfo = []byte("\x02\x00\x09colorInfo\x06")
	emptyColorInfo     = []byte("\x02\x00\x09colorInfo\x03\x00\x00\x09")
)

// ClearsColorInfo tells whether a Metadata message (of one track) takes back the colour information of its track:
// Enhanced RTMP v2, Metadata Frame. Otherwise it replaces it.
func ClearsColorInfo(payload []byte) bool {
	p := InspectVideo(payload)
	body := p.Body(payload)
	return p.Type == Metadata && (bytes.Equal(body, undefinedColorInfo) || bytes.Equal(body, emptyColorInfo))
}
