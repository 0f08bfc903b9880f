package rtmp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

const handshakeTime = 0x01020304

func handshakeRandom() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1, 2, 3}) }

func handshakeOptions() HandshakeOptions {
	return HandshakeOptions{Random: handshakeRandom(), Time: handshakeTime}
}

// handshakeWrites records each Write of the side under test.
type handshakeWrites [][]byte

func (w *handshakeWrites) Write(p []byte) (int, error) {
	*w = append(*w, bytes.Clone(p))
	return len(p), nil
}

func handshakeStream(c1 []byte, rest ...[]byte) []byte {
	return slices.Concat([]byte{Version}, c1, slices.Concat(rest...))
}

// handshakeCheckReply checks S0, S1 and S2 by the rules that clients apply.
func handshakeCheckReply(c1, reply []byte, scheme Scheme) error {
	if len(reply) != 3073 || reply[0] != 3 {
		return fmt.Errorf("reply of %d bytes starts with %#x", len(reply), reply[:1])
	}
	s1, s2 := reply[1:1537], reply[1537:]
	if at := binary.BigEndian.Uint32(s1); at != handshakeTime {
		return fmt.Errorf("time of S1 = %#x", at)
	}
	if !bytes.Equal(s2[:4], c1[:4]) {
		return fmt.Errorf("time of S2 = %x, C1 has %x", s2[:4], c1[:4])
	}
	if bytes.Equal(s1[8:72], make([]byte, 64)) {
		return errors.New("S1 is not filled")
	}
	if scheme == SchemeSimple {
		if !bytes.Equal(s1[4:8], make([]byte, 4)) {
			return fmt.Errorf("simple S1 announces version %x", s1[4:8])
		}
		if !bytes.Equal(s2, c1) {
			return errors.New("simple S2 is no echo of C1")
		}
		return nil
	}
	if s1[4] < 3 {
		return fmt.Errorf("version of S1 = %x: FFmpeg takes it for unsigned", s1[4:8])
	}
	if got, _ := findDigest(s1, serverSigner.helloKey); got != scheme {
		return fmt.Errorf("S1 is signed as %v, want %v", got, scheme)
	}
	at := digestOffset(c1, scheme)
	want := bytes.Clone(s2)
	signEcho(want, c1[at:at+digestSize], serverSigner.echoKey)
	if !bytes.Equal(s2, want) {
		return errors.New("signature of S2 is wrong")
	}
	return nil
}

func TestAcceptHandshakeAnswersInTheSchemeOfTheClient(t *testing.T) {
	simple := handshakePattern([4]byte{}, 5, 1)
	copy(simple, []byte{0xCA, 0xFE, 0xBA, 0xBE})
	flipped := handshakeSignedC1(SchemeDigestAt8)
	flipped[450] ^= 1
	flipped772 := handshakeSignedC1(SchemeDigestAt772)
	flipped772[1486] ^= 1
	for _, tt := range []struct {
		name   string
		c1     []byte
		scheme Scheme
		covers []int
	}{
		{name: "simple", c1: simple, scheme: SchemeSimple, covers: []int{3, 4, 5}},
		{name: "all zero", c1: make([]byte, HandshakeSize), scheme: SchemeSimple},
		{name: "all FF", c1: bytes.Repeat([]byte{0xFF}, HandshakeSize), scheme: SchemeSimple, covers: []int{14}},
		{name: "version without digest", c1: handshakeC1(), scheme: SchemeSimple},
		{name: "digest at 8", c1: handshakeSignedC1(SchemeDigestAt8), scheme: SchemeDigestAt8, covers: []int{10}},
		{name: "digest at 772", c1: handshakeSignedC1(SchemeDigestAt772), scheme: SchemeDigestAt772, covers: []int{11}},
		{name: "digest at 8, one bit flipped", c1: flipped, scheme: SchemeSimple, covers: []int{12}},
		{name: "digest at 772, one bit flipped", c1: flipped772, scheme: SchemeSimple, covers: []int{12}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conformance.Covers(t, tt.covers...)
			var w handshakeWrites
			r := bytes.NewReader(handshakeStream(tt.c1, make([]byte, HandshakeSize)))
			hs, err := AcceptHandshake(r, &w, handshakeOptions())
			if err != nil {
				t.Fatal(err)
			}
			if want := (Handshake{tt.scheme, [4]byte(tt.c1[4:8])}); hs != want {
				t.Errorf("handshake = %v, want %v", hs, want)
			}
			if len(w) != 1 {
				t.Fatalf("%d writes, want 1", len(w))
			}
			if err := handshakeCheckReply(tt.c1, w[0], tt.scheme); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAcceptHandshakeLeavesWhatFollowsC2(t *testing.T) {
	chunks := []byte("\x02\x00\x00\x00\x00\x00\x04\x01\x00\x00\x00\x00\x00\x00\x10\x00")
	fragmentations := map[string]func(io.Reader) io.Reader{
		"whole":              func(r io.Reader) io.Reader { return r },
		"one byte at a time": iotest.OneByteReader,
		"halves":             iotest.HalfReader,
		"data with EOF":      iotest.DataErrReader,
	}
	c2s := map[string][]byte{
		"zeros":  make([]byte, HandshakeSize),
		"random": handshakePattern([4]byte{0xFF, 0xFF, 0xFF, 0xFF}, 91, 17),
	}
	for fragmentation, split := range fragmentations {
		for content, c2 := range c2s {
			for _, scheme := range []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772} {
				t.Run(fmt.Sprint(fragmentation, ", C2 of ", content, ", ", scheme), func(t *testing.T) {
					stream := handshakeStream(handshakeSignedC1(scheme), c2, chunks)
					r := bufio.NewReaderSize(split(bytes.NewReader(stream)), 4096)
					hs, err := AcceptHandshake(r, io.Discard, handshakeOptions())
					if err != nil || hs.Scheme != scheme {
						t.Fatalf("got %v, %v", hs, err)
					}
					if rest, err := io.ReadAll(r); err != nil || !bytes.Equal(rest, chunks) {
						t.Errorf("left for the chunk reader: %x, %v", rest, err)
					}
				})
			}
		}
	}
}

// handshakeStepReader fails the test when C2 is read before the reply is out.
type handshakeStepReader struct {
	t    *testing.T
	r    io.Reader
	read int
	w    *handshakeWrites
}

func (r *handshakeStepReader) Read(p []byte) (int, error) {
	if r.read < helloSize && len(*r.w) > 0 {
		r.t.Errorf("reply written after %d bytes", r.read)
	}
	if r.read >= helloSize && len(*r.w) == 0 {
		r.t.Errorf("C2 read before the reply is written")
	}
	n, err := r.r.Read(p)
	r.read += n
	return n, err
}

func TestAcceptHandshakeRepliesBetweenC1AndC2(t *testing.T) {
	var w handshakeWrites
	stream := handshakeStream(handshakeC1(), make([]byte, HandshakeSize))
	r := &handshakeStepReader{t: t, r: iotest.OneByteReader(bytes.NewReader(stream)), w: &w}
	if _, err := AcceptHandshake(r, &w, handshakeOptions()); err != nil {
		t.Fatal(err)
	}
	if r.read != 3073 {
		t.Errorf("%d bytes read", r.read)
	}
}

func TestHandshakeNamesForeignProtocolsAndSendsNothing(t *testing.T) {
	for first, want := range map[string]string{
		"\x16\x03\x01\x02\x00\x01":               "TLS",
		"\x15\x03\x01\x00\x02":                   "TLS",
		"\x06" + strings.Repeat("x", 1536):       "RTMPE",
		"\x08":                                   "RTMPE",
		"\x09":                                   "RTMPE",
		"GET / HTTP/1.1\r\n":                     "HTTP",
		"POST /fcs/ident2 HTTP/1.1":              "HTTP",
		"OPTIONS * HTTP/1.1":                     "HTTP",
		"HTTP/1.1 400 Bad Request":               "HTTP",
		"PUT / HTTP/1.1":                         "HTTP",
		"PROXY TCP4 192.0.2.1 192.0.2.2 5 1935":  "PROXY protocol",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0C": "PROXY protocol",
		"\r\n":                                   "unknown version 13",
		"\x00":                                   "unknown version 0",
		"\x02":                                   "unknown version 2",
		"\x04":                                   "unknown version 4",
		"SSH-2.0-OpenSSH_9.9":                    "unknown version 83",
		"\xFF" + strings.Repeat("\xFF", 2*HandshakeSize+100): "unknown version 255",
	} {
		r := strings.NewReader(first)
		var w handshakeWrites
		_, err := AcceptHandshake(r, &w, handshakeOptions())
		var foreign *ForeignProtocolError
		if !errors.As(err, &foreign) || foreign.Seen != want || !errors.Is(err, ErrProtocol) {
			t.Errorf("%.20q: got %v, want %q", first, err, want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %q does not name %q", first, err, want)
		}
		if len(w) != 0 {
			t.Errorf("%.20q: %d bytes sent", first, len(w[0]))
		}

		w = nil
		_, err = DialHandshake(strings.NewReader(first), &w, SchemeSimple, handshakeOptions())
		if !errors.As(err, &foreign) || foreign.Seen != want || len(w) != 1 {
			t.Errorf("server says %.20q: got %v after %d writes", first, err, len(w))
		}
	}
}

// A peer that speaks another protocol waits for an answer: the verdict must
// come without a second Read.
func TestAcceptHandshakeDoesNotWaitForMoreOfAForeignProtocol(t *testing.T) {
	pr, pw := io.Pipe()
	written := make(chan error)
	go func() {
		_, err := pw.Write([]byte("P"))
		written <- err
	}()
	_, err := AcceptHandshake(pr, io.Discard, handshakeOptions())
	if !errors.Is(err, ErrProtocol) {
		t.Errorf("got %v", err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestHandshakeTellsAbsentPeersFromTruncatedOnes(t *testing.T) {
	accept := func(r io.Reader) error {
		_, err := AcceptHandshake(r, io.Discard, handshakeOptions())
		return err
	}
	dial := func(r io.Reader) error {
		_, err := DialHandshake(r, io.Discard, SchemeDigestAt8, handshakeOptions())
		return err
	}
	stream := handshakeStream(handshakeC1(), make([]byte, HandshakeSize))
	for side, handshake := range map[string]func(io.Reader) error{"server": accept, "client": dial} {
		for _, n := range []int{0, 1, 2, 1536, 1537, 1538, 3072, 3073} {
			err := handshake(bytes.NewReader(stream[:n]))
			truncated := errors.Is(err, io.ErrUnexpectedEOF)
			if errors.Is(err, io.EOF) != (n == 0) || truncated != (0 < n && n < 3073) || (err == nil) != (n == 3073) {
				t.Errorf("%s, peer closes after %d bytes: %v", side, n, err)
			}
			reset := errors.New("connection reset")
			err = handshake(io.MultiReader(bytes.NewReader(stream[:n]), iotest.ErrReader(reset)))
			if n < 3073 && !errors.Is(err, reset) {
				t.Errorf("%s, peer resets after %d bytes: %v", side, n, err)
			}
		}
	}
}

// handshakeFailAfter accepts a number of writes and fails the next one.
type handshakeFailAfter struct {
	writes int
	err    error
}

func (w *handshakeFailAfter) Write(p []byte) (int, error) {
	if w.writes--; w.writes < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestHandshakeReportsFailingWriterAndRandom(t *testing.T) {
	broken := errors.New("broken pipe")
	stream := handshakeStream(handshakeC1(), make([]byte, HandshakeSize))
	if _, err := AcceptHandshake(bytes.NewReader(stream), &handshakeFailAfter{0, broken}, handshakeOptions()); !errors.Is(err, broken) {
		t.Errorf("server: got %v", err)
	}
	for writes := range 2 {
		_, err := DialHandshake(bytes.NewReader(stream), &handshakeFailAfter{writes, broken}, SchemeSimple, handshakeOptions())
		if !errors.Is(err, broken) {
			t.Errorf("client, write %d: got %v", writes, err)
		}
	}

	// Not to be mistaken for a peer that was never there.
	noRandom := HandshakeOptions{Random: strings.NewReader("")}
	_, err := AcceptHandshake(bytes.NewReader(stream), io.Discard, noRandom)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("server without random bytes: got %v", err)
	}
	_, err = DialHandshake(bytes.NewReader(stream), io.Discard, SchemeSimple, noRandom)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("client without random bytes: got %v", err)
	}
}

func TestDialHandshakeFollowsTheSchemeOfTheServer(t *testing.T) {
	s1 := func(version [4]byte, scheme Scheme) []byte {
		p := handshakePattern(version, 17, 3)
		copy(p, []byte{0xCA, 0xFE, 0xBA, 0xBE})
		if scheme != SchemeSimple {
			signHello(p, scheme, serverSigner.helloKey)
		}
		return p
	}
	flash := [4]byte{4, 5, 0, 1}
	for _, dialed := range []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772} {
		for _, tt := range []struct {
			name   string
			s1     []byte
			scheme Scheme
		}{
			{"simple S1", s1([4]byte{}, SchemeSimple), SchemeSimple},
			{"version without digest", s1(flash, SchemeSimple), SchemeSimple},
			{"digest at 8", s1(flash, SchemeDigestAt8), SchemeDigestAt8},
			{"digest at 772", s1(flash, SchemeDigestAt772), SchemeDigestAt772},
		} {
			t.Run(fmt.Sprint(dialed, " meets ", tt.name), func(t *testing.T) {
				var w handshakeWrites
				stream := handshakeStream(tt.s1, make([]byte, HandshakeSize), []byte("chunks"))
				r := iotest.OneByteReader(bytes.NewReader(stream))
				hs, err := DialHandshake(r, &w, dialed, handshakeOptions())
				if err != nil {
					t.Fatal(err)
				}
				if want := (Handshake{tt.scheme, [4]byte(tt.s1[4:8])}); hs != want {
					t.Errorf("handshake = %v, want %v", hs, want)
				}
				if len(w) != 2 || len(w[0]) != 1537 || len(w[1]) != 1536 || w[0][0] != 3 {
					t.Fatalf("want C0 and C1, then C2; got %d writes", len(w))
				}
				handshakeCheckC1(t, w[0][1:], dialed)
				handshakeCheckC2(t, tt.s1, w[1], tt.scheme)
				if rest, _ := io.ReadAll(r); string(rest) != "chunks" {
					t.Errorf("left for the chunk reader: %q", rest)
				}
			})
		}
	}
}

func handshakeCheckC1(t *testing.T, c1 []byte, dialed Scheme) {
	t.Helper()
	if at := binary.BigEndian.Uint32(c1); at != handshakeTime {
		t.Errorf("time of C1 = %#x", at)
	}
	if signed := !bytes.Equal(c1[4:8], make([]byte, 4)); signed != (dialed != SchemeSimple) {
		t.Errorf("%v C1 has version %x", dialed, c1[4:8])
	}
	if scheme, _ := findDigest(c1, clientSigner.helloKey); scheme != dialed {
		t.Errorf("C1 is %v, want %v", scheme, dialed)
	}
}

func handshakeCheckC2(t *testing.T, s1, c2 []byte, scheme Scheme) {
	t.Helper()
	want := bytes.Clone(s1)
	if scheme != SchemeSimple {
		at := digestOffset(s1, scheme)
		signEcho(want, s1[at:at+digestSize], clientSigner.echoKey)
	}
	if !bytes.Equal(c2, want) {
		t.Errorf("C2 = %x…%x, want %x…%x", c2[:8], c2[1504:], want[:8], want[1504:])
	}
}

// Unbuffered pipes: neither side may need the other to read ahead.
func TestServerAndClientAgreeOnEveryScheme(t *testing.T) {
	for _, scheme := range []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772} {
		t.Run(scheme.String(), func(t *testing.T) {
			fromClient, toServer := io.Pipe()
			fromServer, toClient := io.Pipe()
			type result struct {
				Handshake
				err error
			}
			accepted := make(chan result)
			go func() {
				hs, err := AcceptHandshake(fromClient, toClient, handshakeOptions())
				fromClient.CloseWithError(err)
				toClient.CloseWithError(err)
				accepted <- result{hs, err}
			}()
			hs, err := DialHandshake(fromServer, toServer, scheme, handshakeOptions())
			toServer.CloseWithError(err)
			fromServer.CloseWithError(err)
			server := <-accepted
			if err != nil || server.err != nil {
				t.Fatalf("client: %v, server: %v", err, server.err)
			}
			if hs.Scheme != scheme || server.Scheme != scheme {
				t.Errorf("client agreed on %v, server on %v", hs.Scheme, server.Scheme)
			}
		})
	}
}

// All of it is garbage before C2 is awaited.
func TestAcceptHandshakeAllocatesLittle(t *testing.T) {
	const runs, limit = 100, 8 << 10
	for _, scheme := range []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772} {
		stream := handshakeStream(handshakeSignedC1(scheme), make([]byte, HandshakeSize))
		o, r := handshakeOptions(), bytes.NewReader(nil)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			r.Reset(stream)
			if _, err := AcceptHandshake(r, io.Discard, o); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / runs; each > limit {
			t.Errorf("%v: %d bytes allocated, want %d at most", scheme, each, limit)
		}
	}
}

func BenchmarkAcceptHandshake(b *testing.B) {
	for _, scheme := range []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772} {
		c1 := handshakeSignedC1(scheme)
		if scheme == SchemeSimple {
			clear(c1[4:8])
		}
		stream := handshakeStream(c1, make([]byte, HandshakeSize))
		b.Run(scheme.String(), func(b *testing.B) {
			b.ReportAllocs()
			o := handshakeOptions()
			r := bytes.NewReader(nil)
			for b.Loop() {
				r.Reset(stream)
				if _, err := AcceptHandshake(r, io.Discard, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// handshakeFragments delivers at most the given sizes, over and over.
type handshakeFragments struct {
	r     io.Reader
	sizes []byte
	next  int
}

func (f *handshakeFragments) Read(p []byte) (int, error) {
	if len(f.sizes) > 0 {
		size := 1 + int(f.sizes[f.next%len(f.sizes)])
		f.next++
		p = p[:min(len(p), size)]
	}
	return f.r.Read(p)
}

// The stream is head and then size bytes of fill: short inputs reach every state.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte{}, uint16(0), byte(0), []byte{}, uint8(0))
	f.Add([]byte("GET / HTTP/1.1"), uint16(0), byte(0), []byte{0}, uint8(0))
	f.Add([]byte{3}, uint16(3072), byte(0), []byte{0, 255}, uint8(0))
	f.Add([]byte{3}, uint16(3072), byte(0xFF), []byte{}, uint8(0))
	f.Add([]byte{3, 0, 0, 0, 0, 9, 0, 124, 2}, uint16(3100), byte(3), []byte{255, 7}, uint8(1))
	f.Add([]byte{3, 1, 2, 3, 4, 128, 0, 7, 2}, uint16(3064), byte(200), []byte{1}, uint8(2))
	f.Add([]byte{3, 1, 2, 3, 4, 128, 0, 7, 2}, uint16(1600), byte(200), []byte{99}, uint8(2))

	// No mutation hits a digest by chance: sign asks for a valid one.
	f.Fuzz(func(t *testing.T, head []byte, size uint16, fill byte, sizes []byte, sign uint8) {
		stream := slices.Concat(head, bytes.Repeat([]byte{fill}, int(size%4096)))
		signedAs := []Scheme{SchemeSimple, SchemeDigestAt8, SchemeDigestAt772}[sign%3]
		if len(stream) >= helloSize && signedAs != SchemeSimple && !bytes.Equal(stream[5:9], make([]byte, 4)) {
			signHello(stream[1:helloSize], signedAs, clientSigner.helloKey)
		} else {
			signedAs = SchemeSimple
		}
		var w handshakeWrites
		r := bytes.NewReader(stream)
		hs, err := AcceptHandshake(&handshakeFragments{r: r, sizes: sizes}, &w, handshakeOptions())

		answered := len(stream) >= helloSize && stream[0] == Version
		if (len(w) == 1) != answered || len(w) > 1 {
			t.Fatalf("%d writes for %d bytes", len(w), len(stream))
		}
		if answered {
			if err := handshakeCheckReply(stream[1:helloSize], w[0], signedAs); err != nil {
				t.Error(err)
			}
		}
		if (err == nil) != (answered && len(stream) >= 3073) {
			t.Errorf("error %v for %d bytes", err, len(stream))
		}
		if err == nil && (hs.Scheme != signedAs || r.Len() != len(stream)-3073) {
			t.Errorf("got %v with %d of %d bytes left", hs, r.Len(), len(stream))
		}

		_, err = DialHandshake(&handshakeFragments{r: bytes.NewReader(stream), sizes: sizes}, io.Discard, signedAs, handshakeOptions())
		if (err == nil) != (len(stream) >= 3073 && stream[0] == Version) {
			t.Errorf("client: error %v for %d bytes", err, len(stream))
		}
	})
}
