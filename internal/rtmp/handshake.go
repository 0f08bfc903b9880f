package rtmp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	// Version is the content of C0 and S0, RTMP 1.0 section 5.2.2.
	Version = 3

	// HandshakeSize is the length in bytes of each of C1, S1, C2 and S2.
	HandshakeSize = 1536

	// helloSize is C0 and C1, or S0 and S1.
	helloSize = 1 + HandshakeSize
)

// ForeignProtocolError says that the first byte of the peer is not [Version].
// It wraps [ErrProtocol].
type ForeignProtocolError struct {
	// Seen names what the peer speaks: "TLS", "HTTP", "RTMPE",
	// "PROXY protocol" or "unknown version N". It holds no bytes of the peer
	// and has few values, so it may be logged and used as a label.
	Seen string
}

func (e *ForeignProtocolError) Error() string {
	return "not plain RTMP: peer speaks " + e.Seen
}

// Unwrap returns [ErrProtocol].
func (e *ForeignProtocolError) Unwrap() error { return ErrProtocol }

// HandshakeOptions carries what the handshake takes from its surroundings.
type HandshakeOptions struct {
	// Random fills S1 or C1: 1528 bytes are read. It need not be
	// cryptographic. Required.
	Random io.Reader

	// Time goes into S1 or C1: milliseconds since any moment, often 0.
	Time uint32
}

// Handshake tells what the two sides agreed on.
type Handshake struct {
	// Scheme is the form of the handshake.
	Scheme Scheme

	// PeerVersion is what the peer announced in C1 or S1: zero from most
	// peers, {9, 0, 124, 2} from FFmpeg. With [SchemeSimple], a value other
	// than zero means that the digest of the peer was absent or wrong.
	PeerVersion [4]byte
}

// AcceptHandshake performs the server side of the handshake. It replies in the
// scheme of the client: signed if C1 holds a valid digest, simple otherwise.
//
// It reads exactly 3073 bytes; clients send their first commands in the same
// segment as C2, so r must be the buffered reader that the chunk reader uses
// afterwards. S0, S1 and S2 go to w in one Write, before C2 is read: FFmpeg and
// GStreamer send C2 only when they have all three. The content of C2 is
// ignored, as FFmpeg and many devices do not sign or echo as they should.
//
// The caller bounds the time. A peer that closes before its first byte, as port
// probes do, gives an error that wraps io.EOF; one that closes later,
// io.ErrUnexpectedEOF; one with another protocol, a [*ForeignProtocolError], and
// then nothing is written.
func AcceptHandshake(r io.Reader, w io.Writer, o HandshakeOptions) (Handshake, error) {
	hello := make([]byte, helloSize)
	if err := readHello(r, hello); err != nil {
		return Handshake{}, fmt.Errorf("handshake: read C0 and C1: %w", err)
	}
	reply, hs, err := respond(hello[1:], o)
	if err != nil {
		return Handshake{}, err
	}
	if _, err := w.Write(reply); err != nil {
		return Handshake{}, fmt.Errorf("handshake: write S0, S1 and S2: %w", err)
	}
	if err := skipEcho(r, hello[1:]); err != nil {
		return Handshake{}, fmt.Errorf("handshake: read C2: %w", noEOF(err))
	}
	return hs, nil
}

// skipEcho reads C2, which fills room. The peer may take its time with it, and a
// buffered reader needs no room meanwhile.
func skipEcho(r io.Reader, room []byte) error {
	if buffered, ok := r.(Source); ok {
		_, err := buffered.Discard(len(room))
		return err
	}
	_, err := io.ReadFull(r, room)
	return err
}

// respond lays out S0, S1 and S2.
func respond(c1 []byte, o HandshakeOptions) ([]byte, Handshake, error) {
	reply := make([]byte, helloSize+HandshakeSize)
	s1, s2 := reply[1:helloSize], reply[helloSize:]
	copy(s2, c1) // S2 echoes it
	hs := Handshake{PeerVersion: [4]byte(s2[4:8])}
	scheme, digest := findDigest(s2, clientSigner.helloKey)
	hs.Scheme = scheme

	reply[0] = Version
	if err := fillHello(s1, scheme, &serverSigner, o); err != nil {
		return nil, Handshake{}, fmt.Errorf("handshake: fill S1: %w", err)
	}
	if scheme != SchemeSimple {
		signEcho(s2, digest, serverSigner.echoKey)
	}
	return reply, hs, nil
}

// DialHandshake performs the client side of the handshake, with a C1 of the
// given scheme. [SchemeSimple] suits every current server; Flash Media Server
// wants a digest from whoever plays H.264. A server may answer in another
// scheme; C2 follows the server.
//
// It reads exactly 3073 bytes, and all of them before it writes C2, as FFmpeg
// does. S2 is not verified: servers disagree on it and it protects nothing.
// The options, bounds and errors are those of [AcceptHandshake].
func DialHandshake(r io.Reader, w io.Writer, scheme Scheme, o HandshakeOptions) (Handshake, error) {
	buf := make([]byte, helloSize+HandshakeSize)
	buf[0] = Version
	hello := buf[1:helloSize]
	if err := fillHello(hello, scheme, &clientSigner, o); err != nil {
		return Handshake{}, fmt.Errorf("handshake: fill C1: %w", err)
	}
	if _, err := w.Write(buf[:helloSize]); err != nil {
		return Handshake{}, fmt.Errorf("handshake: write C0 and C1: %w", err)
	}
	if err := readHello(r, buf); err != nil {
		return Handshake{}, fmt.Errorf("handshake: read S0, S1 and S2: %w", err)
	}
	// What was C1 is S1 now, and becomes C2, which echoes it.
	hs := Handshake{PeerVersion: [4]byte(hello[4:8])}
	found, digest := findDigest(hello, serverSigner.helloKey)
	hs.Scheme = found
	if found != SchemeSimple {
		signEcho(hello, digest, clientSigner.echoKey)
	}
	if _, err := w.Write(hello); err != nil {
		return Handshake{}, fmt.Errorf("handshake: write C2: %w", err)
	}
	return hs, nil
}

// fillHello lays out a C1 or S1. The version is zero in the simple form: FFmpeg
// as a player refuses a simple S1 that seems to announce a digest.
func fillHello(hello []byte, scheme Scheme, s *signer, o HandshakeOptions) error {
	binary.BigEndian.PutUint32(hello, o.Time)
	clear(hello[4:8])
	if _, err := io.ReadFull(o.Random, hello[8:]); err != nil {
		return noEOF(err)
	}
	if scheme != SchemeSimple {
		copy(hello[4:8], s.version[:])
		signHello(hello, scheme, s.helloKey)
	}
	return nil
}

// readHello fills p, which starts with the version byte of the peer. It judges
// the peer by what the first Read brings: one that speaks another protocol may
// never send as much as p holds.
func readHello(r io.Reader, p []byte) error {
	n, err := io.ReadAtLeast(r, p, 1)
	if err != nil {
		return err
	}
	if p[0] != Version {
		return &ForeignProtocolError{Seen: foreignProtocol(p[:n])}
	}
	_, err = io.ReadFull(r, p[n:])
	return noEOF(err)
}

// foreignProtocol names what starts with the given bytes, one at least.
func foreignProtocol(first []byte) string {
	const proxyV1, proxyV2 = "PROXY ", "\r\n\r\n\x00\r\nQUIT\n"
	switch c := first[0]; {
	case bytes.HasPrefix(first, []byte(proxyV1)), bytes.HasPrefix(first, []byte(proxyV2)):
		return "PROXY protocol"
	case c == 0x16, c == 0x15: // handshake record, alert record
		return "TLS"
	case c == 6, c == 8, c == 9: // RC4, and its XTEA and Blowfish variants
		return "RTMPE"
	case strings.IndexByte("CDGHOPT", c) >= 0: // methods, "HTTP/1.1", RTMPT
		return "HTTP"
	default:
		return "unknown version " + strconv.Itoa(int(c))
	}
}

// noEOF returns err, or io.ErrUnexpectedEOF for io.EOF.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
