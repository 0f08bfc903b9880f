package access

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// authority signs the certificates of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func (a authority) pem() string { return encodePEM("CERTIFICATE", a.cert.Raw) }

// issue returns a certificate, without chain, and its key in PEM.
func (a authority) issue(t testing.TB, serial int64, lifetime time.Duration) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "live.test"}, DNSNames: []string{"live.test"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(lifetime),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", pkcs8)
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

const aYear = 365 * 24 * time.Hour

// logBuffer holds log lines without times.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// take returns what was logged since the last call.
func (b *logBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

// files is a pair on disk.
type files struct{ cert, key string }

func newFiles(t testing.TB) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")}
}

func (f files) write(t testing.TB, cert, key string) {
	t.Helper()
	for name, text := range map[string]string{f.cert: cert, f.key: key} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *Certificate) serial() int64 { return c.current.Load().Leaf.SerialNumber.Int64() }

func TestUnusablePairIsAnErrorThatNamesTheFile(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, 2, aYear)
	_, otherKey := ca.issue(t, 3, aYear)
	tests := []struct {
		name, cert, key string
		want            []string
	}{
		{"no certificate", "", key, []string{"fullchain.pem", "failed to find any PEM data"}},
		{"no key", cert, "", []string{"privkey.pem", "failed to find any PEM data"}},
		{"another key", cert, otherKey, []string{"fullchain.pem", "privkey.pem", "does not match"}},
		{"swapped", key, cert, []string{"fullchain.pem", "switched"}},
		{"half a certificate", cert[:len(cert)/2], key, []string{"fullchain.pem"}},
		{"half a key", cert, key[:len(key)/2], []string{"privkey.pem"}},
		{"half a chain", cert + ca.pem()[:200], key, []string{"fullchain.pem", "ends within a PEM block"}},
		{"junk in the chain", cert + encodePEM("CERTIFICATE", []byte("junk")), key, []string{"fullchain.pem", "in its chain"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFiles(t)
			f.write(t, test.cert, test.key)
			c, err := LoadCertificate(f.cert, f.key, slog.New(slog.DiscardHandler))
			if err == nil {
				t.Fatal("it was loaded:", c.serial())
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "PRIVATE") || strings.ContainsAny(err.Error(), "=+") {
				t.Errorf("error %q quotes the files", err)
			}
		})
	}
	f := newFiles(t)
	for _, missing := range []string{f.cert, f.key} {
		f.write(t, cert, key)
		_ = os.Remove(missing)
		if _, err := LoadCertificate(f.cert, f.key, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
}

func TestFaultsOfTheCertificateAreWarnedAbout(t *testing.T) {
	ca := newAuthority(t)
	chained := func(lifetime time.Duration) (string, string) {
		cert, key := ca.issue(t, 2, lifetime)
		return "# comments may stand between\n" + cert + "\n" + ca.pem(), key
	}
	selfSigned := func() (string, string) {
		pkcs8, err := x509.MarshalPKCS8PrivateKey(ca.key)
		if err != nil {
			t.Fatal(err)
		}
		return ca.pem(), encodePEM("PRIVATE KEY", pkcs8)
	}
	tests := []struct {
		name  string
		files func() (string, string)
		want  string // in the warning, empty for none
	}{
		{"chain", func() (string, string) { return chained(aYear) }, ""},
		{"no chain", func() (string, string) { return ca.issue(t, 2, aYear) }, "no chain: use fullchain.pem"},
		{"self-signed", selfSigned, ""},
		{"15 days left", func() (string, string) { return chained(15 * 24 * time.Hour) }, ""},
		{"13 days left", func() (string, string) { return chained(13 * 24 * time.Hour) }, "expires soon"},
		{"expired", func() (string, string) { return chained(-time.Hour) }, "has expired"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log logBuffer
			f := newFiles(t)
			cert, key := test.files()
			f.write(t, cert, key)
			if _, err := LoadCertificate(f.cert, f.key, log.logger()); err != nil {
				t.Fatal(err)
			}
			got := log.take()
			if strings.Count(got, "certificate loaded") != 1 || !strings.Contains(got, "subject=") || !strings.Contains(got, "not_after=") {
				t.Errorf("log %q", got)
			}
			if warned := strings.Count(got, "level=WARN"); warned > 1 || (warned == 1) != (test.want != "") || !strings.Contains(got, test.want) {
				t.Errorf("log %q, want %q", got, test.want)
			}
		})
	}
}

// Whatever is wrong with the new files, the old pair stays, and the log says so once.
func TestBrokenReplacementKeepsTheOldPair(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, 2, aYear)
	cert += ca.pem()
	newCert, newKey := ca.issue(t, 3, aYear)
	newCert += ca.pem()
	tests := []struct {
		name   string
		damage func(t *testing.T, f files)
	}{
		{"half-written certificate", func(t *testing.T, f files) { f.write(t, newCert[:len(newCert)/3], newKey) }},
		{"half-written chain", func(t *testing.T, f files) { f.write(t, newCert[:len(newCert)-40], newKey) }},
		{"half-written key", func(t *testing.T, f files) { f.write(t, newCert, newKey[:50]) }},
		{"empty files", func(t *testing.T, f files) { f.write(t, "", "") }},
		{"wrong key", func(t *testing.T, f files) { f.write(t, newCert, key) }},
		{"certificate deleted", func(_ *testing.T, f files) { _ = os.Remove(f.cert) }},
		{"key deleted", func(_ *testing.T, f files) { _ = os.Remove(f.key) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var log logBuffer
			f := newFiles(t)
			f.write(t, cert, key)
			c, err := LoadCertificate(f.cert, f.key, log.logger())
			if err != nil {
				t.Fatal(err)
			}
			log.take()
			c.check()
			if got := log.take(); got != "" {
				t.Errorf("unchanged files were logged: %q", got)
			}
			for range 2 {
				test.damage(t, f)
				c.check()
				c.check()
				if got := log.take(); strings.Count(got, "level=ERROR") != 1 || strings.Count(got, "\n") != 1 || c.serial() != 2 {
					t.Errorf("serial %d, log %q", c.serial(), got)
				}
				f.write(t, cert, key) // as it was: nothing to tell, but the next failure is a new one
				c.check()
				if got := log.take(); got != "" {
					t.Errorf("the old files were logged: %q", got)
				}
			}
			test.damage(t, f)
			c.check()
			f.write(t, newCert, newKey)
			log.take()
			c.check()
			c.check()
			if got := log.take(); strings.Count(got, "certificate loaded") != 1 || strings.Count(got, "\n") != 1 || c.serial() != 3 {
				t.Errorf("serial %d, log %q", c.serial(), got)
			}
		})
	}
}

func TestDistinctFailuresAreLoggedApart(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(t, 2, aYear)
	var log logBuffer
	f := newFiles(t)
	f.write(t, cert, key)
	c, err := LoadCertificate(f.cert, f.key, log.logger())
	if err != nil {
		t.Fatal(err)
	}
	log.take()
	f.write(t, "", key)
	c.check()
	c.check()
	_ = os.Remove(f.cert)
	c.check()
	c.check()
	if got := log.take(); strings.Count(got, "level=ERROR") != 2 {
		t.Errorf("log %q", got)
	}
}

// Kubernetes and certbot replace certificates by pointing a symbolic link elsewhere.
func TestSymlinkSwapIsNoticed(t *testing.T) {
	ca := newAuthority(t)
	dir := t.TempDir()
	for name, serial := range map[string]int64{"a": 2, "b": 3} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		cert, key := ca.issue(t, serial, aYear)
		files{filepath.Join(dir, name, "cert.pem"), filepath.Join(dir, name, "key.pem")}.write(t, cert, key)
	}
	live, next := filepath.Join(dir, "live"), filepath.Join(dir, "next")
	if err := os.Symlink("a", live); err != nil {
		t.Fatal(err)
	}
	c, err := LoadCertificate(filepath.Join(live, "cert.pem"), filepath.Join(live, "key.pem"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("b", next); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, live); err != nil {
		t.Fatal(err)
	}
	c.check()
	if c.serial() != 3 {
		t.Errorf("serial %d", c.serial())
	}
}

func TestWatchLooksAtEachInterval(t *testing.T) {
	ca := newAuthority(t)
	f := newFiles(t)
	synctest.Test(t, func(t *testing.T) {
		cert, key := ca.issue(t, 2, aYear)
		f.write(t, cert, key)
		c, err := LoadCertificate(f.cert, f.key, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.Watch(t.Context(), 0) // returns
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			c.Watch(ctx, time.Minute)
			close(stopped)
		}()
		cert, key = ca.issue(t, 3, aYear)
		f.write(t, cert, key)
		after(59 * time.Second)
		if c.serial() != 2 {
			t.Error("loaded before its time")
		}
		after(time.Second)
		if c.serial() != 3 {
			t.Error("not loaded after a minute")
		}
		cancel()
		<-stopped
	})
}

// after lets time pass in a bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestExpiryIsRepeatedDaily(t *testing.T) {
	ca := newAuthority(t)
	f := newFiles(t)
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		cert, key := ca.issue(t, 2, 16*24*time.Hour)
		cert += ca.pem()
		f.write(t, cert, key)
		c, err := LoadCertificate(f.cert, f.key, log.logger())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			c.Watch(ctx, 10*time.Hour)
			close(stopped)
		}()
		after(47 * time.Hour)
		if got := log.take(); strings.Contains(got, "WARN") {
			t.Errorf("after 47 h: %q", got)
		}
		after(3 * time.Hour)
		if got := log.take(); strings.Count(got, "expires soon") != 1 {
			t.Errorf("after 50 h: %q", got)
		}
		after(20 * time.Hour)
		if got := log.take(); got != "" {
			t.Errorf("within a day of the first warning: %q", got)
		}
		after(100 * 24 * time.Hour)
		got := log.take()
		if soon, gone := strings.Count(got, "expires soon"), strings.Count(got, "has expired"); soon+gone != 80 || gone < 60 {
			// With a look each 10 h, a day has passed at each third one.
			t.Errorf("in 100 days %d times soon, %d times expired", soon, gone)
		}
		cert, key = ca.issue(t, 3, aYear)
		f.write(t, cert+ca.pem(), key)
		after(100 * 24 * time.Hour)
		if got := log.take(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "certificate loaded") {
			t.Errorf("after the renewal: %q", got)
		}
		cancel()
		<-stopped
	})
}

// serveTLS accepts until the test ends and echoes one line on each connection.
func serveTLS(t *testing.T, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer shut(nc)
				c := tls.Server(nc, config)
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { shut(l); wg.Wait() })
	return l.Addr().String()
}

func TestReplacementUnderContinuousHandshakes(t *testing.T) {
	const replacements = 50
	ca := newAuthority(t)
	f := newFiles(t)
	cert, key := ca.issue(t, 100, aYear)
	f.write(t, cert+ca.pem(), key)
	c, err := LoadCertificate(f.cert, f.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { c.Watch(ctx, time.Millisecond) })
	defer wg.Wait()
	defer cancel()

	addr := serveTLS(t, c.TLSConfig())
	config := &tls.Config{RootCAs: ca.pool(), ServerName: "live.test"}
	session, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	defer shut(session)

	handshakes := make(chan int64) // the serial of the certificate in each one
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				client, err := tls.Dial("tcp", addr, config)
				if err != nil {
					t.Errorf("handshake failed: %v", err)
					cancel()
					return
				}
				serial := client.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
				shut(client)
				select {
				case handshakes <- serial:
				case <-ctx.Done():
				}
			}
		})
	}
	for i := range int64(replacements) {
		cert, key := ca.issue(t, 101+i, aYear)
		// The files are never right at the same time until the second one is written.
		f.write(t, cert+ca.pem(), key)
		for served := int64(0); served != 101+i; {
			select {
			case served = <-handshakes:
			case <-ctx.Done():
				t.Fatal("a handshake failed")
			}
		}
	}
	if _, err := io.WriteString(session, "alive"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(session, buf); err != nil || !bytes.Equal(buf, []byte("alive")) {
		t.Errorf("the session from before: %q, %v", buf, err)
	}
}

func TestOldTLSVersionsAreRefused(t *testing.T) {
	ca := newAuthority(t)
	f := newFiles(t)
	cert, key := ca.issue(t, 2, aYear)
	f.write(t, cert+ca.pem(), key)
	c, err := LoadCertificate(f.cert, f.key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addr := serveTLS(t, c.TLSConfig())
	for version, accepted := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		client, err := tls.Dial("tcp", addr, &tls.Config{
			RootCAs: ca.pool(), ServerName: "live.test", MinVersion: version, MaxVersion: version,
		})
		if (err == nil) != accepted {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			shut(client)
		}
	}
}
