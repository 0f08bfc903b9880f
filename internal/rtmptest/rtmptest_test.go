package rtmptest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestValues(t *testing.T) {
	const text = `"a\n\"b" 1.5 -2000 true false null undefined {app: "live", deep: {n: 1}} ecma{"2.1": false} [1, "x", null]`
	want := []any{
		"a\n\"b", 1.5, -2000.0, true, false, nil, amf.Undefined{},
		amf.Object{{Name: "app", Value: "live"}, {Name: "deep", Value: amf.Object{{Name: "n", Value: 1.0}}}},
		amf.ECMAArray{{Name: "2.1", Value: false}},
		amf.StrictArray{1.0, "x", nil},
	}
	got, err := ParseValues(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %#v, %v\nwant %#v", got, err, want)
	}
	for i, v := range want {
		again, err := ParseValues(FormatValue(v))
		if i == 8 {
			continue // the name would need quotes
		}
		if err != nil || !reflect.DeepEqual(again, []any{v}) {
			t.Errorf("%s reads back as %#v, %v", FormatValue(v), again, err)
		}
	}
}

func TestBrokenTextIsRefused(t *testing.T) {
	for _, text := range []string{`{a 1}`, `"open`, `what`, `[1, `, `-x`, `)`} {
		if v, err := ParseValues(text); err == nil {
			t.Errorf("%s reads as %v", text, v)
		}
	}
	for _, text := range []string{
		"@x connect 1", "csid=x connect 1", "SetChunkSize", "SetChunkSize x", "video x 00", "video 0 0x", "video 0 00*", "video 0 00*-1", "video 0 00*x",
		"video 0 00*99999999999", "type=x 0 00",
		`connect "no number"`, "UserControl", "data x", "connect {",
	} {
		if m, err := ParseMessage(text); err == nil {
			t.Errorf("%s reads as %+v", text, m)
		}
	}
}

func TestMessagesReadBack(t *testing.T) {
	for _, text := range []string{
		`connect 1 {app: "live"}`,
		`@1 publish 5 null "key" "live"`,
		`@1 video 40 1701000000aabb`,
		`@1 audio 0 af0121`,
		`@1 data 7 "onMetaData" ecma{width: 1280}`,
		`SetChunkSize 4096`, `Abort 5`, `Acknowledgement 1000`, `WindowAckSize 2500000`, `SetPeerBandwidth 2500000`,
		`UserControl 6 1234`,
	} {
		m, err := ParseMessage(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := FormatMessage(m); got != text {
			t.Errorf("%s comes back as %s", text, got)
		}
	}
}

func TestParseHex(t *testing.T) {
	for text, want := range map[string][]byte{
		"":             nil,
		"17 01\n00":    {0x17, 1, 0},
		"1701 aa*3 ff": {0x17, 1, 0xAA, 0xAA, 0xAA, 0xFF},
		"0102*2 00*0":  {1, 2, 1, 2},
	} {
		if got, err := ParseHex(text); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q reads as %x, %v; want %x", text, got, err, want)
		}
	}
}

func TestPipeCanBeClosedForWritingAlone(t *testing.T) {
	client, server := Pipe(netip.MustParseAddrPort("203.0.113.1:5000"))
	if got := server.RemoteAddr().String(); got != "203.0.113.1:5000" {
		t.Errorf("the client's address is %s", got)
	}
	if err := server.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the client read %v, want the end", err)
	}
	go func() { _, _ = client.Write([]byte{1}) }()
	b := make([]byte, 1)
	if _, err := io.ReadFull(server, b); err != nil || b[0] != 1 {
		t.Errorf("the other direction is closed too: %v", err)
	}
	_ = client.Close()
	_ = server.Close()
}

func TestListener(t *testing.T) {
	l := NewListener()
	accepted := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			err = conn.Close()
		}
		accepted <- err
	}()
	conn, err := l.Dial(netip.MustParseAddrPort("203.0.113.1:5000"))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if err := <-accepted; err != nil {
		t.Error(err)
	}
	_ = l.Close()
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept on a closed listener: %v", err)
	}
	if _, err := l.Dial(netip.AddrPort{}); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial to a closed listener: %v", err)
	}
}
