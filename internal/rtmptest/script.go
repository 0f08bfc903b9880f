package rtmptest

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// ParseMessage reads a message in its text form:
//
//	connect 1 {app: "live"}           a command: name, transaction, values
//	@1 publish 5 null "key" "live"    … on message stream 1
//	@1 csid=8 play 0 null "key"       … on chunk stream 8
//	@1 amf3 connect 1 {app: "live"}   … of type 17, with its selector byte
//	@1 video 40 1701000000 AABB       video at 40 ms, as hex; audio likewise
//	@1 video 40 2701000000 00*5000    … with a byte repeated, see ParseHex
//	@1 data 0 "onMetaData" ecma{}     data at 0 ms
//	@1 type=22 0 0800…                a message of any type, as hex
//	SetChunkSize 4096                 control messages; Abort, Acknowledgement
//	WindowAckSize 2500000             and SetPeerBandwidth likewise
//	UserControl 6 1234                an event and its values
func ParseMessage(line string) (rtmp.Message, error) {
	m := rtmp.Message{}
	word, rest := cutWord(line)
	if stream, ok := strings.CutPrefix(word, "@"); ok {
		id, err := strconv.ParseUint(stream, 10, 32)
		if err != nil {
			return m, fmt.Errorf("message stream of %q: %w", line, err)
		}
		m.Stream = uint32(id)
		word, rest = cutWord(rest)
	}
	chunkStream := uint32(0)
	if id, ok := strings.CutPrefix(word, "csid="); ok {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return m, fmt.Errorf("chunk stream of %q: %w", line, err)
		}
		chunkStream = uint32(n)
		word, rest = cutWord(rest)
	}
	m, err := parseBody(m.Stream, word, rest)
	if chunkStream != 0 {
		m.ChunkStream = chunkStream
	}
	if err != nil {
		err = fmt.Errorf("message %q: %w", line, err)
	}
	return m, err
}

func cutWord(s string) (word, rest string) {
	word, rest, _ = strings.Cut(strings.TrimSpace(s), " ")
	return word, strings.TrimSpace(rest)
}

var controlTypes = map[string]rtmp.MessageType{
	"SetChunkSize":     rtmp.TypeSetChunkSize,
	"Abort":            rtmp.TypeAbort,
	"Acknowledgement":  rtmp.TypeAcknowledgement,
	"WindowAckSize":    rtmp.TypeWindowAckSize,
	"SetPeerBandwidth": rtmp.TypeSetPeerBandwidth,
}

func parseBody(stream uint32, word, rest string) (rtmp.Message, error) {
	if t, ok := controlTypes[word]; ok {
		n, err := numbers(rest)
		if err != nil || len(n) == 0 {
			return rtmp.Message{}, errors.Join(errors.New("wants a number"), err)
		}
		m := rtmp.SetChunkSize(n[0])
		m.Type = t
		if t == rtmp.TypeSetPeerBandwidth {
			m.Payload = append(m.Payload, rtmp.LimitDynamic)
		}
		return m, nil
	}
	if t, ok := strings.CutPrefix(word, "type="); ok {
		n, err := strconv.ParseUint(t, 10, 8)
		if err != nil {
			return rtmp.Message{}, err
		}
		return parseHex(rtmp.MessageType(n), stream, rest)
	}
	switch word {
	case "UserControl":
		n, err := numbers(rest)
		if err != nil || len(n) == 0 {
			return rtmp.Message{}, errors.Join(errors.New("wants numbers"), err)
		}
		return rtmp.UserControl(rtmp.UserEvent(n[0]), n[1:]...), nil
	case "audio":
		return parseHex(rtmp.TypeAudio, stream, rest)
	case "video":
		return parseHex(rtmp.TypeVideo, stream, rest)
	case "data":
		return parseData(stream, rest)
	case "amf3":
		name, values := cutWord(rest)
		m, err := parseCommand(stream, name, values)
		m.Type = rtmp.TypeCommandAMF3
		m.Payload = append([]byte{0}, m.Payload...)
		return m, err
	default:
		return parseCommand(stream, word, rest)
	}
}

func numbers(text string) ([]uint32, error) {
	var all []uint32
	for _, field := range strings.Fields(text) {
		n, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		all = append(all, uint32(n))
	}
	return all, nil
}

func parseCommand(stream uint32, name, rest string) (rtmp.Message, error) {
	values, err := ParseValues(rest)
	if err != nil {
		return rtmp.Message{}, err
	}
	c := rtmp.Command{Name: name}
	if len(values) > 0 {
		transaction, ok := values[0].(float64)
		if !ok {
			return rtmp.Message{}, errors.New("wants a transaction id")
		}
		c.Transaction = transaction
	}
	if len(values) > 1 {
		c.Object = values[1]
		c.Args = values[2:]
	}
	return c.Message(stream), nil
}

func parseHex(t rtmp.MessageType, stream uint32, rest string) (rtmp.Message, error) {
	at, text := cutWord(rest)
	timestamp, err := strconv.ParseUint(at, 10, 32)
	if err != nil {
		return rtmp.Message{}, err
	}
	payload, err := ParseHex(text)
	return rtmp.Message{
		Type: t, Stream: stream, ChunkStream: rtmp.ChunkStreamFor(t),
		Timestamp: uint32(timestamp), Payload: payload,
	}, err
}

// maxRepeat bounds the repetitions in a text: no test needs a larger message.
const maxRepeat = 16 << 20

// ParseHex reads bytes as hex, with any space between them; AA*300 stands for
// the bytes AA, 300 times.
func ParseHex(text string) ([]byte, error) {
	var all []byte
	for _, field := range strings.Fields(text) {
		digits, times, repeated := strings.Cut(field, "*")
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, err
		}
		n := 1
		if repeated {
			if n, err = strconv.Atoi(times); err != nil || n < 0 || n > maxRepeat {
				return nil, fmt.Errorf("%q is no number of repetitions", times)
			}
		}
		all = append(all, bytes.Repeat(b, n)...)
	}
	return all, nil
}

func parseData(stream uint32, rest string) (rtmp.Message, error) {
	at, text := cutWord(rest)
	timestamp, err := strconv.ParseUint(at, 10, 32)
	if err != nil {
		return rtmp.Message{}, err
	}
	values, err := ParseValues(text)
	m := rtmp.Message{
		Type: rtmp.TypeData, Stream: stream, ChunkStream: rtmp.ChunkStreamData, Timestamp: uint32(timestamp),
	}
	for _, v := range values {
		m.Payload = amf.Append(m.Payload, v)
	}
	return m, err
}

// maxShown is how many bytes of a media payload FormatMessage shows.
const maxShown = 12

// FormatMessage writes a message as ParseMessage reads it; long payloads are
// cut and given with their length.
func FormatMessage(m rtmp.Message) string {
	prefix := ""
	if m.Stream != 0 {
		prefix = fmt.Sprintf("@%d ", m.Stream)
	}
	switch m.Type {
	case rtmp.TypeAudio:
		return prefix + "audio " + formatHex(m)
	case rtmp.TypeVideo:
		return prefix + "video " + formatHex(m)
	case rtmp.TypeData:
		return prefix + fmt.Sprintf("data %d ", m.Timestamp) + formatValues(m.Payload)
	case rtmp.TypeCommand:
		return prefix + formatCommand(m)
	case rtmp.TypeCommandAMF3:
		return prefix + "amf3 " + formatCommand(m)
	case rtmp.TypeUserControl:
		event, value, ok := rtmp.ParseUserControl(m)
		if ok {
			return prefix + fmt.Sprintf("UserControl %d %d", event, value)
		}
	default:
		if v, err := rtmp.ParseUint32(m); err == nil {
			return prefix + fmt.Sprintf("%v %d", m.Type, v)
		}
	}
	return prefix + fmt.Sprintf("type=%d ", m.Type) + formatHex(m)
}

func formatHex(m rtmp.Message) string {
	shown := hex.EncodeToString(m.Payload[:min(maxShown, len(m.Payload))])
	if len(m.Payload) > maxShown {
		shown += fmt.Sprintf("… (%d bytes)", len(m.Payload))
	}
	return fmt.Sprintf("%d %s", m.Timestamp, shown)
}

func formatCommand(m rtmp.Message) string {
	c, err := rtmp.ParseCommand(m)
	if err != nil {
		return err.Error()
	}
	parts := []string{c.Name, FormatValue(c.Transaction), FormatValue(c.Object)}
	for _, arg := range c.Args {
		parts = append(parts, FormatValue(arg))
	}
	return strings.Join(parts, " ")
}

func formatValues(payload []byte) string {
	d := amf.NewDecoder(payload, amf.CommandLimits)
	var parts []string
	for {
		v, err := d.Decode()
		if err != nil {
			return strings.Join(parts, " ")
		}
		parts = append(parts, FormatValue(v))
	}
}
