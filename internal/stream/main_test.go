package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testChunkSize = 60000
	plenty        = 1 << 20 // a cache that nothing outgrows
)

// Messages are written as NAME[TRACK][!][=CONTENT][@TIME], separated by spaces:
//
//	v0!@40   keyframe of track 0 at 40 ms       x0   the same track in H.265
//	vh0=A    video sequence header              a1   audio frame of track 1
//	ve1      sequence end of track 1            ah0=B, ae1 likewise
//	vhh0=A   ManyTracks header: tracks 0 and 1  vee0 ManyTracks sequence end of 0 and 1
//	vv0!     ManyTracks frame: tracks 1 and 0
//	hdr0=A   colour information; hdr0 without content takes it back
//	cc0=A    channel configuration              meta=X  onMetaData, text=X onCuePoint
//
// Those of the table plain have no track. The arrival time is the timestamp.
func message(token string) rtmp.Message {
	token, at, _ := strings.Cut(token, "@")
	name, content, _ := strings.Cut(token, "=")
	timestamp, _ := strconv.Atoi(at)
	m := rtmp.Message{Timestamp: uint32(timestamp)}
	if special, ok := plain[name]; ok {
		m.Type, m.Payload = special.kind, []byte(special.payload+content)
		if strings.HasSuffix(special.payload, "\x02\x00") {
			m.Payload = append([]byte(special.payload), byte(len(content)))
			m.Payload = append(m.Payload, content...)
		}
		if strings.HasSuffix(special.payload, metadataStart) {
			m.Payload = append(m.Payload, metadataEnd...)
		}
		return m
	}
	name, key := strings.CutSuffix(name, "!")
	track := name[len(name)-1] - '0'
	m.Type = rtmp.TypeVideo
	if strings.ContainsAny(name[:1], "ac") {
		m.Type = rtmp.TypeAudio
	}
	m.Payload = mediaPayload(name[:len(name)-1], track, key, content)
	return m
}

// The metadata is an array of one text, whose length and content come between.
const (
	metadataStart = "\x08\x00\x00\x00\x01\x00\x01x\x02\x00"
	metadataEnd   = "\x00\x00\x09"
)

var plain = map[string]struct {
	kind    rtmp.MessageType
	payload string
}{
	"meta":    {rtmp.TypeData, "\x02\x00\x0aonMetaData" + metadataStart},
	"setmeta": {rtmp.TypeData, "\x02\x00\x0d@setDataFrame\x02\x00\x0aonMetaData" + metadataStart},
	"meta3":   {rtmp.TypeDataAMF3, "\x00\x02\x00\x0aonMetaData" + metadataStart},
	"text":    {rtmp.TypeData, "\x02\x00\x0aonCuePoint\x02\x00"},
	"access":  {rtmp.TypeData, "\x02\x00\x11|RtmpSampleAccess\x01\x01"},
	"clear":   {rtmp.TypeData, "\x02\x00\x0f@clearDataFrame\x02\x00\x0aonMetaData"},
	"clear2":  {rtmp.TypeData, "\x02\x00\x0f@clearDataFrame\x02\x00\x0aonTextData"},
	"setnone": {rtmp.TypeData, "\x02\x00\x0d@setDataFrame"},
	"setjunk": {rtmp.TypeData, "\x02\x00\x0d@setDataFrame\x00\x40\x00\x00\x00\x00\x00\x00\x00"},
	"junk":    {rtmp.TypeData, "\x00\x40\x00\x00\x00\x00\x00\x00\x00"},
	"junk3":   {rtmp.TypeDataAMF3, "\x11\x06"},
	"command": {rtmp.TypeCommand, "\x02\x00\x04play"},
	"seek":    {rtmp.TypeVideo, "\x57\x00"},
	"opaque":  {rtmp.TypeVideo, "\x1F\x00"},
	"opaque2": {rtmp.TypeVideo, "\x96\x10avc1\x00\x00\x00\x01.\x01\xff"}, // ManyTracks header that is cut short
	"opaque3": {rtmp.TypeVideo, "\x96\x11avc1\x00\x00\x00\x01.\x01\xff"}, // ManyTracks keyframe likewise
	"silence": {rtmp.TypeAudio, ""},
}

const undefinedColorInfo = "\x02\x00\x09colorInfo\x06"

// mediaPayload lays out the message of one token.
func mediaPayload(name string, track byte, key bool, content string) []byte {
	frameType := byte(0x20)
	if key {
		frameType = 0x10
	}
	body := content + "."
	video := name[0] == 'v'
	enhanced := func(codec string, packetType byte, body string) []byte {
		first, multitrack := 0x80|frameType, byte(6)
		if name[0] == 'a' || name[0] == 'c' {
			first, multitrack = 0x90, 5
		}
		if track == 0 {
			return []byte(string([]byte{first | packetType}) + codec + body)
		}
		return []byte(string([]byte{first | multitrack, packetType}) + codec + string([]byte{track}) + body)
	}
	many := func(packetType byte, tracks ...string) []byte {
		return []byte(string([]byte{0x80 | frameType | 6, 0x10 | packetType}) + "avc1" + strings.Join(tracks, ""))
	}
	part := func(track byte, body string) string {
		return string([]byte{track, 0, 0, byte(len(body))}) + body
	}
	switch name {
	case "vhh":
		return many(0, part(0, body), part(1, body))
	case "vee":
		return many(2, part(0, ""), part(1, ""))
	case "vv":
		return many(3, part(1, body), part(0, body))
	case "xh":
		return enhanced("hvc1", 0, body)
	case "x":
		return enhanced("hvc1", 3, body)
	case "hdr":
		if content == "" {
			body = undefinedColorInfo
		}
		return enhanced("hvc1", 4, body)
	case "cc":
		return enhanced("mp4a", 4, body)
	}
	packetType := map[string]byte{"h": 0, "": 1, "e": 2}[name[1:]]
	switch {
	case video && track == 0 && packetType == 0: // some encoders send headers with the type of an inter frame
		return []byte("\x27\x00\x00\x00\x00" + body)
	case video && track == 0:
		return []byte(string([]byte{frameType | 7, packetType, 0, 0, 0}) + body)
	case video:
		return enhanced("avc1", []byte{0, 3, 2}[packetType], body)
	case track == 0 && packetType < 2:
		return []byte(string([]byte{0xAF, packetType}) + body)
	default:
		return enhanced("mp4a", packetType, body)
	}
}

// text is the inverse of message.
func text(m *Message) string {
	header := 12
	if m.Timestamp >= 0xFFFFFF {
		header += 4
	}
	payload := m.Chunks()[header:]
	var name string
	switch m.Type {
	case rtmp.TypeData:
		name = dataText(payload)
	case rtmp.TypeVideo:
		name = mediaText(media.InspectVideo(payload), payload)
	case rtmp.TypeAudio:
		name = mediaText(media.InspectAudio(payload), payload)
	}
	if m.Timestamp != 0 {
		name += fmt.Sprintf("@%d", m.Timestamp)
	}
	return name
}

func dataText(payload []byte) string {
	for name, special := range plain {
		content, ok := strings.CutPrefix(string(payload), special.payload)
		if ok && special.kind == rtmp.TypeData && content != "" {
			return name + "=" + strings.TrimSuffix(content[1:], metadataEnd) // behind the length
		}
	}
	return fmt.Sprintf("data % x", payload)
}

func mediaText(p media.Packet, payload []byte) string {
	for name, special := range plain {
		if special.payload == string(payload) {
			return name
		}
	}
	letter := map[bool]string{true: "v", false: "a"}[p.Kind == media.Video]
	if p.Codec == media.H265 {
		letter = "x"
	}
	content := strings.TrimSuffix(string(p.Body(payload)), ".")
	if content != "" {
		content = "=" + content
	}
	if p.Multi {
		letter += "v"
	}
	switch p.Type {
	case media.Frame:
		if p.Keyframe {
			content = "!" + content
		}
		track := p.Track
		if p.Multi {
			track = 0
			content = content[:strings.IndexAny(content+"=", "=")]
		}
		return fmt.Sprintf("%s%d%s", letter, track, content)
	case media.SequenceHeader:
		return fmt.Sprintf("%sh%d%s", letter, p.Track, content)
	case media.SequenceEnd:
		return fmt.Sprintf("%se%d", letter, p.Track)
	case media.Metadata:
		if media.ClearsColorInfo(payload) {
			content = ""
		}
		return fmt.Sprintf("hdr%d%s", p.Track, content)
	case media.ChannelConfig:
		return fmt.Sprintf("cc%d%s", p.Track, content)
	}
	return fmt.Sprintf("%s % x", p.Type, payload)
}

// appendAll appends messages in text form.
func appendAll(l *Log, tokens string) {
	for _, token := range strings.Fields(tokens) {
		m := message(token)
		l.Append(m, time.Duration(m.Timestamp)*time.Millisecond)
	}
}

// logOf returns a log with a large cache and the given messages, whose start is
// long past.
func logOf(tokens string) *Log {
	l := newLog(testChunkSize, plenty)
	l.starting = false
	l.enter(nil, l.tail.Load())
	appendAll(l, tokens)
	return l
}

// drain returns all that the cursor has to give, in text form, with EOF at the
// end of a log that has ended.
func drain(c *Cursor) string {
	var tokens []string
	for {
		m, err := c.Next()
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(append(tokens, "EOF"), " ")
		case m == nil:
			return strings.Join(tokens, " ")
		}
		tokens = append(tokens, text(m))
	}
}

// numbered returns a frame that carries two numbers, see numbersOf.
func numbered(kind rtmp.MessageType, token string, version, n uint64) rtmp.Message {
	m := message(token)
	m.Type = kind
	m.Payload = binary.BigEndian.AppendUint64(m.Payload, version)
	m.Payload = binary.BigEndian.AppendUint64(m.Payload, n)
	return m
}

func numbersOf(m *Message) (version, n uint64) {
	b := m.Chunks()
	return binary.BigEndian.Uint64(b[len(b)-16:]), binary.BigEndian.Uint64(b[len(b)-8:])
}
