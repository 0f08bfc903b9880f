package faults

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// G7: internal/hook has the token byte by byte, and test/e2e its claims. Each
// request of a backend is verified by code of its own as well.
func TestTokensAreWhatOpenSSLSigns(t *testing.T) {
	t.Parallel()
	b := startBackend(t, (*stage.Backend).Accept)
	f := begin(t, "G7", b.Settings()...)
	b.Watch(f.server)
	for i := range f.scale(5, 50) {
		_ = stage.Publish(t, f.server, fmt.Sprint("channel-", i, "/", stage.CallbackKey)).Conn.Close()
	}
	awaitPairs(t, b, stage.Soon)
	checkPairs(t, b) // no jti comes twice
	all := b.Events.All()
	f.figure("tokens", len(all))
	for _, e := range all {
		end := strings.LastIndexByte(e.Token, '.')
		sign := exec.CommandContext(f.Context(), "openssl", "dgst", "-sha256", "-hmac", stage.CallbackSecret, "-binary")
		sign.Stdin = strings.NewReader(e.Token[:end])
		signature, err := sign.Output()
		if err != nil {
			t.Fatalf("install package openssl (test/packages.sh does): %v", err)
		}
		if want := base64.RawURLEncoding.EncodeToString(signature); e.Token[end+1:] != want {
			t.Errorf("the signature is %s, openssl's is %s", e.Token[end+1:], want)
		}
		issued, expires := e.Seconds("iat"), e.Seconds("exp")
		if age := e.At.Unix() - issued; age < 0 || age > int64(stage.Soon/time.Second) || expires != issued+120 {
			t.Errorf("at %d came a token issued at %d that expires at %d", e.At.Unix(), issued, expires)
		}
	}
}

// Thousands of events, all with bodies in their answers, go over a few connections
// that are used again. A proxy of the environment sees none of them.
func TestCallbacksByTheThousand(t *testing.T) {
	t.Parallel()
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var proxied atomic.Int64
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for conn, err := proxy.Accept(); err == nil; conn, err = proxy.Accept() {
			proxied.Add(1)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = proxy.Close()
		<-watched
		if n := proxied.Load(); n != 0 {
			t.Errorf("the proxy of the environment was asked %d times", n)
		}
	})
	body := strings.Repeat("body ", 400)
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		b.Accept(w, e)
		_, _ = io.WriteString(w, body)
	})
	// Go takes no proxy for a loopback address, whatever the environment says. This
	// one leads to the same place.
	b.URL = strings.Replace(b.URL, "127.0.0.1", "0.0.0.0", 1)
	url := "http://" + proxy.Addr().String()
	f := begin(t, "G8", b.Settings("HTTP_PROXY="+url, "http_proxy="+url, "ALL_PROXY="+url)...)
	b.Watch(f.server)
	const visitors = 8
	rounds := f.scale(40, 625)
	events := 2 * visitors * rounds
	before, connections := f.files(), b.Connections.Load()
	var most atomic.Int64
	crowd(visitors, func(i int) {
		for n := range rounds {
			c, err := stage.TryPublish(t, host(i), f.server.Addr, fmt.Sprint("channel-", i, "-", n, "/", stage.CallbackKey))
			if err != nil {
				f.Errorf("publisher %d-%d: %v", i, n, err)
				return
			}
			if i == 0 && n%5 == 0 {
				most.Store(max(most.Load(), int64(f.files()-before)))
			}
			c.Reset()
		}
	})
	awaitPairs(t, b, 2*stage.Soon)
	if got := len(others(b.Ledger.All())); got != events {
		f.Errorf("there were %d events, want %d", got, events)
	}
	opened := b.Connections.Load() - connections
	f.figure("callbacks", events)
	f.figure("connections", opened)
	f.figure("files at once", most.Load())
	if opened > int64(events/5) {
		f.Errorf("%d events took %d connections", events, opened)
	}
	// The connections of the visitors, those to the backend, of which stops have as
	// many as starts, and some that are about to close.
	if most.Load() > 8*visitors {
		f.Errorf("%d more files were open", most.Load())
	}
}

func TestBackendThatHasIPv6Only(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", net.JoinHostPort(stage.Loopback6, "0"))
	if err != nil {
		t.Logf("no IPv6 here: %v", err)
		return
	}
	_ = l.Close()
	b := newBackend(t, stage.Loopback6, (*stage.Backend).Accept)
	b.Open()
	f := begin(t, "G8", b.Settings()...) // or the canary would be refused
	b.Watch(f.server)
	_ = stage.Publish(t, f.server, "channel/"+stage.CallbackKey).Conn.Close()
	awaitPairs(t, b, stage.Soon)
}
