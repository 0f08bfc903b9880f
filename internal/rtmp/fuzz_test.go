package rtmp

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/test/sessions"
)

// fuzzReader reads to the end and checks what holds for any input.
func fuzzReader(t *testing.T, source io.Reader, size int, limits Limits) []Message {
	r := NewReader(bufio.NewReader(source), limits)
	var messages []Message
	for {
		m, err := r.ReadMessage()
		if r.Chunks() > r.Received() || r.Received() > uint64(size) {
			t.Fatalf("%d chunks in %d of %d bytes", r.Chunks(), r.Received(), size)
		}
		if held := partialBytes(r); held != r.held || held > limits.Partial || len(r.streams) > MaxChunkStreams {
			t.Fatalf("holds %d bytes on %d chunk streams, counts %d", held, len(r.streams), r.held)
		}
		if err != nil {
			class := errorClass(err)
			if errors.Is(class, io.EOF) && r.Received() != uint64(size) {
				t.Fatalf("end after %d of %d bytes", r.Received(), size)
			}
			return append(messages, Message{Payload: []byte(class.Error())})
		}
		if len(m.Payload) > limits.payload(m.Type) {
			t.Fatalf("%v of %d bytes", m.Type, len(m.Payload))
		}
		messages = append(messages, m)
		if len(messages) > size {
			t.Fatalf("%d messages in %d bytes", len(messages), size)
		}
	}
}

func FuzzChunkReader(f *testing.F) {
	for _, c := range allReadCases() {
		f.Add(c.wire[:min(len(c.wire), 2000)], []byte{2, 0, 30}, false)
	}
	f.Add(bytes.Join(sessionChunks(), nil), []byte{0}, true)
	f.Fuzz(func(t *testing.T, stream, sizes []byte, tight bool) {
		limits := AcceptedLimits
		if tight {
			limits = tightLimits
		}
		whole := fuzzReader(t, bytes.NewReader(stream), len(stream), limits)
		cut := fuzzReader(t, &handshakeFragments{r: bytes.NewReader(stream), sizes: sizes}, len(stream), limits)
		if !sameMessages(whole, cut) {
			t.Errorf("in one piece%s\nin fragments%s", describe(whole), describe(cut))
		}
		for i, m := range whole {
			if err := checkEncode(m, encodeChunkSizes[i%len(encodeChunkSizes)]); err != nil {
				t.Error(err)
			}
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, c := range commandCases {
		f.Add(c.payload, false)
		f.Add(append([]byte{0}, c.payload...), true)
	}
	for _, c := range capabilityCases {
		f.Add(Command{Name: "connect", Transaction: 1, Object: c.object}.Message(0).Payload, false)
	}
	f.Fuzz(func(t *testing.T, payload []byte, amf3 bool) {
		m := Message{Type: TypeCommand, Payload: payload}
		if amf3 {
			m.Type = TypeCommandAMF3
		}
		first, err := ParseCommand(m)
		if err != nil {
			checkCommandError(t, err)
			return
		}
		encoded := first.Message(1)
		second, err := ParseCommand(encoded)
		if err != nil {
			t.Fatalf("%#v does not parse again: %v", first, err)
		}
		// Compared as bytes: a NaN is not equal to itself.
		if again := second.Message(1); !bytes.Equal(again.Payload, encoded.Payload) {
			t.Errorf("%x became %x", encoded.Payload, again.Payload)
		}
		if second.Name != first.Name || second.Transaction != first.Transaction || len(second.Args) != len(first.Args) {
			t.Errorf("%#v became %#v", first, second)
		}
		ParseStatus(first)
		object, _ := amf.Properties(first.Object)
		if c := ParseCapabilities(object); len(c.Video.named) > 2*maxFourCCs || len(c.Audio.named) > 2*maxFourCCs {
			t.Errorf("%d video and %d audio codecs are kept", len(c.Video.named), len(c.Audio.named))
		}
		StreamID(first.Arg(0))
	})
}

// All that a client may send after its handshake.
func FuzzSession(f *testing.F) {
	session := AppendMessage(nil, SetChunkSize(4096), DefaultChunkSize)
	for _, m := range []Message{
		WindowAckSize(2_500_000),
		Command{Name: "connect", Transaction: 1, Object: amf.Object{{Name: "app", Value: "live"}}}.Message(0),
		UserControl(EventSetBufferLength, 0, 300),
		Command{Name: "createStream", Transaction: 2}.Message(0),
		Command{Name: "publish", Transaction: 3, Args: []any{"key", "live"}}.Message(1),
		video(6, 0, unhex("1700000000")),
		message(TypeAggregate, 4, 1, 0, part(TypeAudio, 0, unhex("AF01"))),
		Acknowledgement(1),
		UserControl(EventPingRequest, 7),
		SetPeerBandwidth(1, LimitDynamic),
		Abort(6),
	} {
		session = AppendMessage(session, m, 4096)
	}
	f.Add(session)
	f.Add(bytes.Join(sessionChunks(), nil))
	for _, recorded := range sessions.All(f) {
		f.Add(recorded[sessions.Shaken:])
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := readerOf(stream, UnacceptedLimits)
		var acks AckWindow
		for {
			m, err := r.ReadMessage()
			if err != nil {
				_ = errorClass(err)
				return
			}
			acks.Due(r.Received())
			switch m.Type {
			case TypeCommand, TypeCommandAMF3:
				c, err := ParseCommand(m)
				if err != nil {
					checkCommandError(t, err)
				}
				if c.Name == "publish" {
					r.SetLimits(AcceptedLimits)
				}
				ParseStatus(c)
			case TypeUserControl:
				ParseUserControl(m)
			case TypeWindowAckSize, TypeSetPeerBandwidth, TypeAcknowledgement:
				if v, err := ParseUint32(m); err == nil {
					acks.Set(v)
				} else if !errors.Is(err, ErrProtocol) {
					t.Error(err)
				}
			}
		}
	})
}
