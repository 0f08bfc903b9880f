package httpflv

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/fanout"
	"github.com/AgustinSRG/rtmp-server/internal/media"
	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/internal/server"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines is a log that tests wait for.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

// await waits for a line with all of the texts.
func (l *lines) await(t *testing.T, texts ...string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		more, all := l.more, l.text.String()
		l.mu.Unlock()
		for line := range strings.Lines(all) {
			found := 0
			for _, text := range texts {
				if strings.Contains(line, text) {
					found++
				}
			}
			if found == len(texts) {
				return
			}
		}
		select {
		case <-more:
		case <-late:
			t.Fatalf("no line with %q in\n%s", texts, all)
		}
	}
}

// fixture is a server on a port, with its registry.
type fixture struct {
	*Server
	t        *testing.T
	registry *stream.Registry
	host     *server.Server
	log      *lines
	addr     string
	serving  sync.WaitGroup
}

func everyone(t *testing.T) access.List {
	t.Helper()
	all, err := access.ParseList("*")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newFixture(t *testing.T, change func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &lines{more: make(chan struct{})}}
	f.registry = stream.NewRegistry(stream.Options{ChunkSize: 60000, CacheBytes: 1 << 20})
	log := slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	limiter := access.NewLimiter(0, access.List{}, 0)
	f.host = server.New(server.Options{Registry: f.registry, Limiter: limiter, Log: log, MaxConnections: 100})
	options := Options{
		Registry: f.registry, Host: f.host, Limiter: limiter, Players: everyone(t), IDMaxLength: 32,
		Origin: "*", Enhanced: media.AllCodecs, Log: log, LogRequests: true,
	}
	if change != nil {
		change(&options)
	}
	f.Server = New(options)
	f.addr = f.serve(f.Serve)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		f.serving.Wait()
		if n := f.host.Connections(); n != 0 {
			t.Errorf("%d places are left taken", n)
		}
		if n := f.registry.Len(); n != 0 {
			t.Errorf("%d channels are left", n)
		}
		_ = f.host.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return f
}

// serve serves on a port of its own, and returns the address.
func (f *fixture) serve(serve func(net.Listener) error) string {
	f.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	f.serving.Go(func() {
		if err := serve(l); !errors.Is(err, ErrServerClosed) {
			f.t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

// serveTLS serves HTTPS, and returns the address.
func (f *fixture) serveTLS() string {
	return f.serve(func(l net.Listener) error {
		return f.ServeTLS(l, &tls.Config{Certificates: []tls.Certificate{testCertificate(f.t)}, MinVersion: tls.VersionTLS12})
	})
}

// session stands for the connection of a publisher.
type session struct{}

func (session) Kick(stream.Reason)           {}
func (session) Silent() time.Duration        { return 0 }
func (session) RequestReconnect(string) bool { return false }
func (session) Leaving() bool                { return false }

// publisher publishes a channel with the key "secret".
type publisher struct {
	*stream.Publication
	ended chan struct{}
	once  sync.Once
	at    uint32
}

func (f *fixture) publish(channel string) *publisher {
	f.t.Helper()
	p, err := f.registry.Publish(stream.Claim{Channel: channel, Key: "secret", Publisher: session{}})
	if err != nil {
		f.t.Fatal(err)
	}
	pub := &publisher{Publication: p, ended: make(chan struct{})}
	began := time.Now()
	go func() {
		defer close(pub.ended)
		fanout.Run(p, fanout.Options{Now: func() time.Duration { return time.Since(began) }})
	}()
	f.t.Cleanup(pub.end)
	return pub
}

func (p *publisher) end() {
	p.once.Do(func() {
		p.Close()
		<-p.ended
	})
}

// send appends messages: "V" is the header of video, "A" that of audio, "K" a
// keyframe, "v" and "a" frames, "M" metadata, "H" H.265 by FourCC. Each is 10 ms
// behind the last.
func (p *publisher) send(kinds string) {
	for _, kind := range kinds {
		p.at += 10
		m := messages[kind]
		m.Timestamp = p.at
		m.Payload = bytes.Clone(m.Payload)
		p.Append(m, time.Duration(p.at)*time.Millisecond)
	}
	p.Flush()
}

var messages = map[rune]rtmp.Message{
	'V': {Type: rtmp.TypeVideo, Payload: []byte("\x17\x00\x00\x00\x00config")},
	'A': {Type: rtmp.TypeAudio, Payload: []byte("\xaf\x00\x12\x10")},
	'K': {Type: rtmp.TypeVideo, Payload: []byte("\x17\x01\x00\x00\x00key")},
	'v': {Type: rtmp.TypeVideo, Payload: []byte("\x27\x01\x00\x00\x00inter")},
	'a': {Type: rtmp.TypeAudio, Payload: []byte("\xaf\x01sound")},
	'M': {Type: rtmp.TypeData, Payload: []byte("\x02\x00\x0aonMetaData\x08\x00\x00\x00\x01\x00\x01x\x02\x00\x01y\x00\x00\x09")},
	'H': {Type: rtmp.TypeVideo, Payload: []byte("\x90hvc1config")},
}

// kindOf is the inverse of messages.
func kindOf(tag media.Tag) string {
	for kind, m := range messages {
		if media.TagType(m.Type) == tag.Type && (kind == 'M' || bytes.Equal(m.Payload, tag.Payload)) {
			return string(kind)
		}
	}
	return fmt.Sprintf("(%d % x)", tag.Type, tag.Payload)
}

func (f *fixture) url(path string) string { return "http://" + f.addr + path }

// get asks for a path. The body is closed with the test.
func (f *fixture) get(path string) *http.Response {
	f.t.Helper()
	r, err := http.Get(f.url(path))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = r.Body.Close() })
	return r
}

// watch plays the channel that tests publish, with a query.
func (f *fixture) watch(query string) io.Reader {
	f.t.Helper()
	return f.get("/live/secret.flv" + query).Body //nolint:bodyclose // get sees to it
}
