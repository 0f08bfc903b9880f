package coordinator

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// verify checks a token by hand and returns its claims.
func verify(t *testing.T, token string) map[string]any {
	t.Helper()
	signed, signature, _ := cutLast(token, ".")
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	if want := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)); signature != want {
		t.Fatalf("signature %s, want %s", signature, want)
	}
	header, claims, _ := strings.Cut(signed, ".")
	if decode(t, header)["alg"] != "HS256" {
		t.Errorf("header %v", decode(t, header))
	}
	return decode(t, claims)
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	return s[:max(i, 0)], s[i+1:], i >= 0
}

func decode(t *testing.T, part string) map[string]any {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestConnectionTellsWhoConnects(t *testing.T) {
	plain := map[string]string{"X-External-Ip": "", "X-Custom-Port": "", "X-Ssl-Use": ""}
	behind := map[string]string{"X-External-Ip": "2001:db8::1", "X-Custom-Port": "1936", "X-Ssl-Use": "true"}
	for _, want := range []map[string]string{plain, behind} {
		simulate(t, func(_ *bench, o *Options) {
			if want["X-Ssl-Use"] != "" {
				o.ExternalIP, o.ExternalPort, o.ExternalSSL = netip.MustParseAddr("2001:db8::1"), 1936, true
			}
		}, func(b *bench) {
			p := b.connected()
			if p.path != "/base/ws/control/rtmp" || p.host != "coordinator.test" {
				t.Errorf("connected to %s on %s", p.path, p.host)
			}
			for name, value := range want {
				if got := p.header.Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			claims := verify(t, p.header.Get("x-control-auth-token"))
			exp := float64(b.start.Add(2 * time.Minute).Unix())
			if !reflect.DeepEqual(claims, map[string]any{"sub": "rtmp-control", "exp": exp}) {
				t.Errorf("claims %v, want exp %v", claims, exp)
			}
			b.after(time.Hour)
			p.cut()
			if again := b.connected(); again.header.Get("x-control-auth-token") == p.header.Get("x-control-auth-token") {
				t.Error("the token was used again, an hour later")
			}
		})
	}
}

func TestOrdersAreCarriedOut(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		b.log.take()
		p.say("STREAM-KILL", "Stream-Channel: ch", "Stream-Id: s1")
		p.say("stream-kill\r", "stream-channel:ch\r", "STREAM-ID:*\r")
		p.say("STREAM-KILL", "Stream-Channel: ch")
		p.say("STREAM-KILL", "Stream-Id: *")
		p.say("HEARTBEAT")
		p.say("NEWS")
		p.say("")
		if err := p.ws.Write(b.Context(), websocket.MessageBinary, []byte("STREAM-KILL\nStream-Channel: b\nStream-Id: *")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for _, want := range []string{"close ch s1", "kill ch"} {
			if got := <-b.orders; got != want {
				t.Errorf("order %q, want %q", got, want)
			}
		}
		if len(b.orders) != 0 {
			t.Errorf("another order: %s", <-b.orders)
		}
		text := b.log.take()
		for want, n := range map[string]int{
			"stream_id=s1 found=true": 1, "channel=ch sessions=2": 1, "level=WARN": 2, "method=NEWS": 1, "HEARTBEAT": 0,
		} {
			if strings.Count(text, want) != n {
				t.Errorf("log has %d of %q, want %d: %s", strings.Count(text, want), want, n, text)
			}
		}
	})
}

// A coordinator may speak of a publisher when its request is long answered, or
// given up.
func TestKeysAreNotLoggedAfterTheAnswer(t *testing.T) {
	for name, answer := range map[string]func(b *bench, p *peer, id string){
		"accepted": func(_ *bench, p *peer, id string) { p.accept(id, "s1") },
		"denied":   func(_ *bench, p *peer, id string) { p.say("PUBLISH-DENY", "Request-ID: "+id) },
		"given up": func(b *bench, _ *peer, _ string) { b.after(startTimeout) },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, nil, func(b *bench) {
				p := b.connected()
				waiting := b.ask(b.Context(), publisher)
				answer(b, p, p.request())
				<-waiting.result
				b.after(time.Hour)
				b.log.take()
				p.say("ERROR", "Text: no "+publisher.Key)
				if text := b.log.take(); strings.Contains(text, publisher.Key) || !strings.Contains(text, "no ***") {
					t.Errorf("logged: %s", text)
				}
			})
		})
	}
}

func TestKeysThatTheCoordinatorKnowsAreBounded(t *testing.T) {
	q := newRequests()
	for i := range 2 * maxTold {
		q.tell(strconv.Itoa(i))
		q.tell("again")
	}
	if n := len(q.told); n != maxTold || q.told[n-1] != "again" || q.told[n-2] != strconv.Itoa(2*maxTold-1) || q.told[0] != strconv.Itoa(maxTold+1) {
		t.Errorf("%d keys: %q", n, q.told)
	}
}

func TestErrorsAreLoggedQuotedCutAndWithoutSecrets(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		start := b.ask(b.Context(), publisher)
		id := p.request()
		b.log.take()
		p.say("ERROR", "Error-Message: "+publisher.Key+" "+secret+" "+p.header.Get("x-control-auth-token")+"\x1b[2J"+strings.Repeat("é", 9000))
		text := b.log.take()
		for _, leak := range []string{publisher.Key, secret, p.header.Get("x-control-auth-token"), "\x1b"} {
			if strings.Contains(text, leak) {
				t.Errorf("log shows %q: %q", leak, text)
			}
		}
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "ERROR") || !strings.Contains(text, "…") || len(text) > 600 {
			t.Errorf("log %q", text)
		}
		for range 1000 {
			p.say("ERROR", "again")
		}
		if lines := strings.Count(b.log.take(), "\n"); lines > 10 {
			t.Errorf("a flood of errors makes %d lines", lines)
		}
		p.accept(id, "s1")
		start.accepted(b, "s1")
	})
}

func TestHeartbeatsComeEveryTwentySeconds(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		for i := range 20 {
			if text := <-p.frames; text != "HEARTBEAT\n" {
				t.Errorf("%q", text)
			}
			b.at(time.Duration(i+1) * 20 * time.Second)
		}
		if len(b.peers) != 0 {
			t.Error("it connected again")
		}
	})
}

// stuck makes the coordinator stop reading from a connection. One end is on its
// way to it then.
func (b *bench) stuck(p *peer) {
	b.Helper()
	for range cap(p.frames) {
		p.frames <- "" // full: the reader stands still at the next frame
	}
	b.Stop(publisher, "s0")
	synctest.Wait()
	b.Cleanup(func() {
		for range p.frames { // drained so that the reader ends
		}
	})
}

func TestCoordinatorThatStopsReadingIsLeft(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		b.stuck(b.connected())
		p := b.connected()
		b.at(20*time.Second + writeTimeout + time.Second) // the heartbeat could not be written
		p.ends("ch", "s0")
		start := b.ask(b.Context(), publisher)
		p.accept(p.request(), "s1")
		start.accepted(b, "s1")
	})
}

func TestCoordinatorWithoutPongIsLeft(t *testing.T) {
	simulate(t, func(b *bench, _ *Options) { b.deaf = true }, func(b *bench) {
		b.connected()
		b.connected()
		b.at(pingEvery + pongTimeout + time.Second)
	})
}

func TestTooLongMessageEndsTheConnection(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		p.say("ERROR", strings.Repeat("x", maxFrame-len("ERROR\n")))
		if len(b.peers) != 0 {
			t.Error("the longest message ended the connection")
		}
		go func() {
			_ = p.ws.Write(context.Background(), websocket.MessageText, make([]byte, maxFrame+1))
		}()
		b.connected()
		b.at(time.Second)
		if websocket.CloseStatus(p.err) != websocket.StatusMessageTooBig {
			t.Errorf("closed with %v", p.err)
		}
	})
}

func TestReconnectPausesDoubleToThirtySeconds(t *testing.T) {
	simulate(t, func(b *bench, _ *Options) { b.down = true }, func(b *bench) {
		b.after(122 * time.Second)
		want := []time.Duration{0, 1, 3, 7, 15, 31, 61, 91, 121}
		for i := range want {
			want[i] *= time.Second
		}
		b.mu.Lock()
		if !reflect.DeepEqual(b.dials, want) {
			t.Errorf("attempts at %v, want %v", b.dials, want)
		}
		b.dials, b.down = nil, false
		b.mu.Unlock()
		text := b.log.take()
		if strings.Count(text, "\n") != 1 || !strings.Contains(text, "connection refused") {
			t.Errorf("log %q", text)
		}

		p := b.connected()
		b.at(151 * time.Second)
		b.after(5 * time.Second)
		p.cut() // soon: the pauses go on
		p = b.connected()
		b.at(186 * time.Second)
		b.after(30 * time.Second)
		p.cut() // it lasted: they begin anew
		p = b.connected()
		b.at(217 * time.Second)
		text = b.log.take()
		if strings.Count(text, "coordinator connected") != 3 || strings.Count(text, "coordinator away") != 2 {
			t.Errorf("log %q", text)
		}
		p.silent()
	})
}

func TestJitterTakesUpToHalf(t *testing.T) {
	low, high := time.Hour, time.Duration(0)
	for range 10_000 {
		d := jitter(time.Second)
		low, high = min(low, d), max(high, d)
	}
	if low < 500*time.Millisecond || low > 510*time.Millisecond || high > time.Second || high < 990*time.Millisecond {
		t.Errorf("from %v to %v", low, high)
	}
}

// The token must not reach whomever a redirect names.
func TestRefusedAttemptsAreRepeated(t *testing.T) {
	tests := []struct {
		name   string
		refuse http.HandlerFunc
	}{
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.test/", http.StatusTemporaryRedirect)
		}},
		{"unauthorized", func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "no", http.StatusUnauthorized)
		}},
		{"no WebSocket", func(http.ResponseWriter, *http.Request) {}},
		{"endless header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 2*maxResponseHeader))
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var hosts []string
			simulate(t, func(b *bench, o *Options) {
				b.refuse = func(w http.ResponseWriter, r *http.Request) {
					hosts = append(hosts, r.Host)
					test.refuse(w, r)
				}
				dial := o.DialContext
				o.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
					if addr != "coordinator.test:80" {
						t.Errorf("dialled %s", addr)
					}
					return dial(ctx, network, addr)
				}
			}, func(b *bench) {
				b.after(4 * time.Second)
				if !reflect.DeepEqual(hosts, []string{"coordinator.test", "coordinator.test", "coordinator.test"}) {
					t.Errorf("asked %v", hosts)
				}
				text := b.log.take()
				if strings.Count(text, "\n") != 1 || strings.Contains(text, "eyJ") {
					t.Errorf("log %q", text)
				}
			})
		})
	}
}

func TestProxiesOfTheEnvironmentAreNotUsed(t *testing.T) {
	if newClient(Options{}).Transport.(*http.Transport).Proxy != nil {
		t.Error("the token would reach a proxy")
	}
}

// net/http goes on with a connection that nobody waits for any more, so that it has
// to end by itself.
func TestAttemptsThatHangInTheTLSHandshakeKeepNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int64
		dial := func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			open.Add(1)
			go func() {
				_, _ = io.Copy(io.Discard, far)
				open.Add(-1)
			}()
			return near, nil
		}
		c, err := New(Options{BaseURL: "https://coordinator.test", Secret: secret, Log: slog.New(slog.DiscardHandler), DialContext: dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*dialTimeout)
		defer cancel()
		if err := c.Run(ctx); err != nil {
			t.Error(err)
		}
		<-time.After(2 * dialTimeout)
		if n := open.Load(); n != 0 {
			t.Errorf("%d connections are still open", n)
		}
	})
}

func TestHangingAttemptIsGivenUp(t *testing.T) {
	simulate(t, func(b *bench, _ *Options) {
		b.refuse = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	}, func(b *bench) {
		b.after(12 * time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if want := []time.Duration{0, 11 * time.Second}; !reflect.DeepEqual(b.dials, want) {
			t.Errorf("attempts at %v, want %v", b.dials, want)
		}
	})
}

func TestStopSendsTheLastEnds(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		b.Stop(publisher, "s1")
		b.Stop(publisher, "s2")
		b.cancel()
		<-b.ended
		b.at(0)
		p.ends("ch", "s1")
		p.ends("ch", "s2")
		if websocket.CloseStatus(p.err) != websocket.StatusGoingAway {
			t.Errorf("closed with %v", p.err)
		}
		if text := b.log.take(); strings.Contains(text, "WARN") {
			t.Errorf("log %q", text)
		}
		b.ask(b.Context(), publisher).refused(b, ErrDisconnected)
	})
}

func TestStopDoesNotWaitForAStuckCoordinator(t *testing.T) {
	simulate(t, nil, func(b *bench) {
		p := b.connected()
		b.log.take()
		b.stuck(p)
		b.Stop(publisher, "s1")
		b.cancel()
		<-b.ended
		b.at(2 * time.Second)
		if text := b.log.take(); !strings.Contains(text, "streams=2") || strings.Count(text, "\n") != 1 {
			t.Errorf("log %q", text)
		}
	})
}

func TestStopWhileAway(t *testing.T) {
	simulate(t, func(b *bench, _ *Options) { b.down = true }, func(b *bench) {
		b.after(2 * time.Second)
		b.log.take()
		b.Stop(publisher, "s1")
		b.cancel()
		<-b.ended
		b.at(2 * time.Second)
		if text := b.log.take(); !strings.Contains(text, "streams=1") {
			t.Errorf("log %q", text)
		}
	})
}

// All else runs in memory; this is the way through TLS and a socket.
func TestSecureConnection(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			_, text, err := ws.Read(context.Background())
			if err != nil {
				return
			}
			reply := frame{methodAccept, []field{{fieldRequest, parseFrame(string(text)).get(fieldRequest)}, {fieldStream, "s1"}}}
			_ = ws.Write(context.Background(), websocket.MessageText, []byte(reply.String()))
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	connected := make(chan struct{})
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) {
		if strings.Contains(string(p), "coordinator connected") {
			close(connected)
		}
	}), nil))
	c, err := New(Options{BaseURL: server.URL, Secret: secret, Log: log, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	<-connected
	id, err := c.Start(ctx, publisher)
	for errors.Is(err, ErrDisconnected) { // the log line comes a moment before
		runtime.Gosched()
		id, err = c.Start(ctx, publisher)
	}
	if id != "s1" || err != nil {
		t.Errorf("%q, %v", id, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// writerFunc takes what is written.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

func TestUnusableOptionsAreRefused(t *testing.T) {
	tests := []struct {
		base, secret string
		want         string // the endpoint, or part of the error
		bad          bool
	}{
		{"http://h", "s", "ws://h/ws/control/rtmp", false},
		{"https://h:8443/a/", "s", "wss://h:8443/a/ws/control/rtmp", false},
		{"ws://[::1]:80", "s", "ws://[::1]:80/ws/control/rtmp", false},
		{"wss://h/a", "s", "wss://h/a/ws/control/rtmp", false},
		{"HTTP://h", "s", "ws://h/ws/control/rtmp", false},
		{"http://h", "", "secret is empty", true},
		{"", "s", "no host", true},
		{"h:80", "s", "no host", true},
		{"ftp://h", "s", `scheme "ftp"`, true},
		{"http://user:pass@h", "s", "must not have a user", true},
		{"http://h?a=pass", "s", "a query", true},
		{"http://h#pass", "s", "fragment", true},
		{"http://user:pass@h:port", "s", "cannot be read", true},
	}
	for _, test := range tests {
		c, err := New(Options{BaseURL: test.base, Secret: test.secret})
		switch {
		case test.bad && (err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "pass")):
			t.Errorf("%s: %v, want %q", test.base, err, test.want)
		case !test.bad && (err != nil || c.endpoint != test.want):
			t.Errorf("%s: %v, %v", test.base, c, err)
		}
	}
}
