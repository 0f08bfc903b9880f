package httpflv

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/media"
)

// film reads a body as FLV.
type film struct {
	t  *testing.T
	in io.Reader
}

// open reads the header of FLV, and checks what it announces.
func open(t *testing.T, in io.Reader, flags string) *film {
	t.Helper()
	var header [media.FLVHeaderSize + media.BackPointerSize]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		t.Fatalf("read the header: %v", err)
	}
	if got := fmt.Sprintf("%s%x", header[:3], header[4]); got != "FLV"+flags {
		t.Fatalf("the header is %s with the flags %s, want FLV with %s", header[:3], got[3:], flags)
	}
	return &film{t: t, in: in}
}

// tag reads one tag with its back pointer.
func (f *film) tag() (media.Tag, error) {
	var header [media.TagHeaderSize]byte
	if _, err := io.ReadFull(f.in, header[:]); err != nil {
		return media.Tag{}, err
	}
	size := int(header[1])<<16 | int(header[2])<<8 | int(header[3])
	body := make([]byte, size+media.BackPointerSize)
	if _, err := io.ReadFull(f.in, body); err != nil {
		return media.Tag{}, err
	}
	return media.Tag{
		Type:      media.TagType(header[0]),
		Timestamp: uint32(header[7])<<24 | uint32(header[4])<<16 | uint32(header[5])<<8 | uint32(header[6]),
		Payload:   body[:size],
	}, nil
}

// want reads as many tags as there are letters, which say what they are.
func (f *film) want(kinds string) (timestamps []uint32) {
	f.t.Helper()
	got := ""
	for range kinds {
		tag, err := f.tag()
		if err != nil {
			f.t.Fatalf("after %q: %v", got, err)
		}
		got += kindOf(tag)
		timestamps = append(timestamps, tag.Timestamp)
	}
	if got != kinds {
		f.t.Fatalf("got %s, want %s", got, kinds)
	}
	return timestamps
}

// wantEnd reads the end of the body.
func (f *film) wantEnd() {
	f.t.Helper()
	if tag, err := f.tag(); !errors.Is(err, io.EOF) {
		f.t.Fatalf("got %s, %v, want the end", kindOf(tag), err)
	}
}

// testCertificate is for 127.0.0.1.
func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
