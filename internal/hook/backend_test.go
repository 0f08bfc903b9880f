package hook

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
)

// answers are all ways in which a backend may answer: the bytes after which it closes the connection, and what comes of it. TOKEN is
// replaced by the token that it got.
var answers = []struct {
	name  string
	reply string
	// more is sent again and again afterwards.
	more string
	// id is that of an accepted start; else want is why it is refused.
	id   string
	want error
	// stopped says that a refused start is followed by a stop, as the backend gave an id to it.
	stopped bool
}{
	{name: "accepted", reply: "HTTP/1.1 200 OK\r\nstream-id: an-Id_9\r\nContent-Length: 2\r\n\r\nok", id: "an-Id_9"},
	{name: "accepted without body", reply: "HTTP/1.1 200 OK\r\nSTREAM-ID:  a \r\nContent-Length: 0\r\n\r\n", id: "a"},
	{name: "accepted by HTTP/1.0", reply: "HTTP/1.0 200 OK\r\nstream-id: a\r\n\r\nbody until the end", id: "a"},
	{name: "accepted after 100", reply: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nstream-id: a\r\nContent-Length: 0\r\n\r\n", id: "a"},
	{name: "accepted with the longest id", reply: "HTTP/1.1 200 OK\r\nstream-id: " + strings.Repeat("x", 256) + "\r\nContent-Length: 0\r\n\r\n", id: strings.Repeat("x", 256)},
	{name: "accepted with an endless body", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\n\r\n", more: strings.Repeat("x", 4096), id: "a"},
	{name: "accepted with 10 GB of body", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nContent-Length: 10000000000\r\n\r\n", more: strings.Repeat("x", 4096), id: "a"},

	{name: "no stream-id", reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", want: ErrBadReply},
	{name: "empty stream-id", reply: "HTTP/1.1 200 OK\r\nstream-id:\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id with a space", reply: "HTTP/1.1 200 OK\r\nstream-id: a b\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id with a slash", reply: "HTTP/1.1 200 OK\r\nstream-id: ../a\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id with the neighbours of letters", reply: "HTTP/1.1 200 OK\r\nstream-id: @[`{\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id with letters beyond ASCII", reply: "HTTP/1.1 200 OK\r\nstream-id: \xc3\xa9\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id that is the token", reply: "HTTP/1.1 200 OK\r\nstream-id: TOKEN\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id one too long", reply: "HTTP/1.1 200 OK\r\nstream-id: " + strings.Repeat("x", 257) + "\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "stream-id of 60 KiB", reply: "HTTP/1.1 200 OK\r\nstream-id: " + strings.Repeat("x", 60<<10) + "\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},
	{name: "two stream-ids", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nstream-id: b\r\nContent-Length: 0\r\n\r\n", want: ErrBadReply},

	{name: "stream-id of 64 KiB", reply: "HTTP/1.1 200 OK\r\nstream-id: " + strings.Repeat("x", 64<<10) + "\r\nContent-Length: 0\r\n\r\n", want: ErrUnavailable},
	{name: "header of 10 MB", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\n" + strings.Repeat("x: "+strings.Repeat("y", 997)+"\r\n", 10_000) + "Content-Length: 0\r\n\r\n", want: ErrUnavailable},
	{name: "endless header", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\n", more: "x: y\r\n", want: ErrUnavailable},
	{name: "endless header line", reply: "HTTP/1.1 200 OK\r\nstream-id: ", more: "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", want: ErrUnavailable},
	{name: "endless 100s", more: "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n", want: ErrUnavailable},
	{name: "no answer", want: ErrUnavailable},
	{name: "cut in the status", reply: "HTTP/1.1 20", want: ErrUnavailable},
	{name: "cut in the header", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\n", want: ErrUnavailable},
	{name: "cut in the body", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nContent-Length: 10\r\n\r\nok", want: ErrUnavailable, stopped: true},
	{name: "broken chunks", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nTransfer-Encoding: chunked\r\n\r\nTOKEN\r\n", want: ErrUnavailable, stopped: true},
	{name: "cut in the body without stream-id", reply: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", want: ErrBadReply},
	{name: "HTTP/0.9", reply: "<html>TOKEN</html>\n", want: ErrUnavailable},
	{name: "another protocol", reply: "220 mail.example ESMTP TOKEN\r\n", want: ErrUnavailable},
	{name: "binary", reply: "\x03\x00\x00\xff\r\n\r\n", want: ErrUnavailable},
	{name: "HTTP/2", reply: "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d", want: ErrUnavailable},
	{name: "echo", reply: "POST /events?token=token-of-the-url HTTP/1.1\r\nrtmp-event: TOKEN\r\n\r\n", want: ErrUnavailable},
	{name: "token in the status", reply: "HTTP/1.1 TOKEN\r\n\r\n", want: ErrUnavailable},
	{name: "token in a broken header", reply: "HTTP/1.1 200 OK\r\nTOKEN\r\n\r\n", want: ErrUnavailable},
	{name: "status of four digits", reply: "HTTP/1.1 2000 OK\r\nstream-id: a\r\nContent-Length: 0\r\n\r\n", want: ErrUnavailable},
	{name: "negative status", reply: "HTTP/1.1 -20 OK\r\nstream-id: a\r\nContent-Length: 0\r\n\r\n", want: ErrUnavailable},
	{name: "no status", reply: "HTTP/1.1\r\nstream-id: a\r\n\r\n", want: ErrUnavailable},
	{name: "two lengths", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", want: ErrUnavailable},
	{name: "negative length", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nContent-Length: -1\r\n\r\n", want: ErrUnavailable},
	{name: "unknown transfer encoding", reply: "HTTP/1.1 200 OK\r\nstream-id: a\r\nTransfer-Encoding: TOKEN\r\n\r\n", want: ErrUnavailable},
	{name: "redirect to nowhere", reply: "HTTP/1.1 302 Found\r\nstream-id: a\r\nLocation: http://[TOKEN/\r\nContent-Length: 0\r\n\r\n", want: ErrUnavailable},
	{name: "redirect without location", reply: "HTTP/1.1 302 Found\r\nstream-id: a\r\nContent-Length: 0\r\n\r\n", want: ErrRefused},
	{name: "switching protocols", reply: "HTTP/1.1 101 Switching Protocols\r\nstream-id: a\r\nConnection: upgrade\r\nUpgrade: TOKEN\r\n\r\n", more: "x", want: ErrRefused},
	{name: "refused with an endless body", reply: "HTTP/1.1 403 Forbidden\r\nstream-id: a\r\n\r\n", more: "TOKEN", want: ErrRefused},
}

func init() {
	for _, status := range []int{0, 99, 201, 202, 204, 206, 299, 300, 304, 400, 401, 403, 404, 408, 410, 418, 429, 499, 500, 502, 503, 504, 599, 600, 999} {
		answers = append(answers, answers[0])
		row := &answers[len(answers)-1]
		row.name, row.id, row.want = fmt.Sprint("status ", status), "", ErrRefused
		row.reply = fmt.Sprintf("HTTP/1.1 %03d TOKEN\r\nstream-id: a\r\nx: TOKEN\r\nContent-Length: 0\r\n\r\n", status)
	}
}

// serve answers each connection with the bytes, and counts the requests by the event they are of.
func serve(listener net.Listener, reply, more string, events chan<- string) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer func() { _ = conn.Close() }()
			request, err := http.ReadRequest(bufio.NewReader(conn))
			if err != nil {
				return
			}
			token := request.Header.Get("rtmp-event")
			claims, _ := verify(token, testSecret)
			events <- fmt.Sprint(claims["event"], claims["stream_id"])
			fill := func(text string) []byte { return []byte(strings.ReplaceAll(text, "TOKEN", token)) }
			if claims["event"] == eventStop {
				write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
				return
			}
			_, err = conn.Write(fill(reply))
			for again := fill(more); err == nil && more != ""; {
				_, err = conn.Write(again)
			}
		}()
	}
}

func TestOnlyStatus200WithAnIDAccepts(t *testing.T) {
	networks := map[string]func(t *testing.T) (net.Listener, dialFunc){
		"TCP": func(t *testing.T) (net.Listener, dialFunc) { return listen(t), nil },
		"memory": func(*testing.T) (net.Listener, dialFunc) {
			m := newMemory()
			return m, m.dial
		},
	}
	for network, open := range networks {
		for _, test := range answers {
			t.Run(network+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				listener, dial := open(t)
				events := make(chan string, 100)
				served := make(chan struct{})
				go func() { defer close(served); serve(listener, test.reply, test.more, events) }()
				defer func() { _ = listener.Close(); <-served }()
				log := &lines{}
				h, err := New(Options{
					URL:    fmt.Sprintf("http://%s:%s@%s/events?token=token-of-the-url", testUser, testPass, host(listener)),
					Secret: []byte(testSecret), Log: slog.New(slog.NewTextHandler(log, nil)), Dial: dial,
				})
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				id, err := h.Start(t.Context(), wish)
				if id != test.id || !errors.Is(err, test.want) || (err == nil) != (test.want == nil) {
					t.Errorf("Start = %q, %v, want %q, %v", id, err, test.id, test.want)
				}
				if took := time.Since(began); took > startTimeout-time.Second {
					t.Errorf("took %v", took)
				}
				if err := h.Shutdown(within(t, time.Minute)); err != nil {
					t.Error(err)
				}
				if first := <-events; first != "start<nil>" {
					t.Errorf("first event is %s", first)
				}
				if want := map[bool]int{true: 1}[test.stopped]; len(events) != want {
					t.Errorf("%d more events, want %d", len(events), want)
				} else if want == 1 && <-events != "stopa" {
					t.Error("the stop has another id")
				}
				noSecrets(t, fmt.Sprint(err, log))
			})
		}
	}
}

func host(l net.Listener) string {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.String()
	}
	return "backend.example"
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// startAt starts a stream with a backend at url, and expects a refusal that says text.
func startAt(t *testing.T, url, text string, change func(*Options)) {
	t.Helper()
	o := Options{URL: url, Secret: []byte(testSecret)}
	if change != nil {
		change(&o)
	}
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Start(t.Context(), wish)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), text) {
		t.Errorf("Start: %v, want %v: %s", err, ErrUnavailable, text)
	}
	noSecrets(t, fmt.Sprint(err))
	if err := h.Shutdown(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
}

func TestConnectionFaultsRefuse(t *testing.T) {
	accepting := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("stream-id", "a") })
	quiet := slog.NewLogLogger(slog.DiscardHandler, 0)
	secure := httptest.NewUnstartedServer(accepting)
	secure.Config.ErrorLog = quiet
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewUnstartedServer(accepting)
	plain.Config.ErrorLog = quiet
	plain.Start()
	defer plain.Close()

	t.Run("refused", func(t *testing.T) {
		listener := listen(t)
		_ = listener.Close()
		startAt(t, "http://"+listener.Addr().String(), "refused", nil)
	})
	t.Run("reset", func(t *testing.T) {
		listener := listen(t)
		defer func() { _ = listener.Close() }()
		go func() {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1)) // unread bytes turn the close into a RST too
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}()
		startAt(t, "http://"+listener.Addr().String(), "reset", nil)
	})
	t.Run("unknown host", func(t *testing.T) {
		startAt(t, "http://backend.example", "no such host", func(o *Options) {
			o.Dial = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "backend.example", IsNotFound: true}}
			}
		})
	})
	t.Run("unknown authority", func(t *testing.T) { startAt(t, secure.URL, "unknown authority", nil) })
	t.Run("expired certificate", func(t *testing.T) {
		expired := httptest.NewUnstartedServer(accepting)
		expired.Config.ErrorLog = quiet
		expired.TLS = &tls.Config{Certificates: []tls.Certificate{expiredCertificate(t)}}
		expired.StartTLS()
		defer expired.Close()
		startAt(t, expired.URL, "expired", func(o *Options) { o.RootCAs = authorities(expired) })
	})
	t.Run("certificate of another host", func(t *testing.T) {
		startAt(t, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), "not localhost", func(o *Options) { o.RootCAs = authorities(secure) })
	})
	t.Run("HTTP at an HTTPS port", func(t *testing.T) {
		startAt(t, strings.Replace(plain.URL, "http:", "https:", 1), "HTTP response to HTTPS client", nil)
	})
	t.Run("garbage at an HTTPS port", func(t *testing.T) {
		listener := listen(t)
		defer func() { _ = listener.Close() }()
		go func() {
			if conn, err := listener.Accept(); err == nil {
				_, _ = conn.Write([]byte("220 mail.example ESMTP\r\n"))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		}()
		startAt(t, "https://"+listener.Addr().String(), "does not look like a TLS handshake", nil)
	})
	t.Run("HTTPS at an HTTP port", func(t *testing.T) {
		// Go's server answers such requests with status 400.
		h, err := New(Options{URL: strings.Replace(secure.URL, "https:", "http:", 1), Secret: []byte(testSecret)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Start(t.Context(), wish); !errors.Is(err, ErrRefused) {
			t.Error(err)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Run("TLS alert", func(t *testing.T) {
		strict := httptest.NewUnstartedServer(accepting)
		strict.Config.ErrorLog = quiet
		strict.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		strict.StartTLS()
		defer strict.Close()
		startAt(t, strict.URL, "certificate required", func(o *Options) { o.RootCAs = authorities(strict) })
	})
	t.Run("all is well", func(t *testing.T) {
		h, err := New(Options{URL: secure.URL, Secret: []byte(testSecret), RootCAs: authorities(secure)})
		if err != nil {
			t.Fatal(err)
		}
		if id, err := h.Start(t.Context(), wish); id != "a" || err != nil {
			t.Errorf("Start = %q, %v", id, err)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func expiredCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-48 * time.Hour),
		NotAfter:     time.Now().Add(-24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func authorities(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, same := range []bool{false, true} {
			t.Run(fmt.Sprint(status, " same host ", same), func(t *testing.T) {
				var requests, elsewhere atomic.Int32
				other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					elsewhere.Add(1)
					w.Header().Set("stream-id", "a")
				}))
				defer other.Close()
				backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					requests.Add(1)
					target := other.URL
					if same {
						target = "/loop"
					}
					w.Header().Set("Location", target)
					w.Header().Set("stream-id", "a")
					w.WriteHeader(status)
				}))
				defer backend.Close()
				h, err := New(Options{URL: backend.URL, Secret: []byte(testSecret)})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := h.Start(t.Context(), wish); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), fmt.Sprint(status)) {
					t.Errorf("Start: %v", err)
				}
				if err := h.Shutdown(t.Context()); err != nil {
					t.Error(err)
				}
				if requests.Load() != 1 || elsewhere.Load() != 0 {
					t.Errorf("%d requests, %d elsewhere, want 1 and 0", requests.Load(), elsewhere.Load())
				}
			})
		}
	}
}

func TestAHangingBackendIsGivenUpAfterFiveSeconds(t *testing.T) {
	drip := func(conn net.Conn, text string) {
		for {
			if _, err := conn.Write([]byte(text)); err != nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	tests := []struct {
		name    string
		backend func(conn net.Conn) // nil means that it does not accept
		want    error
		stopped bool
	}{
		{"at accept", nil, ErrUnavailable, false},
		{"before reading", func(conn net.Conn) { time.Sleep(10 * time.Second) }, ErrUnavailable, false},
		{"before headers", func(conn net.Conn) { read(conn); drip(conn, "") }, ErrUnavailable, false},
		{"in the status line", func(conn net.Conn) { read(conn); write(conn, "HTTP/1.1 200 "); drip(conn, "K") }, ErrUnavailable, false},
		{"in headers", func(conn net.Conn) {
			read(conn)
			write(conn, "HTTP/1.1 200 OK\r\nstream-id: a\r\n")
			drip(conn, "x: y\r\n")
		}, ErrUnavailable, false},
		{"in the body", func(conn net.Conn) {
			read(conn)
			write(conn, "HTTP/1.1 200 OK\r\nstream-id: a\r\n\r\n")
			drip(conn, "x")
		}, ErrUnavailable, true},
		{"in the body of a refusal", func(conn net.Conn) {
			read(conn)
			write(conn, "HTTP/1.1 403 No\r\nstream-id: a\r\n\r\n")
			drip(conn, "x")
		}, ErrRefused, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				h, err := New(Options{URL: "http://backend.example", Secret: []byte(testSecret), Dial: m.dial})
				if err != nil {
					t.Fatal(err)
				}
				stops := make(chan string, 1)
				conns := make(chan net.Conn, 10)
				if test.backend != nil {
					go hangOnce(m, test.backend, conns, stops)
				}
				began := time.Now()
				_, err = h.Start(t.Context(), wish)
				if !errors.Is(err, test.want) || time.Since(began) != startTimeout {
					t.Errorf("Start after %v: %v, want %v", time.Since(began), err, test.want)
				}
				if err := h.Shutdown(within(t, time.Minute)); err != nil {
					t.Error(err)
				}
				if got := len(stops) == 1; got != test.stopped {
					t.Errorf("stopped = %v, want %v", got, test.stopped)
				}
				m.close()
				for len(conns) > 0 {
					_ = (<-conns).Close()
				}
				time.Sleep(time.Minute) // for the backends to notice
			})
		})
	}
}

// net/http goes on with a connection that nobody waits for any more, so that it has to end by itself.
func TestBackendThatIsSilentInTheTLSHandshakeKeepsNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		h, err := New(Options{URL: "https://backend.example", Secret: []byte(testSecret), Dial: m.dial})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			if conn, err := m.Accept(); err == nil {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		}()
		began := time.Now()
		if _, err := h.Start(t.Context(), wish); !errors.Is(err, ErrUnavailable) || time.Since(began) > startTimeout {
			t.Errorf("Start after %v: %v", time.Since(began), err)
		}
		select {
		case <-ended:
		case <-time.After(2 * startTimeout):
			t.Error("the connection is still open")
		}
		if err := h.Shutdown(within(t, time.Minute)); err != nil {
			t.Error(err)
		}
		m.close()
	})
}

// hangOnce gives the first connection to the backend that hangs, and takes the stops on the others.
func hangOnce(m *memory, hang func(net.Conn), conns chan<- net.Conn, stops chan<- string) {
	for first := true; ; first = false {
		conn, err := m.Accept()
		if err != nil {
			return
		}
		conns <- conn
		if first {
			go func() {
				hang(conn)
				_ = conn.Close()
			}()
			continue
		}
		read(conn)
		stops <- "stop"
		write(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = conn.Close()
	}
}

func read(conn net.Conn)               { _, _ = http.ReadRequest(bufio.NewReader(conn)) }
func write(conn net.Conn, text string) { _, _ = conn.Write([]byte(text)) }

func TestConnectionsAreUsedAgainAndNoProxyIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(_ *Options, s *stub) {
			s.reply = func(w http.ResponseWriter, _ *http.Request, e event) {
				if e.name == eventStart && len(s.of(eventStart))%2 == 0 {
					w.WriteHeader(http.StatusForbidden)
					_, _ = w.Write(make([]byte, 8192))
					return
				}
				s.accept(w, e)
			}
		})
		// net/http reads the environment once in a process, so that a test cannot change it.
		if f.backend.client.Transport.(*http.Transport).Proxy != nil {
			t.Error("there is a proxy")
		}
		for range 500 {
			_, _ = f.Start(t.Context(), wish)
		}
		if dials := f.memory.dials(); len(dials) != 1 || dials[0] != "backend.example:80" {
			t.Errorf("dialed %q", dials)
		}
		time.Sleep(2 * idleTimeout) // else the server may close first
		f.mustStart()
		if dials := f.memory.dials(); len(dials) != 2 {
			t.Errorf("dialed %q after a pause", dials)
		}
		f.stop()
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	good := Options{URL: "https://user:" + testPass + "@[::1]:8443/x", Secret: []byte(testSecret)}
	h, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, url := range []string{
		"", "backend.example", "/events", "file:///etc/passwd", "ftp://backend.example", "http://", "http:///events", "http://:80/", "http:backend",
		"http://backend.example/events#part", "http://backend.example/events#", "http://backend.example:port/", "http://" + testUser + ":" + testPass + "@bad host/", "http://%zz/",
		"javascript:alert(1)", "http://[::1",
	} {
		o := good
		o.URL = url
		if _, err := New(o); !errors.Is(err, ErrOptions) {
			t.Errorf("URL %q: %v", url, err)
		} else {
			noSecrets(t, err.Error())
		}
	}
	o := good
	o.Secret = nil
	if _, err := New(o); !errors.Is(err, ErrOptions) {
		t.Errorf("no secret: %v", err)
	}
}

func TestAShortSecretIsWarnedAbout(t *testing.T) {
	log := &lines{}
	h, err := New(Options{URL: "http://backend.example", Secret: []byte("hunter2"), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if log.count("level=WARN") != 1 || log.count("hunter2") != 0 {
		t.Errorf("log: %s", log)
	}
}

func TestOnlyWhatTheClientDidWrongIsDenied(t *testing.T) {
	for status, want := range map[int]bool{
		101: false, 204: false, 302: false, 400: true, 401: true, 403: true, 404: true, 408: false, 429: false, 499: true, 500: false, 503: false,
	} {
		_, err := reply{status: status}.streamID()
		if !errors.Is(err, ErrRefused) || errors.Is(err, access.ErrDenied) != want {
			t.Errorf("status %d: %v, denied %t", status, err, !want)
		}
	}
}
