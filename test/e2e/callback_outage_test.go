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
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// authority is a certificate authority that a server is told to trust.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, file: filepath.Join(t.TempDir(), "ca.pem")}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue returns the TLS side of a host until a time. The authority of a
// self-signed certificate is nil.
func (a *authority) issue(t *testing.T, host string, until time.Time) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: host}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, key
	if a != nil {
		parent, signer = a.certificate, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10,
	}
}

// presents completes TLS with the given certificate, if the server lets it, and
// calls told if anything comes through.
func presents(config *tls.Config, told func()) stage.Misbehaviour {
	return func(conn net.Conn) {
		secure := tls.Server(conn, config)
		if n, _ := secure.Read(make([]byte, 1)); n > 0 {
			told()
		}
	}
}

// ignores does not even read, until the server has given up.
func ignores(conn net.Conn) {
	timer := time.NewTimer(refusalLimit)
	defer timer.Stop()
	<-timer.C
	_, _ = io.Copy(io.Discard, conn)
}

// A backend that was there goes away in every way, before it reads a request:
// publishers are refused in time, and those who publish go on.
func TestBackendThatGoesAwayRefusesThePublisher(t *testing.T) {
	t.Parallel()
	const host = "127.0.0.10" // where nobody else takes the port of a listener that was closed
	ca := newAuthority(t)
	var leaked atomic.Int64
	told := func() { leaked.Add(1) }
	t.Cleanup(func() {
		if n := leaked.Load(); n != 0 {
			t.Errorf("%d backends that nobody can trust were told something", n)
		}
	})
	later, earlier := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	old := ca.issue(t, host, later)
	old.MaxVersion = tls.VersionTLS11
	tests := []struct {
		name   string
		secure bool
		away   stage.Misbehaviour // nil for a closed port
	}{
		{"refused connection", false, nil},
		{"reset at accept", false, stage.Resets},
		{"end at accept", false, stage.Says("")},
		{"silence at accept", false, ignores},
		{"another protocol", false, stage.Hangs("SSH-2.0-OpenSSH_9.9\r\n")},
		{"refused connection over TLS", true, nil},
		{"self-signed certificate", true, presents((*authority)(nil).issue(t, host, later), told)},
		{"expired certificate", true, presents(ca.issue(t, host, earlier), told)},
		{"certificate of another host", true, presents(ca.issue(t, "127.0.0.11", later), told)},
		{"TLS 1.1", true, presents(old, told)},
		{"plain HTTP on an https URL", true, stage.Says(accepting + empty)},
		{"silence within the TLS handshake", true, stage.Hangs("\x16\x03\x03")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := stage.NewBackend(t, host)
			b.Answer = func(w http.ResponseWriter, e stage.Event) {
				w.Header().Set("Connection", "close")
				b.Accept(w, e)
			}
			scheme := "http://"
			if tt.secure {
				b.HTTP.Listener = tls.NewListener(b.Door, ca.issue(t, host, later))
				scheme = "https://"
			}
			b.HTTP.Start()
			b.URL = scheme + b.Door.Addr().String() + "/events"
			s := startCallbackServer(t, b, "SSL_CERT_FILE="+ca.file)
			other := startBystander(t, s)
			if tt.away == nil {
				_ = b.Door.Close()
			} else {
				b.Door.Instead.Store(&tt.away)
			}
			if took, err := publishRefused(t, s, "channel"); err != nil {
				t.Errorf("after %v: %v", took, err)
			}
			if n := b.Started("channel"); n != 0 {
				t.Errorf("the backend was asked %d times", n)
			}
			b.Door.Instead.Store(nil)
			other.finish(t)
			if tt.away == nil {
				s.Kill() // the stop event has nowhere to go
				return
			}
			awaitPairs(t, b, 2*stage.Soon)
		})
	}
}

func TestBackendWithoutAddressRefusesThePublisher(t *testing.T) {
	t.Parallel()
	b := &stage.Backend{URL: "http://backend.invalid/events", Events: stage.NewJournal[stage.Event]()}
	s := startCallbackServer(t, b)
	if took, err := publishRefused(t, s, "channel"); err != nil {
		t.Errorf("after %v: %v", took, err)
	}
}

// After some failures in a row publishers are refused without a question, and
// soon after the backend is back they are accepted again.
func TestBackendThatFailsIsSparedUntilItIsBack(t *testing.T) {
	t.Parallel()
	var back atomic.Bool
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		if back.Load() {
			b.Accept(w, e)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
	})
	s := startCallbackServer(t, b)
	for range failuresInARow {
		if _, err := publishRefused(t, s, "channel"); err != nil {
			t.Fatal(err)
		}
	}
	if took, err := publishRefused(t, s, "channel"); err != nil {
		t.Error(err)
	} else if took > time.Second {
		t.Errorf("a backend known to fail cost %v", took)
	}
	if n := b.Started("channel"); n != failuresInARow {
		t.Errorf("the backend was asked %d times, want %d", n, failuresInARow)
	}
	back.Store(true)
	healed := time.Now()
	for {
		_, err := stage.TryPublish(t, "", s.Addr, "channel/"+stage.CallbackKey)
		if err == nil {
			break
		}
		if time.Since(healed) > stage.Soon {
			t.Fatalf("%v after the backend came back: %v", time.Since(healed), err)
		}
		stage.Pause(t.Context(), 50*time.Millisecond)
	}
	if took := time.Since(healed); took > 3*time.Second {
		t.Errorf("the first publisher was accepted %v after the backend came back", took)
	}
}

// A reply is its header: a body without end costs nobody anything, and the id
// before it counts.
func TestEndlessBodyOfAPermissionIsCut(t *testing.T) {
	t.Parallel()
	const id = "S-ENDLESS"
	var b *stage.Backend
	b = stage.StartBackend(t, "", func(w http.ResponseWriter, e stage.Event) {
		if e.Event == "stop" {
			b.Accept(w, e)
			return
		}
		b.Take(w, stage.Floods("HTTP/1.1 200 OK\r\nstream-id: "+id+"\r\n\r\n", strings.Repeat("x", 4096)))
	})
	s := startCallbackServer(t, b)
	c := stage.Publish(t, s, "channel/"+stage.CallbackKey)
	s.AwaitLine("msg=publish", "stream_id="+id)
	_ = c.Conn.Close()
	if _, stopped := b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.ID == id }); !stopped {
		t.Error("the backend never heard of the end")
	}
}
