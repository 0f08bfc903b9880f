package rtmp

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
)

// Scheme is the form of the handshake. The value of a digest scheme is the
// offset in C1 and S1 of the block that holds the digest; projects number the
// two schemes in opposite ways, the offset cannot be misread.
type Scheme int

// The forms of the handshake.
const (
	// SchemeSimple is the handshake of RTMP 1.0 section 5.2: random bytes, echoed.
	SchemeSimple Scheme = 0
	// SchemeDigestAt8 is the signed handshake as FFmpeg sends it.
	SchemeDigestAt8 Scheme = 8
	// SchemeDigestAt772 is the signed handshake as Flash Player sends it.
	SchemeDigestAt772 Scheme = 772
)

// String returns "simple", "digest at 8" or "digest at 772".
func (s Scheme) String() string {
	if s == SchemeSimple {
		return "simple"
	}
	return "digest at " + strconv.Itoa(int(s))
}

const (
	digestSize = sha256.Size

	// digestPositions is the number of places for the digest in its block of
	// 764 bytes, which starts with 4 pointer bytes.
	digestPositions = 764 - 4 - digestSize
)

// The signed handshake is not part of the RTMP specification. Flash Player
// 9.0.115 introduced it: whoever knows these constants counts as genuine.
const (
	playerName = "Genuine Adobe Flash Player 001"
	serverName = "Genuine Adobe Flash Media Server 001"
	keyTail    = "\xF0\xEE\xC2\x4A\x80\x68\xBE\xE8\x2E\x00\xD0\xD1\x02\x9E\x7E\x57" +
		"\x6E\xEC\x5D\x2D\x29\x80\x6F\xAB\x93\xB8\xE6\x36\xCF\xEB\x31\xAE"
)

// signer is what one side of the signed handshake signs with.
type signer struct {
	helloKey []byte  // for the digest inside C1 or S1
	echoKey  []byte  // for the signature at the end of C2 or S2
	version  [4]byte // for C1[4:8] or S1[4:8]
}

var (
	clientSigner = signer{
		helloKey: []byte(playerName),
		echoKey:  []byte(playerName + keyTail),
		version:  [4]byte{128, 0, 7, 2}, // as Flash Player
	}
	// FFmpeg as a player verifies S1 and S2 when the first byte is 3 or more,
	// and takes anything else for an unsigned reply.
	serverSigner = signer{
		helloKey: []byte(serverName),
		echoKey:  []byte(serverName + keyTail),
		version:  [4]byte{4, 5, 0, 1}, // as Flash Media Server 4.5
	}
)

// digestOffset returns where the digest of a C1 or S1 lies, given the start of
// its digest block. The sum of four pointer bytes chooses the place, so it is
// within the block for every content.
func digestOffset(hello []byte, base Scheme) int {
	p := hello[base : base+4]
	sum := int(p[0]) + int(p[1]) + int(p[2]) + int(p[3])
	return int(base) + len(p) + sum%digestPositions
}

// findDigest looks for a valid digest in a C1 or S1 and returns its scheme and
// a copy of it, or SchemeSimple and nil. It computes two digests at most.
func findDigest(hello, key []byte) (Scheme, []byte) {
	if [4]byte(hello[4:8]) == [4]byte{} {
		return SchemeSimple, nil
	}
	for _, base := range []Scheme{SchemeDigestAt8, SchemeDigestAt772} {
		at := digestOffset(hello, base)
		digest := helloDigest(hello, at, key)
		if hmac.Equal(digest, hello[at:at+digestSize]) {
			return base, digest
		}
	}
	return SchemeSimple, nil
}

// signHello writes the digest into a C1 or S1 that is otherwise complete.
func signHello(hello []byte, base Scheme, key []byte) {
	at := digestOffset(hello, base)
	copy(hello[at:], helloDigest(hello, at, key))
}

// helloDigest computes the digest of a C1 or S1: over all bytes except those
// at the offset where the digest itself lies.
func helloDigest(hello []byte, at int, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(hello[:at])
	mac.Write(hello[at+digestSize:])
	return mac.Sum(nil)
}

// signEcho writes into the last 32 bytes of a C2 or S2 the signature over the
// bytes before them. Its key is bound to the digest that the peer sent.
func signEcho(echo, peerDigest, key []byte) {
	mac := hmac.New(sha256.New, echoKey(peerDigest, key))
	body := echo[:len(echo)-digestSize]
	mac.Write(body)
	mac.Sum(body) // appends, which is in place
}

func echoKey(peerDigest, key []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(peerDigest)
	return mac.Sum(nil)
}
