package e2e

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

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
