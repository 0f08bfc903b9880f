package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s := stage.Start(t, ca.Issue(t, t.TempDir()).Settings()...)
	for version, allowed := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			config := ca.Config()
			config.MinVersion, config.MaxVersion = version, version
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: stage.Soon}, "tcp", s.SecureAddr(), config)
			if (err == nil) != allowed {
				t.Errorf("handshake: %v", err)
			}
			if err == nil {
				_ = conn.Close()
			}
		})
	}
	s.AwaitLines(2, stage.Soon, "msg=end", `reason="TLS handshake failed"`)
}

func TestPlainRTMPOnTheRTMPSPortIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s := stage.Start(t, ca.Issue(t, t.TempDir()).Settings()...)
	start := time.Now()
	if _, err := stage.DialFrom(t, "", s.SecureAddr()); err == nil {
		t.Error("a handshake without TLS was accepted")
	}
	_, err := stage.DialThrough(t, s.Addr, func(conn *net.TCPConn) (io.ReadWriter, error) {
		return tls.Client(conn, ca.Config()), nil
	})
	if err == nil {
		t.Error("the RTMP port speaks TLS")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	stage.Publish(t, s, "channel/key")
	s.AwaitLine("msg=publish")
	for _, line := range s.Log.All() {
		if strings.Contains(line, "msg=end") {
			t.Errorf("port scans are no news: %s", line)
		}
	}
}

// The limit counts RTMP and RTMPS together.
func TestConnectionLimitIsSharedByBothPorts(t *testing.T) {
	t.Parallel()
	ca := stage.NewIssuer(t)
	s := stage.Start(t, append(ca.Issue(t, t.TempDir()).Settings(), "MAX_IP_CONCURRENT_CONNECTIONS=2")...)
	stage.DialSecure(t, s, ca.Config())
	if _, err := stage.DialFrom(t, "", s.Addr); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.DialFrom(t, "", s.Addr); err == nil {
		t.Error("a third connection was accepted by RTMP")
	}
	if conn, err := tls.Dial("tcp", s.SecureAddr(), ca.Config()); err == nil {
		_ = conn.Close()
		t.Error("a third connection was accepted by RTMPS")
	}
}

func TestUnusableCertificateIsOneClearError(t *testing.T) {
	t.Parallel()
	ca, dir := stage.NewIssuer(t), t.TempDir()
	good := ca.Issue(t, dir)
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		stage.WriteFile(t, path, text)
		return path
	}
	secret := stage.KeyText(t, stage.NewKey(t))
	otherKey := file("other.pem", secret)
	half := ca.Chain(t, good.Key)
	tests := []struct{ name, cert, key, named string }{
		{"no certificate", filepath.Join(dir, "nowhere.pem"), good.KeyFile, "nowhere.pem"},
		{"no key", good.CertFile, filepath.Join(dir, "nowhere.pem"), "nowhere.pem"},
		{"key of another", good.CertFile, otherKey, "other.pem"},
		{"swapped", good.KeyFile, good.CertFile, good.KeyFile},
		{"no PEM", file("junk.pem", []byte("junk")), good.KeyFile, "junk.pem"},
		{"half written", file("half.pem", half[:len(half)-100]), good.KeyFile, "half.pem"},
		{"empty", good.CertFile, file("empty.pem", nil), "empty.pem"},
		{"directory", dir, good.KeyFile, dir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &stage.Pair{CertFile: tt.cert, KeyFile: tt.key}
			status, stdout, stderr := stage.Run(t, append(p.Settings(), "RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1"))
			var complaints []string
			for line := range strings.Lines(stdout) {
				if strings.Contains(line, "level=ERROR") {
					complaints = append(complaints, line)
				}
			}
			if status != 1 || stderr != "" || strings.Contains(stdout, "msg=listening") {
				t.Errorf("status %d, stderr %q, stdout:\n%s", status, stderr, stdout)
			}
			if len(complaints) != 1 || !strings.Contains(complaints[0], tt.named) || !strings.Contains(complaints[0], "certificate") {
				t.Errorf("it says %q", complaints)
			}
			for line := range strings.Lines(string(secret)) {
				if strings.Contains(stdout, strings.TrimSpace(line)) && !strings.HasPrefix(line, "-----") {
					t.Error("it shows the private key")
				}
			}
		})
	}
}

func TestCertificateAndKeyBelongTogether(t *testing.T) {
	t.Parallel()
	for given, missing := range map[string]string{"SSL_CERT": "SSL_KEY", "SSL_KEY": "SSL_CERT"} {
		status, stdout, stderr := stage.Run(t, []string{given + "=/some/file.pem"})
		if status != 2 || stdout != "" || !strings.Contains(stderr, missing) || !strings.Contains(stderr, given) {
			t.Errorf("%s alone: status %d, stdout %q, stderr %q", given, status, stdout, stderr)
		}
	}
}

func TestRTMPSPortInUseIsOneClearError(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	settings := append(stage.NewIssuer(t).Issue(t, t.TempDir()).Settings(), "RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1", "SSL_PORT="+port)
	status, stdout, stderr := stage.Run(t, settings)
	if status != 1 || stderr != "" || strings.Count(stdout, "level=ERROR") != 1 || !strings.Contains(stdout, fmt.Sprint(taken.Addr())) {
		t.Errorf("status %d, stderr %q, stdout:\n%s", status, stderr, stdout)
	}
}
