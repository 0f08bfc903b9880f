package e2e

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// stopAllowing is stop for a server that had reason to log certain errors.
func (s *server) stopAllowing(errors string) {
	s.t.Helper()
	s.stopped = true
	s.signal(syscall.SIGTERM)
	if s.awaitExit(stopLimit); s.status != nil {
		s.t.Errorf("server ended with %v", s.status)
	}
	for _, line := range s.log.all() {
		if strings.Contains(line, "DATA RACE") || strings.Contains(line, "panic") ||
			strings.Contains(line, "level=ERROR") && !strings.Contains(line, errors) {
			s.t.Errorf("server says: %s", line)
		}
	}
}

// replaceFile puts text in the place of a file in one step.
func replaceFile(t *testing.T, path string, text []byte) {
	t.Helper()
	writeFile(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Error(err)
	}
}

// handshakes connects again and again until ctx ends.
func handshakes(ctx context.Context, t *testing.T, s *server, config *tls.Config) (done int64) {
	for ; ctx.Err() == nil; done++ {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.secureAddr())
		if err != nil {
			t.Errorf("handshake %d: %v", done, err)
			return done
		}
		_ = conn.Close()
	}
	return done
}

// The certificate is renewed in every way, good and bad, while clients connect
// and a stream goes on.
func TestCertificateIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	const replacements, every = 80, 50 * time.Millisecond
	ca, dir := newIssuer(t), t.TempDir()
	p := ca.issue(t, dir)
	s := startServer(t, append(p.settings(), "SSL_CHECK_RELOAD_SECONDS=1", "MAX_IP_CONCURRENT_CONNECTIONS=0")...)
	n := startNumbered(t, dialSecure(t, s, ca.config()), dialSecure(t, s, ca.config()), "channel")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var load sync.WaitGroup
	var total atomic.Int64
	for range 2 {
		load.Go(func() { total.Add(handshakes(ctx, t, s, ca.config())) })
	}
	linked := 0
	ways := []func(){
		func() { replaceFile(t, p.certFile, ca.chain(t, p.key)) }, // renewed with the same key
		func() { // and with another one, the two files one after the other
			p.key = newKey(t)
			replaceFile(t, p.certFile, ca.chain(t, p.key))
			replaceFile(t, p.keyFile, keyText(t, p.key))
		},
		func() { // half of it is written
			text := ca.chain(t, p.key)
			writeFile(t, p.certFile, text[:len(text)/3])
		},
		func() { replaceFile(t, p.keyFile, keyText(t, newKey(t))) }, // a wrong key
		func() { _ = os.Remove(p.certFile) },
		func() { // both files become links into another directory, as certbot has it
			linked++
			fresh := filepath.Join(dir, "archive", string(rune('a'+linked)))
			if err := os.MkdirAll(fresh, 0o700); err != nil {
				t.Error(err)
			}
			q := ca.issue(t, fresh)
			p.key = q.key
			for link, target := range map[string]string{p.certFile: q.certFile, p.keyFile: q.keyFile} {
				if err := os.Symlink(target, link+".link"); err != nil {
					t.Error(err)
				}
				if err := os.Rename(link+".link", link); err != nil {
					t.Error(err)
				}
			}
		},
	}
	for i := range replacements {
		ways[i%len(ways)]()
		pause(t.Context(), every)
	}
	p.key = newKey(t)
	replaceFile(t, p.certFile, ca.chain(t, p.key))
	replaceFile(t, p.keyFile, keyText(t, p.key))
	last := ca.last
	awaitSerial(t, s, ca.config(), last, 2*time.Second)
	cancel()
	load.Wait()
	n.flows()
	n.checkUnharmed()
	if total.Load() < 50 {
		t.Errorf("only %d handshakes were done meanwhile", total.Load())
	}
	s.stopAllowing("new certificate not usable, the old one stays in use")
}

// awaitSerial wants new connections to be shown a certificate in time.
func awaitSerial(t *testing.T, s *server, config *tls.Config, serial int64, within time.Duration) {
	t.Helper()
	for start := time.Now(); ; pause(t.Context(), 20*time.Millisecond) {
		conn, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", s.secureAddr())
		if err != nil {
			t.Fatal(err)
		}
		got := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		_ = conn.Close()
		if got == serial {
			return
		}
		if time.Since(start) > within {
			t.Fatalf("certificate %d is still served after %v, want %d", got, within, serial)
		}
	}
}
