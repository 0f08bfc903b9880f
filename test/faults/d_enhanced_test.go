package faults

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// enhancedMessages are the start of a stream of Enhanced RTMP: header, keyframe,
// frame, and what else there is.
func enhancedMessages(kind rtmp.MessageType, fourCC string) (payloads [][]byte) {
	const key, inter, ext, sound = 1 << 4, 2 << 4, 0x80, 0x90
	heads := []byte{ext | key, ext | key | 3, ext | inter | 3, ext | inter | 1, ext | key | 5, ext | inter | 2}
	if kind == rtmp.TypeAudio {
		heads = []byte{sound, sound | 1, sound | 1, sound | 4, sound | 2}
	}
	for n, head := range heads {
		payloads = append(payloads, append([]byte{head}, fmt.Sprintf("%s%016d", fourCC, n)...))
	}
	return payloads
}

// D14: codecs that there are and such as nobody knows come out as they went in, and
// what is cut anywhere is passed on or left out. FuzzInspect and its like are in
// internal/media, real streams in test/e2e.
func TestEnhancedRTMPWholeAndCut(t *testing.T) {
	t.Parallel()
	f := begin(t, "D14")
	whole, cut, passed := 0, 0, 0
	for _, codec := range []struct {
		kind   rtmp.MessageType
		fourCC string
	}{
		{rtmp.TypeVideo, "hvc1"}, {rtmp.TypeVideo, "av01"}, {rtmp.TypeVideo, "vp09"}, {rtmp.TypeVideo, "vvc1"},
		{rtmp.TypeVideo, "zzzz"}, {rtmp.TypeVideo, "\x00\xff\x80\n"}, {rtmp.TypeAudio, "Opus"}, {rtmp.TypeAudio, "fLaC"},
		{rtmp.TypeAudio, "ac-3"}, {rtmp.TypeAudio, "qqqq"},
	} {
		channel := fmt.Sprintf("codec-%x", codec.fourCC)
		seen := f.watches(1, channel).Record()
		c, _ := f.publishes(channel)
		write := func(payload []byte) bool {
			m := rtmp.Message{Type: codec.kind, ChunkStream: 6, Stream: c.Stream, Payload: bytes.Clone(payload)}
			return c.WriteMessage(m) == nil
		}
		sent := enhancedMessages(codec.kind, codec.fourCC)
		known := make(map[string]bool)
		for i, payload := range sent {
			whole++
			known[string(payload)] = true
			if !write(payload) {
				f.Errorf("%q: the publisher was closed", codec.fourCC)
			}
			if i == 1 { // or the player could begin with a later keyframe
				seen.Await(stage.Soon, func(m rtmp.Message) bool { return bytes.Equal(m.Payload, payload) })
			}
		}
		for _, payload := range sent {
			for length := range payload {
				cut++
				known[string(payload[:length])] = true
				write(payload[:length])
			}
		}
		// A frame at the end shows that everything before was taken or left out.
		ends := func(text string) (got [][]byte) {
			f.Helper()
			last := append(bytes.Clone(sent[1]), text...)
			known[string(last)] = true
			closed := !write(last)
			_, came := seen.Await(stage.Soon, func(m rtmp.Message) bool {
				if m.Type == codec.kind {
					got = append(got, m.Payload)
				}
				return bytes.Equal(m.Payload, last)
			})
			if closed || !came {
				f.Errorf("%q: the publisher was closed: %v, the frame %s came: %v", codec.fourCC, closed, text, came)
			}
			return got
		}
		f.wantPassed(codec.fourCC, ends("cut"), sent, known)
		for _, payload := range sent {
			for kind := range byte(16) { // of packet; those of several tracks are taken apart
				head := append([]byte{payload[0]&0xF0 | kind}, payload[1:]...)
				for length := range head {
					cut++
					write(head[:length])
				}
			}
		}
		passed += len(ends("odd"))
		_ = c.Conn.Close()
	}
	f.figure("whole", whole)
	f.figure("cut", cut)
	f.figure("passed on", passed)
}

// wantPassed wants what is whole to have come first, and nothing that was not sent.
func (f *fault) wantPassed(codec string, got, sent [][]byte, known map[string]bool) {
	f.Helper()
	for i, payload := range sent {
		if i >= len(got) || !bytes.Equal(got[i], payload) {
			f.Errorf("%q: message %d is not what was sent: %q", codec, i, payload)
			break
		}
	}
	for _, payload := range got {
		if !known[string(payload)] {
			f.Errorf("%q: %x was never sent", codec, payload)
			return
		}
	}
}
