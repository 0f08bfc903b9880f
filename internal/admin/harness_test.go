package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret is a key, and must not be in any answer.
const secret = "aVerySecretKeyIndeed"

var testToken = strings.Repeat("token-of-the-operator.", 2)

// source is a server with a channel, its publisher and a player.
type source struct {
	mu     sync.Mutex
	kicked []string
	closed []string
	sent   []string
}

func testSession(id, kind string) Session {
	return Session{
		ID: id, Kind: kind, Protocol: "rtmp", Channel: "live", Key: secret, Address: netip.MustParseAddrPort("192.0.2.1:4000"),
		Client: "<script>alert(1)</script>\xff", Started: time.Now(), Live: true, BytesIn: 1, Lag: Seconds(1500 * time.Millisecond),
	}
}

func testEnd(id string) End {
	return End{Session: testSession(id, "player"), Ended: time.Now(), Reason: "client left"}
}

func (s *source) Counts() Counts {
	return Counts{Connections: 2, Channels: 2, Live: 1, Publishers: 1, Players: 1}
}
func (s *source) Limits() Limits { return Limits{Connections: 100} }

func (s *source) Channels() []Channel {
	return []Channel{
		{
			Name: "live", Key: secret, Live: true, Started: time.Now(), Viewers: 1,
			Tracks: []Track{{Kind: "video", Codec: "H.264", FrameRate: math.Inf(1)}},
			Health: Health{Bitrate: math.NaN(), LastVideo: time.Now(), Warnings: []string{"<img src=x onerror=alert(1)>"}},
		},
		{Name: "waiting"},
	}
}

func (s *source) Sessions() []Session {
	return []Session{testSession("1", "publisher"), testSession("2", "player"), {ID: "3", Kind: "player", Protocol: "rtmps", Channel: "other"}}
}

func (s *source) Settings() []Setting { return []Setting{{"RTMP_PORT", "1935"}} }

func (s *source) Kick(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kicked = append(s.kicked, id)
	return id == "1" || id == "2"
}

func (s *source) CloseChannel(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = append(s.closed, name)
	if name == "live" {
		return 2
	}
	return 0
}

func (s *source) RequestReconnect(name, url string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent = append(s.sent, name+" "+url)
	return 1
}

// did is what was done to the source.
func (s *source) did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.kicked, s.closed, s.sent)
}

// fixture is an administration that runs.
type fixture struct {
	*testing.T
	*Server
	source *source
	host   string // its address
	log    *lines
	client *http.Client
}

// lines is a log that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func run(t *testing.T, options Options) *fixture {
	t.Helper()
	f := &fixture{T: t, source: new(source), log: new(lines)}
	options.Source, options.Log = f.source, slog.New(slog.NewTextHandler(f.log, nil))
	f.Server = New(options)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.host = listener.Addr().String()
	transport := &http.Transport{}
	f.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Server.Run(ctx, listener) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return f
}

// request makes one with headers of the form "Name: value".
func (f *fixture) request(method, path, body string, headers ...string) *http.Request {
	f.Helper()
	r, err := http.NewRequest(method, "http://"+f.host, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	r.URL.Opaque = path // as it is
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

func (f *fixture) do(method, path, body string, headers ...string) (reply, string) {
	f.Helper()
	return f.send(f.request(method, path, body, headers...))
}

// reply is what came beside the body.
type reply struct {
	StatusCode int
	Status     string
	Header     http.Header
	Cookies    []*http.Cookie
}

func (f *fixture) send(r *http.Request) (reply, string) {
	f.Helper()
	answer, err := f.client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		f.Fatal(err)
	}
	if strings.Contains(string(text), secret) {
		f.Errorf("a key is in %s", text)
	}
	return reply{answer.StatusCode, answer.Status, answer.Header, answer.Cookies()}, string(text)
}

// want makes a request and wants a status.
func (f *fixture) want(status int, method, path, body string, headers ...string) (reply, string) {
	f.Helper()
	answer, text := f.do(method, path, body, headers...)
	if answer.StatusCode != status {
		f.Errorf("%s %s %q: %s %.200s, want %d", method, path, headers, answer.Status, text, status)
	}
	return answer, text
}

// bearer is the header of the operator.
func bearer() string { return "Authorization: Bearer " + testToken }
