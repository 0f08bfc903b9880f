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
)

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	s := startServer(t, ca.issue(t, t.TempDir()).settings()...)
	for version, allowed := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			config := ca.config()
			config.MinVersion, config.MaxVersion = version, version
			conn, err := tls.DialWithDialer(&net.Dialer{Timeout: soon}, "tcp", s.secureAddr(), config)
			if (err == nil) != allowed {
				t.Errorf("handshake: %v", err)
			}
			if err == nil {
				_ = conn.Close()
			}
		})
	}
	s.awaitLines(2, soon, "msg=end", `reason="TLS handshake failed"`)
}

func TestPlainRTMPOnTheRTMPSPortIsClosedAtOnce(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	s := startServer(t, ca.issue(t, t.TempDir()).settings()...)
	start := time.Now()
	if _, err := dialFrom(t, "", s.secureAddr()); err == nil {
		t.Error("a handshake without TLS was accepted")
	}
	_, err := dialThrough(t, s.addr, func(conn *net.TCPConn) (io.ReadWriter, error) {
		return tls.Client(conn, ca.config()), nil
	})
	if err == nil {
		t.Error("the RTMP port speaks TLS")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
	publish(t, s, "channel/key")
	s.awaitLine("msg=publish")
	for _, line := range s.log.all() {
		if strings.Contains(line, "msg=end") {
			t.Errorf("port scans are no news: %s", line)
		}
	}
}

// The limit counts RTMP and RTMPS together.
func TestConnectionLimitIsSharedByBothPorts(t *testing.T) {
	t.Parallel()
	ca := newIssuer(t)
	s := startServer(t, append(ca.issue(t, t.TempDir()).settings(), "MAX_IP_CONCURRENT_CONNECTIONS=2")...)
	dialSecure(t, s, ca.config())
	if _, err := dialFrom(t, "", s.addr); err != nil {
		t.Fatal(err)
	}
	if _, err := dialFrom(t, "", s.addr); err == nil {
		t.Error("a third connection was accepted by RTMP")
	}
	if conn, err := tls.Dial("tcp", s.secureAddr(), ca.config()); err == nil {
		_ = conn.Close()
		t.Error("a third connection was accepted by RTMPS")
	}
}

func TestUnusableCertificateIsOneClearError(t *testing.T) {
	t.Parallel()
	ca, dir := newIssuer(t), t.TempDir()
	good := ca.issue(t, dir)
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		writeFile(t, path, text)
		return path
	}
	secret := keyText(t, newKey(t))
	otherKey := file("other.pem", secret)
	half := ca.chain(t, good.key)
	tests := []struct{ name, cert, key, named string }{
		{"no certificate", filepath.Join(dir, "nowhere.pem"), good.keyFile, "nowhere.pem"},
		{"no key", good.certFile, filepath.Join(dir, "nowhere.pem"), "nowhere.pem"},
		{"key of another", good.certFile, otherKey, "other.pem"},
		{"swapped", good.keyFile, good.certFile, good.keyFile},
		{"no PEM", file("junk.pem", []byte("junk")), good.keyFile, "junk.pem"},
		{"half written", file("half.pem", half[:len(half)-100]), good.keyFile, "half.pem"},
		{"empty", good.certFile, file("empty.pem", nil), "empty.pem"},
		{"directory", dir, good.keyFile, dir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := &pair{certFile: tt.cert, keyFile: tt.key}
			status, stdout, stderr := runServer(t, append(p.settings(), "RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1"))
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
		status, stdout, stderr := runServer(t, []string{given + "=/some/file.pem"})
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
	settings := append(newIssuer(t).issue(t, t.TempDir()).settings(), "RTMP_PORT=0", "BIND_ADDRESS=127.0.0.1", "SSL_PORT="+port)
	status, stdout, stderr := runServer(t, settings)
	if status != 1 || stderr != "" || strings.Count(stdout, "level=ERROR") != 1 || !strings.Contains(stdout, fmt.Sprint(taken.Addr())) {
		t.Errorf("status %d, stderr %q, stdout:\n%s", status, stderr, stdout)
	}
}
