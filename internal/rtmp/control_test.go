package rtmp

import (
	"bytes"
	"errors"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// Control messages as chunks.
var controlCases = []struct {
	name    string
	message Message
	wire    string
	value   uint32
}{
	{"SetChunkSize", SetChunkSize(4096), "02 000000 000004 01 00000000 00001000", 4096},
	{"Abort", Abort(5), "02 000000 000004 02 00000000 00000005", 5},
	{"Acknowledgement", Acknowledgement(2_500_000), "02 000000 000004 03 00000000 002625A0", 2_500_000},
	{"WindowAckSize", WindowAckSize(DefaultWindow), "02 000000 000004 05 00000000 002625A0", 2_500_000},
	{"SetPeerBandwidth", SetPeerBandwidth(DefaultWindow, LimitDynamic), "02 000000 000005 06 00000000 002625A002", 2_500_000},
}

func TestControlMessages(t *testing.T) {
	for _, c := range controlCases {
		if got := AppendMessage(nil, c.message, DefaultChunkSize); !bytes.Equal(got, unhex(c.wire)) {
			t.Errorf("%s = %x, want %s", c.name, got, c.wire)
		}
		if value, err := ParseUint32(c.message); value != c.value || err != nil {
			t.Errorf("%s carries %d, %v", c.name, value, err)
		}
		if c.message.Type.String() != c.name {
			t.Errorf("%s is called %v", c.name, c.message.Type)
		}
	}
}

func TestParseUint32ToleratesLongerPayloadsOnly(t *testing.T) {
	for n := range 6 {
		m := Message{Type: TypeSetPeerBandwidth, Payload: unhex("0000000102FF")[:n]}
		value, err := ParseUint32(m)
		if n < 4 && !errors.Is(err, ErrProtocol) {
			t.Errorf("%d bytes: %d, %v", n, value, err)
		}
		if n >= 4 && (value != 1 || err != nil) {
			t.Errorf("%d bytes: %d, %v", n, value, err)
		}
	}
}

func TestUserControlMessages(t *testing.T) {
	for _, c := range []struct {
		event  UserEvent
		values []uint32
		wire   string
	}{
		{EventStreamBegin, []uint32{1}, "02 000000 000006 04 00000000 0000 00000001"},
		{EventStreamEOF, []uint32{1}, "02 000000 000006 04 00000000 0001 00000001"},
		{EventStreamDry, []uint32{1}, "02 000000 000006 04 00000000 0002 00000001"},
		{EventSetBufferLength, []uint32{1, 3000}, "02 000000 00000A 04 00000000 0003 00000001 00000BB8"},
		{EventStreamRecorded, []uint32{1}, "02 000000 000006 04 00000000 0004 00000001"},
		{EventPingRequest, []uint32{0x12345678}, "02 000000 000006 04 00000000 0006 12345678"},
		{EventPingResponse, []uint32{0x12345678}, "02 000000 000006 04 00000000 0007 12345678"},
	} {
		m := UserControl(c.event, c.values...)
		if got := AppendMessage(nil, m, DefaultChunkSize); !bytes.Equal(got, unhex(c.wire)) {
			t.Errorf("event %d = %x, want %s", c.event, got, c.wire)
		}
		if event, value, ok := ParseUserControl(m); event != c.event || value != c.values[0] || !ok {
			t.Errorf("event %d parsed as %d %d %v", c.event, event, value, ok)
		}
	}
}

func TestShortUserControlIsIgnored(t *testing.T) {
	payload := unhex("FFFF 01020304 05060708")
	for n := range len(payload) + 1 {
		event, value, ok := ParseUserControl(Message{Type: TypeUserControl, Payload: payload[:n]})
		if ok != (n >= 6) || ok && (event != 0xFFFF || value != 0x01020304) || !ok && (event != 0 || value != 0) {
			t.Errorf("%d bytes: %d %d %v", n, event, value, ok)
		}
	}
}

// acks returns at which numbers of bytes an acknowledgement was due.
func acks(a *AckWindow, from, to, step uint64) []uint64 {
	var due []uint64
	for received := from; received <= to; received += step {
		sequence, ok := a.Due(received)
		if ok {
			due = append(due, received)
		}
		if want := uint32(received); ok && sequence != want || !ok && sequence != 0 {
			panic("sequence number is not what was received")
		}
	}
	return due
}

func TestAckWindow(t *testing.T) {
	conformance.Covers(t, 74)
	for _, c := range []struct {
		name   string
		set    []uint32
		window uint64
	}{
		{"never announced", nil, DefaultWindow},
		{"zero is ignored", []uint32{0}, DefaultWindow},
		{"zero does not undo another", []uint32{10_000, 0}, 10_000},
		{"the last one counts", []uint32{5_000_000, 10_000}, 10_000},
		{"one is too small", []uint32{1}, minWindow},
		{"the largest", []uint32{0xFFFFFFFF}, 0xFFFFFFFF},
	} {
		var a AckWindow
		for _, window := range c.set {
			a.Set(window)
		}
		step := max(c.window/100, 1)
		due := acks(&a, 0, 10*c.window, step)
		last := uint64(0)
		for _, at := range due {
			if at-last > c.window || at-last < c.window/2 {
				t.Errorf("%s: acknowledges %d after %d", c.name, at, last)
			}
			last = at
		}
		if len(due) < 10 || 10*c.window-last > c.window {
			t.Errorf("%s: %d acknowledgements, the last at %d", c.name, len(due), last)
		}
	}
}

func TestAckWindowCountsBeyond4GiB(t *testing.T) {
	conformance.Covers(t, 73)
	a := AckWindow{acked: 1<<32 - 1_000_000}
	if sequence, due := a.Due(1<<32 + 249_999); due {
		t.Errorf("too early: %d", sequence)
	}
	if sequence, due := a.Due(1<<32 + 250_000); !due || sequence != 250_000 {
		t.Errorf("at the half of the window: %d, %v", sequence, due)
	}
	if sequence, due := a.Due(1<<32 + 250_001); due {
		t.Errorf("twice: %d", sequence)
	}
}
