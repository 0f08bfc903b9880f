package stage

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Issuer issues certificates for 127.0.0.1.
type Issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	File string // the certificate, for clients
	Last int64  // serial number
}

// NewIssuer makes a certificate authority.
func NewIssuer(t *testing.T) *Issuer {
	t.Helper()
	key := NewKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &Issuer{cert: cert, key: key, pool: x509.NewCertPool(), File: filepath.Join(t.TempDir(), "ca.pem"), Last: 1}
	a.pool.AddCert(cert)
	WriteFile(t, a.File, pemText("CERTIFICATE", der))
	return a
}

// NewKey makes a key.
func NewKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemText(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// WriteFile writes a file that only its owner may read.
func WriteFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Pair is where a certificate, with its chain, and its key lie.
type Pair struct {
	CertFile, KeyFile string
	Key               *ecdsa.PrivateKey
}

// Issue writes a new pair.
func (a *Issuer) Issue(t *testing.T, dir string) *Pair {
	t.Helper()
	p := &Pair{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"), nil}
	p.Key = NewKey(t)
	WriteFile(t, p.CertFile, a.Chain(t, p.Key))
	WriteFile(t, p.KeyFile, KeyText(t, p.Key))
	return p
}

// KeyText is a key as it is stored.
func KeyText(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

// Chain returns a new certificate for a key, with its chain. Its serial number
// is a.last.
func (a *Issuer) Chain(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	a.Last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.Last), Subject: pkix.Name{CommonName: "rtmp.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 3, 0),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(pemText("CERTIFICATE", der), pemText("CERTIFICATE", a.cert.Raw))
}

// Config is that of a client that trusts the issuer.
func (a *Issuer) Config() *tls.Config { return &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"} }

// Settings switch RTMPS on, on a free port.
func (p *Pair) Settings() []string {
	return []string{"SSL_PORT=0", "SSL_CERT=" + p.CertFile, "SSL_KEY=" + p.KeyFile}
}

// SecureAddr is where the server speaks RTMPS.
func (s *Server) SecureAddr() string {
	s.T.Helper()
	return Attr(s.AwaitLine("msg=listening", "protocol=rtmps"), "listen")
}

// SecureURL is where a path is published and played by RTMPS.
func (s *Server) SecureURL(path string) string { return "rtmps://" + s.SecureAddr() + "/" + path }

// DialSecure connects by RTMPS.
func DialSecure(t *testing.T, s *Server, config *tls.Config) *Client {
	t.Helper()
	c, err := DialThrough(t, s.SecureAddr(), func(conn *net.TCPConn) (io.ReadWriter, error) {
		return tls.Client(conn, config), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
