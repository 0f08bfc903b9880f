package server

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const (
	helloSize = 1 + rtmp.HandshakeSize         // C0 and C1
	replySize = helloSize + rtmp.HandshakeSize // S0, S1 and S2
)

// hello is a simple C0 and C1.
func hello() []byte { return append([]byte{rtmp.Version}, make([]byte, rtmp.HandshakeSize)...) }

// connecting is what OBS sends right behind its C2.
func connecting() []byte {
	wire := rtmp.AppendMessage(nil, rtmp.SetChunkSize(4096), rtmp.DefaultChunkSize)
	return rtmp.AppendMessage(wire, rtmp.Command{
		Name: "connect", Transaction: 1, Object: amf.Object{
			{Name: "app", Value: "live"},
			{Name: "tcUrl", Value: "rtmp://example.com/" + strings.Repeat("long/", 100)},
		},
	}.Message(0), 4096)
}

// wantResult reads the answer to a connect, on a connection whose handshake is
// done.
func wantResult(t *testing.T, r io.Reader) {
	t.Helper()
	answers := rtmp.NewClient(struct {
		io.Reader
		io.Writer
	}{r, io.Discard})
	for {
		m, err := answers.ReadMessage()
		if err != nil {
			t.Fatalf("no answer to connect: %v", err)
		}
		if c, err := rtmp.ParseCommand(m); m.Type == rtmp.TypeCommand && err == nil {
			if c.Name != rtmp.CommandResult || c.Transaction != 1 {
				t.Errorf("connect was answered with %q %v", c.Name, c.Transaction)
			}
			return
		}
	}
}

func TestTheServerAnswersC1AndNothingElse(t *testing.T) {
	conformance.Covers(t, 1, 2, 3, 4, 5)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("before C0 the server sent %d bytes, then %v", n, err)
		}
		_ = conn.SetReadDeadline(time.Time{})
		c := hello()
		copy(c[1:], []byte{0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 0, 1, 2, 3})
		if _, err := conn.Write(c); err != nil {
			t.Fatal(err)
		}
		start, reply := time.Now(), make([]byte, replySize)
		if _, err := io.ReadFull(conn, reply); err != nil || time.Since(start) != 0 {
			t.Fatalf("the reply came after %v: %v", time.Since(start), err)
		}
		if reply[0] != rtmp.Version || !bytes.Equal(reply[5:9], make([]byte, 4)) || !bytes.Equal(reply[helloSize:], c[1:]) {
			t.Errorf("S0 is %d, S1 announces version %x, and S2 echoes C1: %v",
				reply[0], reply[5:9], bytes.Equal(reply[helloSize:], c[1:]))
		}
	})
}

// handshakeC2 are the forms of C2 that clients send, made of S1.
var handshakeC2 = map[string]func(s1 []byte) []byte{
	"zeros":      func([]byte) []byte { return make([]byte, rtmp.HandshakeSize) },
	"noise":      func([]byte) []byte { return bytes.Repeat([]byte{0xFF, 3, 0xC3}, rtmp.HandshakeSize/3) },
	"echo of S1": bytes.Clone,
	"signed": func(s1 []byte) []byte {
		var sent bytes.Buffer
		reply := io.MultiReader(bytes.NewReader([]byte{rtmp.Version}), bytes.NewReader(s1), bytes.NewReader(s1))
		o := rtmp.HandshakeOptions{Random: zeros{}}
		if _, err := rtmp.DialHandshake(reply, &sent, rtmp.SchemeDigestAt8, o); err != nil {
			panic(err)
		}
		return sent.Bytes()[helloSize:]
	},
}

func TestAnyC2WillDoAndIsTakenWhole(t *testing.T) {
	conformance.Covers(t, 6, 7)
	for name, c2 := range handshakeC2 {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, nil)
				defer f.stop()
				conn := f.dial()
				defer func() { _ = conn.Close() }()
				// With a digest in C1 there is one in S1, which a signed C2 needs.
				var c bytes.Buffer
				_, _ = rtmp.DialHandshake(bytes.NewReader(nil), &c, rtmp.SchemeDigestAt8, rtmp.HandshakeOptions{Random: zeros{}})
				if _, err := conn.Write(c.Bytes()); err != nil {
					t.Fatal(err)
				}
				reply := make([]byte, replySize)
				if _, err := io.ReadFull(conn, reply); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Write(slices.Concat(c2(reply[1:helloSize]), connecting())); err != nil {
					t.Fatal(err)
				}
				wantResult(t, conn)
			})
		})
	}
}

func TestAHandshakeInSingleBytesWorks(t *testing.T) {
	conformance.Covers(t, 8)
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, nil)
		defer f.stop()
		conn := f.dial()
		defer func() { _ = conn.Close() }()
		go func() {
			for _, b := range slices.Concat(hello(), make([]byte, rtmp.HandshakeSize)) {
				_, _ = conn.Write([]byte{b})
				time.Sleep(time.Millisecond)
			}
			_, _ = conn.Write(connecting())
		}()
		if _, err := io.ReadFull(conn, make([]byte, replySize)); err != nil {
			t.Fatal(err)
		}
		wantResult(t, conn)
	})
}

// Some clients read S0 and S1 only, before they go on. That takes a network with
// buffers.
func TestAClientMayGoOnBeforeItReadsS2(t *testing.T) {
	conformance.Covers(t, 9)
	f := newFixture(t, nil)
	defer f.stop()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = f.Serve(listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(hello()); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, replySize)
	if _, err := io.ReadFull(conn, reply[:helloSize]); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(slices.Concat(reply[1:helloSize], connecting())); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, reply[helloSize:]); err != nil {
		t.Fatal(err)
	}
	wantResult(t, conn)
}

// Whoever speaks another protocol is told nothing, at once; the operator who
// wonders why an encoder does not connect finds the protocol in the debug log.
func TestForeignProtocolsAreClosedAndNamedInTheDebugLog(t *testing.T) {
	for _, test := range []struct {
		first, named string
		covers       []int
	}{
		{first: "GET / HTTP/1.1\r\n\r\n", named: "HTTP", covers: []int{15, 17}},
		{first: "POST /fcs/ident2 HTTP/1.1\r\n\r\n", named: "HTTP", covers: []int{17}},
		{first: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", named: "TLS", covers: []int{17}},
		{first: "PROXY TCP4 198.51.100.7 192.0.2.1 1 2\r\n", named: "PROXY protocol", covers: []int{15, 17}},
		{first: "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c", named: "PROXY protocol", covers: []int{17}},
		{first: "\x06" + strings.Repeat("\x00", rtmp.HandshakeSize), named: "RTMPE", covers: []int{16}},
		{first: "\x08" + strings.Repeat("\x00", rtmp.HandshakeSize), named: "RTMPE", covers: []int{16}},
		{first: "\x09" + strings.Repeat("\x00", rtmp.HandshakeSize), named: "RTMPE", covers: []int{16}},
		{first: "\xff" + strings.Repeat("\xff", rtmp.HandshakeSize), named: "unknown version 255", covers: []int{15}},
	} {
		t.Run(test.first[:4], func(t *testing.T) {
			conformance.Covers(t, test.covers...)
			synctest.Test(t, func(t *testing.T) {
				j := &journal{}
				f := newFixture(t, func(o *Options) {
					o.Log = slog.New(slog.NewTextHandler(j, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				defer f.stop()
				conn, start := f.dial(), time.Now()
				go func() { _, _ = io.WriteString(conn, test.first) }()
				got, err := io.ReadAll(conn)
				if len(got) != 0 || err != nil || time.Since(start) != 0 {
					t.Errorf("answered with %d bytes after %v: %v", len(got), time.Since(start), err)
				}
				_ = conn.Close()
				synctest.Wait()
				if n := j.count("peer speaks " + test.named); n != 1 {
					t.Errorf("%d lines name %q:\n%s", n, test.named, strings.Join(j.lines, ""))
				}
			})
		})
	}
}
