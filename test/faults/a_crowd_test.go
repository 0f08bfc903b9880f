package faults

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/amf"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestNewcomersMakeRoomForNewerOnes(t *testing.T) {
	f := begin(t, "A3", "MAX_CONNECTIONS=1000")
	const newcomers = 250 // a quarter
	n := f.scale(600, 2000)
	var first raw
	files := f.files()
	most := 0
	start := time.Now()
	for i := range n {
		r, err := f.connect(host(i), f.server.Addr)
		if err != nil {
			f.Fatal(err)
		}
		if i == 0 {
			first = r
		}
		if i%100 == 0 {
			most = max(most, f.files()-files)
		}
	}
	f.figure("sockets", n)
	f.figure("kept at once", most)
	if most > newcomers+50 {
		f.Errorf("%d silent connections were open at once, want %d", most, newcomers)
	}
	if _, ok := first.outlived(late); !ok {
		f.Error("the oldest did not make room")
	}
	f.joinsAtOnce()
	f.figure("took", time.Since(start).Round(time.Millisecond))
}

func TestOtherProtocolsAreClosedWithoutAReply(t *testing.T) {
	t.Parallel()
	f := begin(t, "A4")
	openings := map[string]string{
		"HTTP":         "GET / HTTP/1.0\r\n\r\n",
		"TLS":          "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"version 6":    "\x06" + string(make([]byte, 1536)),
		"version 0":    "\x00" + string(make([]byte, 1536)),
		"version 0xFF": "\xff" + string(make([]byte, 1536)),
		"SSH":          "SSH-2.0-OpenSSH_9.6\r\n",
	}
	longest := time.Duration(0)
	for name, opening := range openings {
		r, err := f.connect(host(1), f.server.Addr)
		if err != nil {
			f.Fatal(err)
		}
		start := time.Now()
		if _, err := io.WriteString(r, opening); err != nil {
			f.Error(err)
		}
		_ = r.SetReadDeadline(start.Add(stage.Soon))
		answer, _ := io.ReadAll(r) // a reset is as good as an end
		took := time.Since(start)
		longest = max(longest, took)
		if len(answer) > 0 || took > time.Second {
			f.Errorf("%s was answered with %q after %v", name, answer, took)
		}
	}
	f.figure("protocols", len(openings))
	f.figure("closed after at most", longest.Round(time.Millisecond))
}

// A5: FuzzHandshake has the offsets; real clients are in test/e2e.
func TestDigestsAtTheExtremes(t *testing.T) {
	t.Parallel()
	f := begin(t, "A5")
	tried := 0
	for _, fill := range []byte{0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF} {
		for _, version := range []string{"\x00\x00\x00\x00", "\x80\x00\x07\x02", "\xff\xff\xff\xff", "\x0a\x00\x2d\x02"} {
			hello := bytes.Repeat([]byte{fill}, 1+2*1536) // C2 is garbage too
			hello[0] = 3
			copy(hello[5:], version)
			r, err := f.connect(host(2), f.server.Addr)
			if err != nil {
				f.Fatal(err)
			}
			tried++
			if _, err := r.Write(hello); err != nil {
				f.Errorf("%#x with version %x: %v", fill, version, err)
			}
			_ = r.SetReadDeadline(time.Now().Add(stage.Soon))
			if _, err := io.ReadFull(r, hello); err != nil {
				f.Errorf("%#x with version %x was not answered: %v", fill, version, err)
			}
			r.reset()
		}
	}
	for _, scheme := range []rtmp.Scheme{rtmp.SchemeSimple, rtmp.SchemeDigestAt8, rtmp.SchemeDigestAt772} {
		r, err := f.connect(host(3), f.server.Addr)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := rtmp.DialHandshake(r, r, scheme, rtmp.HandshakeOptions{Random: rand.Reader}); err != nil {
			f.Errorf("%v is not spoken any more: %v", scheme, err)
		}
	}
	f.figure("handshakes", tried)
}

// A12: those who shake hands by TLS are served apart from those who arrive.
func TestSilentTLSClientsKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	f := begin(t, "A12")
	n := f.scale(50, 200)
	for i := range n {
		if _, err := f.connect(host(i), f.server.SecureAddr()); err != nil {
			f.Fatal(err)
		}
	}
	f.figure("sockets", n)
	f.joinsAtOnce()
	start := time.Now()
	c, err := dial(f, canaryHost, f.server.SecureAddr(), f.issuer.Config())
	if err == nil {
		err = c.Start(stage.CanaryChannel, "key", stage.Watching)
	}
	if err != nil || time.Since(start) > late {
		f.Errorf("nobody can join by TLS: %v after %v", err, time.Since(start))
	}
	f.figure("join by TLS", time.Since(start).Round(time.Millisecond))
}

// session is a whole valid session as bytes: what a publisher, a player, or who
// only connects says.
func session(role string) []byte {
	var b bytes.Buffer
	b.WriteByte(3)
	b.Write(make([]byte, 2*1536))
	w := rtmp.NewClient(struct {
		io.Reader
		io.Writer
	}{bytes.NewReader(nil), &b})
	say := func(stream uint32, name string, object amf.Object, args ...any) {
		_ = w.WriteMessage(rtmp.Command{Name: name, Transaction: 1, Object: object, Args: args}.Message(stream))
	}
	say(0, "connect", amf.Object{{Name: "app", Value: "attack"}})
	if role == "connect" {
		return b.Bytes()
	}
	say(0, "createStream", nil)
	say(1, role, nil, "key")
	for n := range 3 {
		if role == "publish" {
			m := stage.CanaryMessage(1, n)
			m.Payload = m.Payload[:200]
			_ = w.WriteMessage(m)
		}
	}
	return b.Bytes()
}

func TestResetAfterAnyByte(t *testing.T) {
	f := begin(t, "A8")
	step := f.scale(97, 7)
	var resets atomic.Int64
	for _, role := range []string{"connect", "publish", "play"} {
		text := session(role)
		crowd(8, func(i int) {
			for k := i * step; k <= len(text); k += 8 * step {
				r, err := f.connect(host(k), f.server.Addr)
				if err != nil {
					f.Error(err)
					return
				}
				_, _ = r.Write(text[:k])
				r.reset()
				resets.Add(1)
			}
		})
	}
	f.figure("resets", resets.Load())
}

func TestSessionByTheByte(t *testing.T) {
	t.Parallel()
	f := begin(t, "A9")
	watcher, err := dial(f, host(1), f.server.Addr, nil)
	if err == nil {
		err = watcher.Start("attack", "key", stage.Watching)
	}
	if err != nil {
		f.Fatal(err)
	}
	seen := watcher.Record()
	r, err := f.connect(host(2), f.server.Addr)
	if err != nil {
		f.Fatal(err)
	}
	_ = r.SetNoDelay(true)
	text := session("publish")
	for i := range text {
		if _, err := r.Write(text[i : i+1]); err != nil {
			f.Fatalf("byte %d: %v", i, err)
		}
	}
	n := 0
	if _, ok := seen.Await(stage.Soon, func(m rtmp.Message) bool {
		if m.Type == rtmp.TypeVideo {
			if want := stage.CanaryMessage(1, n).Payload[:9]; !bytes.Equal(m.Payload[:9], want) || len(m.Payload) != 200 {
				f.Errorf("message %d came as %x", n, m.Payload)
			}
			n++
		}
		return n == 3
	}); !ok {
		f.Errorf("%d messages came, want 3", n)
	}
	f.figure("bytes", fmt.Sprint(len(text)))
}
