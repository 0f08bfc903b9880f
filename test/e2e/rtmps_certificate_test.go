package e2e

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

// issuer issues certificates for 127.0.0.1.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	file string // the certificate, for clients
	last int64  // serial number
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key := newKey(t)
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
	a := &issuer{cert: cert, key: key, pool: x509.NewCertPool(), file: filepath.Join(t.TempDir(), "ca.pem"), last: 1}
	a.pool.AddCert(cert)
	writeFile(t, a.file, pemText("CERTIFICATE", der))
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
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

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair is where a certificate, with its chain, and its key lie.
type pair struct {
	certFile, keyFile string
	key               *ecdsa.PrivateKey
}

// issue writes a new pair.
func (a *issuer) issue(t *testing.T, dir string) *pair {
	t.Helper()
	p := &pair{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem"), nil}
	p.key = newKey(t)
	writeFile(t, p.certFile, a.chain(t, p.key))
	writeFile(t, p.keyFile, keyText(t, p.key))
	return p
}

func keyText(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

// chain returns a new certificate for a key, with its chain. Its serial number
// is a.last.
func (a *issuer) chain(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	a.last++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(a.last), Subject: pkix.Name{CommonName: "rtmp.test"},
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

// config is that of a client that trusts the issuer.
func (a *issuer) config() *tls.Config { return &tls.Config{RootCAs: a.pool, ServerName: "127.0.0.1"} }

// settings switch RTMPS on, on a free port.
func (p *pair) settings() []string {
	return []string{"SSL_PORT=0", "SSL_CERT=" + p.certFile, "SSL_KEY=" + p.keyFile}
}

// secureAddr is where the server speaks RTMPS.
func (s *server) secureAddr() string {
	s.t.Helper()
	return attr(s.awaitLine("msg=listening", "protocol=rtmps"), "listen")
}

// secureURL is where a path is published and played by RTMPS.
func (s *server) secureURL(path string) string { return "rtmps://" + s.secureAddr() + "/" + path }

// dialSecure connects by RTMPS.
func dialSecure(t *testing.T, s *server, config *tls.Config) *client {
	t.Helper()
	c, err := dialThrough(t, s.secureAddr(), func(conn *net.TCPConn) (io.ReadWriter, error) {
		return tls.Client(conn, config), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
