package faults

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// replaceFile puts text in the place of a file in one step.
func replaceFile(t *testing.T, path string, text []byte) {
	t.Helper()
	stage.WriteFile(t, path+".new", text)
	if err := os.Rename(path+".new", path); err != nil {
		t.Error(err)
	}
}

// handshakes connects again and again until ctx ends.
func (f *fault) handshakes(ctx context.Context) (done int64) {
	for ; ctx.Err() == nil; done++ {
		conn, err := (&tls.Dialer{Config: f.issuer.Config()}).DialContext(f.Context(), "tcp", f.server.SecureAddr())
		if err != nil {
			f.Errorf("handshake %d: %v", done, err)
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
	const every = 50 * time.Millisecond
	f := begin(t, "F6", "SSL_CHECK_RELOAD_SECONDS=1")
	f.complaints = "new certificate not usable, the old one stays in use"
	replacements := f.scale(60, 600)
	ca, p, dir := f.issuer, f.pair, t.TempDir()

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var load sync.WaitGroup
	var total atomic.Int64
	for range 2 {
		load.Go(func() { total.Add(f.handshakes(ctx)) })
	}
	linked := 0
	ways := []func(){
		func() { replaceFile(t, p.CertFile, ca.Chain(t, p.Key)) }, // renewed with the same key
		func() { // and with another one, the two files one after the other
			p.Key = stage.NewKey(t)
			replaceFile(t, p.CertFile, ca.Chain(t, p.Key))
			replaceFile(t, p.KeyFile, stage.KeyText(t, p.Key))
		},
		func() { // half of it is written
			text := ca.Chain(t, p.Key)
			stage.WriteFile(t, p.CertFile, text[:len(text)/3])
		},
		func() { replaceFile(t, p.KeyFile, stage.KeyText(t, stage.NewKey(t))) }, // a wrong key
		func() { _ = os.Remove(p.CertFile) },
		func() { // both files become links into another directory, as certbot has it
			linked++
			fresh := filepath.Join(dir, "archive", string(rune('a'+linked)))
			if err := os.MkdirAll(fresh, 0o700); err != nil {
				t.Error(err)
			}
			q := ca.Issue(t, fresh)
			p.Key = q.Key
			for link, target := range map[string]string{p.CertFile: q.CertFile, p.KeyFile: q.KeyFile} {
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
		stage.Pause(t.Context(), every)
	}
	p.Key = stage.NewKey(t)
	replaceFile(t, p.CertFile, ca.Chain(t, p.Key))
	replaceFile(t, p.KeyFile, stage.KeyText(t, p.Key))
	last := ca.Last
	f.awaitSerial(last, 2*time.Second)
	cancel()
	load.Wait()
	f.figure("replacements", replacements)
	f.figure("handshakes meanwhile", total.Load())
	if total.Load() < 50 {
		t.Errorf("only %d handshakes were done meanwhile", total.Load())
	}
}

// awaitSerial wants new connections to be shown a certificate in time.
func (f *fault) awaitSerial(serial int64, within time.Duration) {
	f.Helper()
	for start := time.Now(); ; stage.Pause(f.Context(), 20*time.Millisecond) {
		conn, err := (&tls.Dialer{Config: f.issuer.Config()}).DialContext(f.Context(), "tcp", f.server.SecureAddr())
		if err != nil {
			f.Fatal(err)
		}
		got := conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		_ = conn.Close()
		if got == serial {
			return
		}
		if time.Since(start) > within {
			f.Fatalf("certificate %d is still served after %v, want %d", got, within, serial)
		}
	}
}
