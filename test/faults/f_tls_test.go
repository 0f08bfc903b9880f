package faults

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// hello is what a TLS client says first.
func hello(f *fault) []byte {
	f.Helper()
	near, far := net.Pipe()
	client := tls.Client(near, f.issuer.Config())
	go func() { _ = client.Handshake() }() // ends with the pipe
	text := make([]byte, 4096)
	n, err := far.Read(text)
	if err != nil {
		f.Fatal(err)
	}
	_ = far.Close()
	return text[:n]
}

// A1 for TLS, and a handshake by the byte that is fast enough.
func TestTLSHandshakesByTheByte(t *testing.T) {
	t.Parallel()
	f := begin(t, "F1")
	n := f.scale(50, 250)
	text := hello(f)
	var lives lifetimes
	f.figure("sockets", n)
	crowd(n, func(i int) {
		r, err := f.connect(host(i), f.server.SecureAddr())
		if err != nil {
			f.Error(err)
			return
		}
		start := time.Now()
		for b := 0; time.Since(start) < handshakeLimit+2*late; b++ {
			if _, err := r.Write(text[b : b+1]); err != nil {
				break
			}
			if _, ok := r.outlived(time.Second); ok {
				break
			}
		}
		lives.add(time.Since(start))
	})
	lives.check(f, n, handshakeLimit)
	r, err := f.connect(host(1), f.server.SecureAddr())
	if err != nil {
		f.Fatal(err)
	}
	_ = r.SetNoDelay(true)
	if err := tls.Client(byByte{r}, f.issuer.Config()).HandshakeContext(f.Context()); err != nil {
		f.Errorf("a handshake by the byte that was fast: %v", err)
	}
}

// byByte writes each byte by itself.
type byByte struct{ net.Conn }

func (b byByte) Write(text []byte) (int, error) {
	for i := range text {
		if _, err := b.Conn.Write(text[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(text), nil
}

func TestTLSHandshakesByTheThousand(t *testing.T) {
	f := begin(t, "F2")
	ctx, cancel := context.WithTimeout(f.Context(), time.Duration(f.scale(3, 20))*time.Second)
	defer cancel()
	var done, refused atomic.Int64
	crowd(16, func(i int) {
		dialer := tls.Dialer{
			Config:    f.issuer.Config(),
			NetDialer: &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host(i))}},
		}
		for ctx.Err() == nil {
			conn, err := dialer.DialContext(ctx, "tcp", f.server.SecureAddr())
			if err != nil {
				refused.Add(1)
				continue
			}
			_ = conn.Close()
			done.Add(1)
		}
	})
	f.joinsAtOnce()
	f.figure("handshakes", done.Load())
	f.figure("refused", refused.Load())
	if done.Load() == 0 {
		f.Error("there was no handshake")
	}
}

func TestTLSAndRTMPOnEachOthersPort(t *testing.T) {
	t.Parallel()
	f := begin(t, "F3")
	start := time.Now()
	if _, err := dial(f, host(1), f.server.SecureAddr(), nil); err == nil {
		f.Error("a handshake without TLS was accepted")
	}
	if _, err := dial(f, host(1), f.server.Addr, f.issuer.Config()); err == nil {
		f.Error("the RTMP port speaks TLS")
	}
	took := time.Since(start)
	f.figure("both closed after", took.Round(time.Millisecond))
	if took > time.Second {
		f.Errorf("it took %v", took)
	}
	for _, line := range f.server.Log.All() {
		if strings.Contains(line, "msg=end") {
			f.Errorf("port scans are no news: %s", line)
		}
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	f := begin(t, "F4")
	for version, allowed := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true,
	} {
		config := f.issuer.Config()
		config.MinVersion, config.MaxVersion = version, version
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: stage.Soon}, "tcp", f.server.SecureAddr(), config)
		if (err == nil) != allowed {
			f.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	f.server.AwaitLines(2, stage.Soon, "msg=end", `reason="TLS handshake failed"`)
	// A client of 1.2 that asks to renegotiate.
	out := openssl(f, "-tls1_2", "R\n")
	if !strings.Contains(out, "RENEGOTIATING") || !strings.Contains(out, "alert") {
		f.Errorf("renegotiation was not refused:\n%s", out)
	}
}

// Key updates cost the server a key each, and the client nothing: after some in a
// row that nothing else comes between, crypto/tls closes.
func TestKeyUpdatesByTheThousand(t *testing.T) {
	t.Parallel()
	f := begin(t, "F5")
	n := f.scale(300, 3000)
	busy := f.processor()
	out := openssl(f, "-tls1_3", strings.Repeat("K\n", n))
	updates := strings.Count(out, "KEYUPDATE")
	f.figure("key updates asked for", n)
	f.figure("taken", updates)
	f.figure("processor time", f.processor()-busy)
	if updates == 0 || updates == n || !strings.Contains(out, "alert") {
		f.Errorf("%d of %d key updates were taken:\n%s", updates, n, out)
	}
}

// openssl runs its TLS client, which takes orders by the line.
func openssl(f *fault, version, orders string) string {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), 2*stage.Soon)
	defer cancel()
	cmd := exec.CommandContext(ctx, "openssl", "s_client", "-connect", f.server.SecureAddr(), version)
	in, err := cmd.StdinPipe()
	if err != nil {
		f.Fatal(err)
	}
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		f.Fatalf("install package openssl (test/packages.sh does): %v", err)
	}
	for order := range strings.Lines(orders) {
		if _, err := io.WriteString(in, order); err != nil {
			break
		}
		stage.Pause(ctx, 2*time.Millisecond) // it takes one order a read
	}
	_ = in.Close()
	_ = cmd.Wait()
	return out.String()
}

// What an attacker cuts off, and what a network does, is an end like any other.
func TestTLSWithoutAGoodbye(t *testing.T) {
	t.Parallel()
	f := begin(t, "F7")
	n := f.scale(40, 400)
	crowd(n, func(i int) {
		c, err := dial(f, host(i), f.server.SecureAddr(), f.issuer.Config())
		if err == nil {
			err = c.Start(stage.CanaryChannel, "key", stage.Watching)
		}
		if err != nil {
			f.Error(err)
			return
		}
		switch i % 3 {
		case 0:
			c.Reset()
		case 1:
			_ = c.Conn.Close()
		default: // a record that is cut, and an end
			_, _ = c.Conn.Write([]byte{23, 3, 3, 1, 0, 42})
			_ = c.Conn.CloseWrite()
		}
	})
	f.figure("sessions", n)
	f.server.AwaitEnds(n, 2*stage.Soon)
}
