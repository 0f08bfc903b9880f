package rtmp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/conformance"
)

// handshakePattern returns a packet of HandshakeSize with time 0, the given
// version, and byte i = (step*i + start) mod 256 behind them.
func handshakePattern(version [4]byte, step, start int) []byte {
	p := make([]byte, HandshakeSize)
	copy(p[4:], version[:])
	for i := 8; i < len(p); i++ {
		p[i] = byte(step*i + start)
	}
	return p
}

func handshakeC1() []byte { return handshakePattern([4]byte{9, 0, 124, 2}, 31, 7) }
func handshakeS1() []byte { return handshakePattern([4]byte{4, 5, 0, 1}, 17, 3) }

func handshakeSignedC1(scheme Scheme) []byte {
	c1 := handshakeC1()
	if scheme != SchemeSimple {
		signHello(c1, scheme, clientSigner.helloKey)
	}
	return c1
}

// handshakeEcho returns an unsigned C2 or S2 with a pattern from byte 0 on.
func handshakeEcho(step, start int) []byte {
	p := make([]byte, HandshakeSize)
	for i := range HandshakeSize - digestSize {
		p[i] = byte(step*i + start)
	}
	return p
}

func handshakeWantHex(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	if hex.EncodeToString(got) != want {
		t.Errorf("%s = %x, want %s", what, got, want)
	}
}

func TestSignerKeysAreTheConstantsOfFlash(t *testing.T) {
	for _, tt := range []struct {
		name   string
		key    []byte
		length int
		sha256 string
	}{
		{"player, C1", clientSigner.helloKey, 30, "105283468f210b58288ee6eca2307616240489b629ebbd0e632a8946c00e0b49"},
		{"player, C2", clientSigner.echoKey, 62, "3046c02eaa736fb5aaf7630b9e59a207b167a17cd7a05afb4fc7f8ca9021528e"},
		{"server, S1", serverSigner.helloKey, 36, "88077f175bf328d450ad5c9cba78dd9dcb8b00c18aa2f6b71f735f63ae6a4f77"},
		{"server, S2", serverSigner.echoKey, 68, "0bec8fa996d2485ef90f0484c820d178663643a6f4510d0638cbd649bf17d9a5"},
	} {
		if len(tt.key) != tt.length {
			t.Errorf("%s: length %d, want %d", tt.name, len(tt.key), tt.length)
		}
		sum := sha256.Sum256(tt.key)
		handshakeWantHex(t, tt.name, sum[:], tt.sha256)
	}
}

// digestVectors were computed outside of this package, with an algorithm that
// verified captures of Flash Player, Flash Media Server and FFmpeg.
var digestVectors = []struct {
	scheme             Scheme
	c1At, s1At         int
	c1Digest, c1SHA256 string
	s1Digest           string
	s2Key, s2Digest    string
	c2Key, c2Digest    string
	c1Pointer          []byte
}{
	{
		scheme:    SchemeDigestAt8,
		c1Pointer: []byte{0xFF, 0x1E, 0x3D, 0x5C},
		c1At:      450,
		c1Digest:  "a3ba710c26a9f95974deaac20ae608dcad6f09c8e61b847f0e495845c49c4724",
		c1SHA256:  "1b7d659d7984e76af4cc8fde02f0f26bf30e6b6347401cfd76f9295cae9d8bd9",
		s1At:      670,
		s1Digest:  "3108cb8efbb20081aa7c8424a1e7e6d5eb7c36a45811288123f977fb17db47b7",
		s2Key:     "dc801c2b89cba3157f9508a85b2f79a28b263ea0c5cfab6fd433ecd6bc7566f8",
		s2Digest:  "7251ac183b386ff9fecd7d6e67d3604bc1dd036e2920a6467f8b567c12c0249a",
		c2Key:     "81dd0be55d21a1e5e3b0dcec08d7a045bec25eb5647aa040142e38dc4f9412f0",
		c2Digest:  "c788dad246d9bdcd78659733d5b28b44534282033ee16bb12b77679c3746e3f2",
	},
	{
		scheme:    SchemeDigestAt772,
		c1Pointer: []byte{0x83, 0xA2, 0xC1, 0xE0},
		c1At:      1486,
		c1Digest:  "620ff796e3863f5eed780742bdc0d799852194af9e008ae34ee7998e465bf0fa",
		c1SHA256:  "86519894f0ba356854f49dd3339635c930f532793de0aa8055b6b8784f72e2ba",
		s1At:      1162,
		s1Digest:  "a43df516d124b806e7ded935e6838c14ee691411d6cf4aa176e46521465caac0",
		s2Key:     "872d991501681f2fb1f4e62a7e985560b34cfb9101c47558ca7661fb42ba489a",
		s2Digest:  "51a00e074a4efff963fb509f229bf3b009f52670327f6d975e9174dc997165bd",
		c2Key:     "8c1f8b6cd7f7f1b55de1aef8bba209be54652b545eebdffa6fe7413191db9a48",
		c2Digest:  "d505a3d23571558f08ea99d44b837696f28075fb0ede07ffa377326f669089e0",
	},
}

func TestDigestsMatchVectors(t *testing.T) {
	conformance.Covers(t, 10, 11, 13)
	unsigned := sha256.Sum256(handshakeC1())
	handshakeWantHex(t, "SHA-256 of the unsigned C1", unsigned[:],
		"9df79e6b18f3105180c701ae2ab754112b99940e6cda2df23d44499daa14d2d4")

	for _, v := range digestVectors {
		t.Run(v.scheme.String(), func(t *testing.T) {
			c1 := handshakeSignedC1(v.scheme)
			if got := c1[v.scheme : v.scheme+4]; !bytes.Equal(got, v.c1Pointer) {
				t.Errorf("pointer of C1 = %x, want %x", got, v.c1Pointer)
			}
			if at := digestOffset(c1, v.scheme); at != v.c1At {
				t.Errorf("digest of C1 at %d, want %d", at, v.c1At)
			}
			c1Digest := c1[v.c1At : v.c1At+digestSize]
			handshakeWantHex(t, "digest of C1", c1Digest, v.c1Digest)
			whole := sha256.Sum256(c1)
			handshakeWantHex(t, "SHA-256 of C1", whole[:], v.c1SHA256)

			s1 := handshakeS1()
			signHello(s1, v.scheme, serverSigner.helloKey)
			if at := digestOffset(s1, v.scheme); at != v.s1At {
				t.Errorf("digest of S1 at %d, want %d", at, v.s1At)
			}
			s1Digest := s1[v.s1At : v.s1At+digestSize]
			handshakeWantHex(t, "digest of S1", s1Digest, v.s1Digest)

			handshakeWantHex(t, "key of S2", echoKey(c1Digest, serverSigner.echoKey), v.s2Key)
			s2 := handshakeEcho(13, 5)
			signEcho(s2, c1Digest, serverSigner.echoKey)
			handshakeWantHex(t, "signature of S2", s2[HandshakeSize-digestSize:], v.s2Digest)

			handshakeWantHex(t, "key of C2", echoKey(s1Digest, clientSigner.echoKey), v.c2Key)
			c2 := handshakeEcho(11, 9)
			signEcho(c2, s1Digest, clientSigner.echoKey)
			handshakeWantHex(t, "signature of C2", c2[HandshakeSize-digestSize:], v.c2Digest)
		})
	}
}

func TestFindDigestTellsSchemeAndDigest(t *testing.T) {
	for _, v := range digestVectors {
		c1 := handshakeSignedC1(v.scheme)
		before := bytes.Clone(c1)
		scheme, digest := findDigest(c1, clientSigner.helloKey)
		if scheme != v.scheme {
			t.Errorf("scheme %v, want %v", scheme, v.scheme)
		}
		handshakeWantHex(t, "digest", digest, v.c1Digest)
		if !bytes.Equal(c1, before) {
			t.Errorf("%v: C1 was changed", v.scheme)
		}
		clear(c1)
		handshakeWantHex(t, "digest after C1 is overwritten", digest, v.c1Digest)
	}
}

func TestFindDigestRefusesWhatIsNotSigned(t *testing.T) {
	for _, v := range digestVectors {
		cases := map[string]func(c1 []byte){
			"first bit of the digest": func(c1 []byte) { c1[v.c1At] ^= 0x80 },
			"last bit of the digest":  func(c1 []byte) { c1[v.c1At+digestSize-1] ^= 1 },
			"time":                    func(c1 []byte) { c1[0] ^= 1 },
			"version":                 func(c1 []byte) { c1[7] ^= 1 },
			"pointer":                 func(c1 []byte) { c1[v.scheme] ^= 1 },
			"byte before the digest":  func(c1 []byte) { c1[v.c1At-1] ^= 1 },
			"byte after the digest":   func(c1 []byte) { c1[v.c1At+digestSize] ^= 1 },
			"last byte":               func(c1 []byte) { c1[HandshakeSize-1] ^= 1 },
		}
		for name, change := range cases {
			c1 := handshakeSignedC1(v.scheme)
			change(c1)
			if scheme, digest := findDigest(c1, clientSigner.helloKey); scheme != SchemeSimple || digest != nil {
				t.Errorf("%v, %s changed: got %v, %x", v.scheme, name, scheme, digest)
			}
		}
		if scheme, _ := findDigest(handshakeSignedC1(v.scheme), serverSigner.helloKey); scheme != SchemeSimple {
			t.Errorf("%v: key of the other side accepted", v.scheme)
		}

		zeroVersion := handshakeC1()
		clear(zeroVersion[4:8])
		signHello(zeroVersion, v.scheme, clientSigner.helloKey)
		if scheme, _ := findDigest(zeroVersion, clientSigner.helloKey); scheme != SchemeSimple {
			t.Errorf("%v: digest searched in a C1 that announces none", v.scheme)
		}
	}
}

func TestDigestStaysInItsBlockForEveryPointer(t *testing.T) {
	for _, base := range []Scheme{SchemeDigestAt8, SchemeDigestAt772} {
		hello := make([]byte, HandshakeSize)
		low, high := HandshakeSize, 0
		for sum := range 4*255 + 1 {
			rest := sum
			for i := range 4 {
				hello[int(base)+i] = byte(min(rest, 255))
				rest -= min(rest, 255)
			}
			at := digestOffset(hello, base)
			if want := int(base) + 4 + sum%728; at != want {
				t.Fatalf("%v, sum %d: offset %d, want %d", base, sum, at, want)
			}
			low, high = min(low, at), max(high, at)
		}
		if low != int(base)+4 || high+digestSize != int(base)+763 {
			t.Errorf("%v: digests cover %d to %d", base, low, high+digestSize)
		}
	}
}

func TestSchemeString(t *testing.T) {
	for scheme, want := range map[Scheme]string{
		SchemeSimple:      "simple",
		SchemeDigestAt8:   "digest at 8",
		SchemeDigestAt772: "digest at 772",
	} {
		if got := scheme.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
