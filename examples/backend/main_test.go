package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testSecret = "0123456789abcdef0123456789abcdef"
	testKey    = "secret-stream-key"
)

// keysOf returns a file of keys with that text.
func keysOf(t *testing.T, text string) keyFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return keyFile(path)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestItServesUntilItIsAskedToStop(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	served := make(chan error, 1)
	handler := newHandler([]byte(testSecret), keysOf(t, "live "+testKey), discard())
	go func() { served <- serve(ctx, listener, handler, discard()) }()

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+listener.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("rtmp-event", sign(t, testSecret, nil))
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestALostListenerIsAnError(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := serve(t.Context(), listener, http.NotFoundHandler(), discard()); err == nil {
		t.Error("no error")
	}
}

// pipes is a listener in memory, which accepts one connection.
type pipes struct {
	once   chan net.Conn
	closed chan struct{}
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.once:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p pipes) Close() error {
	close(p.closed)
	return nil
}

func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

func TestARequestThatHangsDoesNotHoldTheStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		listener := pipes{make(chan net.Conn, 1), make(chan struct{})}
		listener.once <- server
		hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(ctx, listener, hang, discard()) }()
		go func() { _, _ = io.Copy(io.Discard, client) }()
		if _, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: backend\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		asked := time.Now()
		stop()
		if err := <-served; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("serve: %v", err)
		}
		if took := time.Since(asked); took != stopTimeout {
			t.Errorf("it took %v", took)
		}
	})
}

func TestSettings(t *testing.T) {
	good := string(keysOf(t, "live "+testKey))
	tests := []struct {
		name                 string
		listen, secret, keys string
		want                 string // in the error, empty for none
	}{
		{"all is well", "127.0.0.1:0", testSecret, good, ""},
		{"secret with a line end", "127.0.0.1:0", testSecret + "\n", good, ""},
		{"no secret", "", "", good, "JWT_SECRET has 0 bytes"},
		{"short secret", "", testSecret[1:], good, "JWT_SECRET has 31 bytes"},
		{"spaces do not make it longer", "", testSecret[1:] + "  ", good, "JWT_SECRET has 31 bytes"},
		{"no keys", "", testSecret, "", "KEYS_FILE"},
		{"unusable keys", "", testSecret, string(keysOf(t, "live")), "line 1"},
		{"unusable address", "127.0.0.1:none", testSecret, good, "LISTEN"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			var log bytes.Buffer
			settings := map[string]string{"LISTEN": test.listen, "JWT_SECRET": test.secret, "KEYS_FILE": test.keys}
			stopAtOnce := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
				if bytes.Contains(p, []byte("msg=listening")) {
					cancel()
				}
				return log.Write(p)
			}), nil))
			err := run(ctx, func(name string) string { return settings[name] }, stopAtOnce)
			switch {
			case test.want == "" && (err != nil || !strings.Contains(log.String(), "msg=stopped")):
				t.Errorf("error %v, log:\n%s", err, log.String())
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("error %v, expected one with %q", err, test.want)
			}
		})
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
