//go:build unix

package command

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// redisServer is a real Redis on a port of its own, which it keeps when it is
// started again.
type redisServer struct {
	addr   string
	args   []string
	cmd    *exec.Cmd
	output chan struct{} // closed at its end
}

// newRedis returns a Redis that is not running. portFlag is "--port", or
// "--tls-port" for one that speaks TLS only.
func newRedis(t *testing.T, portFlag string, args ...string) *redisServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	_ = l.Close()
	r := &redisServer{addr: l.Addr().String()}
	r.args = append([]string{
		"--bind", "127.0.0.1", "--dir", t.TempDir(),
		"--save", "", "--appendonly", "no", portFlag, port,
	}, args...)
	t.Cleanup(r.kill)
	return r
}

func startRedis(t *testing.T, args ...string) *redisServer {
	t.Helper()
	r := newRedis(t, "--port", args...)
	r.start(t)
	return r
}

// start returns when Redis accepts connections.
func (r *redisServer) start(t *testing.T) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("%v: install the Debian package redis-server", err)
	}
	r.cmd = exec.Command(path, r.args...)
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan bool, 1)
	r.output = make(chan struct{})
	go func() {
		defer close(r.output)
		text := bufio.NewScanner(out)
		for text.Scan() {
			if strings.Contains(text.Text(), "Ready to accept connections") {
				ready <- true
				break
			}
		}
		_, _ = io.Copy(io.Discard, out)
		close(ready)
	}()
	select {
	case ok := <-ready:
		if !ok {
			t.Fatal("redis-server ended before it was ready")
		}
	case <-time.After(patience):
		t.Fatal("redis-server is not ready")
	}
}

// kill ends Redis at once, if it runs.
func (r *redisServer) kill() {
	if r.cmd == nil || r.cmd.Process == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	<-r.output
	_ = r.cmd.Wait()
	r.cmd = nil
}

// operator is a client that gives commands.
type operator struct {
	net.Conn
	in *bufio.Reader
}

func (r *redisServer) operator(t *testing.T) *operator {
	t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	return newOperator(t, conn)
}

func newOperator(t *testing.T, conn net.Conn) *operator {
	t.Helper()
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &operator{Conn: conn, in: bufio.NewReader(conn)}
}

// do sends a command and returns the line of its reply.
func (o *operator) do(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := io.WriteString(o, array(args...)); err != nil {
		t.Fatal(err)
	}
	line, err := o.in.ReadString('\n')
	if err != nil || line[0] == '-' {
		t.Fatalf("%.60q: %q, %v", args, line, err)
	}
	return strings.TrimSpace(line)
}

// certificate makes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return write("cert.pem", "CERTIFICATE", cert), write("key.pem", "PRIVATE KEY", secret), pool
}
