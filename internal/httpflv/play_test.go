package httpflv

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// way is a way to play /CHANNEL/KEY.flv.
type way struct {
	name string
	open func(f *fixture, path string) (io.Reader, error)
}

// insecure returns a client that takes any certificate.
func insecure(t *testing.T, http2 bool) *http.Client {
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- a test
		ForceAttemptHTTP2: http2,
		HTTP2:             &http.HTTP2Config{MaxReceiveBufferPerStream: 64 << 10}, // as much as a socket has
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func body(t *testing.T, r *http.Response, major int) (io.Reader, error) {
	t.Cleanup(func() { _ = r.Body.Close() })
	if r.StatusCode != http.StatusOK || r.ProtoMajor != major {
		return nil, fmt.Errorf("%s %s", r.Proto, r.Status)
	}
	if got := r.Header.Get("Content-Type"); got != contentType {
		return nil, fmt.Errorf("content type %s", got)
	}
	return r.Body, nil
}

func dialWS(f *fixture, url string, client *http.Client) (io.Reader, error) {
	c, _, err := websocket.Dial(f.t.Context(), url, &websocket.DialOptions{HTTPClient: client}) //nolint:bodyclose // it has none
	if err != nil {
		return nil, err
	}
	f.t.Cleanup(func() { _ = c.CloseNow() })
	c.SetReadLimit(-1)
	return &wsReader{f: f, c: c}, nil
}

// wsReader reads the messages of a WebSocket as one text, until it is closed as it
// should be.
type wsReader struct {
	f    *fixture
	c    *websocket.Conn
	left []byte
}

func (r *wsReader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		kind, message, err := r.c.Read(r.f.t.Context())
		if websocket.CloseStatus(err) == websocket.StatusNormalClosure {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		if kind != websocket.MessageBinary {
			return 0, fmt.Errorf("a message of kind %v", kind)
		}
		r.left = message
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

var ways = []way{
	{"http", func(f *fixture, path string) (io.Reader, error) {
		return body(f.t, f.get(path), 1)
	}},
	{"https", func(f *fixture, path string) (io.Reader, error) {
		r, err := insecure(f.t, false).Get("https://" + f.serveTLS() + path)
		if err != nil {
			return nil, err
		}
		return body(f.t, r, 1)
	}},
	{"http2", func(f *fixture, path string) (io.Reader, error) {
		r, err := insecure(f.t, true).Get("https://" + f.serveTLS() + path)
		if err != nil {
			return nil, err
		}
		return body(f.t, r, 2)
	}},
	{"ws", func(f *fixture, path string) (io.Reader, error) {
		return dialWS(f, "ws://"+f.addr+path, nil)
	}},
	{"wss", func(f *fixture, path string) (io.Reader, error) {
		return dialWS(f, "wss://"+f.serveTLS()+path, insecure(f.t, false))
	}},
}

func TestAViewerGetsTheStreamFromItsKeyframeToItsEnd(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f := newFixture(t, nil)
			p := f.publish("live")
			p.send("MVAKva")
			in, err := w.open(f, "/live/secret.flv")
			if err != nil {
				t.Fatal(err)
			}
			film := open(t, in, "5")
			at := film.want("MVAKva")
			if !slices.IsSorted(at) || at[len(at)-1] != 60 {
				t.Errorf("timestamps %v", at)
			}
			for range 50 {
				p.send("va")
				film.want("va")
			}
			p.end()
			film.wantEnd()
			f.log.await(t, "msg=play", "channel=live", "key=***")
			f.log.await(t, "msg=end", "role=player", `reason="stream ended"`)
		})
	}
}

func TestAViewerWaitsForTheChannel(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f := newFixture(t, nil)
			opened := make(chan io.Reader, 1)
			go func() {
				in, err := w.open(f, "/live/secret.flv")
				if err != nil {
					t.Error(err)
				}
				opened <- in
			}()
			f.log.await(t, "msg=play")
			p := f.publish("live")
			p.send("VK")
			p.send("Ava")
			film := open(t, <-opened, "5")
			got := ""
			for !strings.HasSuffix(got, "va") {
				tag, err := film.tag()
				if err != nil {
					t.Fatalf("after %s: %v", got, err)
				}
				got += kindOf(tag)
			}
			// The pass that woke it may have seen the header of audio or not.
			if got != "VAKAva" && got != "VKAva" {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestTheNextPublicationGoesOnWhereTheLastWasCutOff(t *testing.T) {
	f := newFixture(t, nil)
	first := f.publish("live")
	first.send("VAKvavava")
	film := open(t, f.watch(""), "5")
	before := film.want("VAKvavava")
	expire := first.Interrupt()
	first.once.Do(func() { <-first.ended })
	second := f.publish("live")
	second.send("VAKva")
	after := film.want("VAKva")
	if after[0] <= before[len(before)-1] {
		t.Errorf("timestamps go back: %v, then %v", before, after)
	}
	expire() // too late to matter
	second.send("v")
	film.want("v")
}

func TestAViewerEndsWhenNobodyComesBack(t *testing.T) {
	f := newFixture(t, nil)
	p := f.publish("live")
	p.send("VAK")
	film := open(t, f.watch(""), "5")
	film.want("VAK")
	expire := p.Interrupt()
	p.once.Do(func() { <-p.ended })
	expire()
	film.wantEnd()
}

func TestTheHeaderNamesTheKindsThereAre(t *testing.T) {
	for sent, flags := range map[string]string{"VK": "1", "Aa": "4", "VAK": "5"} {
		f := newFixture(t, nil)
		p := f.publish("live")
		p.send(sent)
		p.at += 2000
		last := sent[len(sent)-1:]
		p.send(strings.ToLower(strings.Replace(last, "K", "v", 1)))
		open(t, f.watch(""), flags)
		p.end()
	}
}

func TestWishesOfTheQuery(t *testing.T) {
	for query, want := range map[string]string{
		"":             "VAKvva",
		"?cache=no":    "VAK",
		"?a=b&tracks=": "VAKvva",
	} {
		f := newFixture(t, nil)
		p := f.publish("live")
		p.send("VAKvva")
		p.at += 2000
		p.send("v")
		film := open(t, f.watch(query), "5")
		p.send("K")
		film.want(want)
		p.end()
	}
}

func TestAViewerWhoCanTakeNothingEnds(t *testing.T) {
	f := newFixture(t, nil)
	p := f.publish("live")
	p.send("H")
	p.at += 2000
	p.send("HM")
	in := f.watch("?enhanced=no")
	p.send("H")
	if _, err := io.Copy(io.Discard, in); err != nil {
		t.Error(err)
	}
	f.log.await(t, "msg=end", string(stream.ReasonNoTrack))
}

func TestKillingTheChannelEndsItsViewers(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.publish("live").send("VAK")
			in, err := w.open(f, "/live/secret.flv")
			if err != nil {
				t.Fatal(err)
			}
			open(t, in, "5").want("VAK")
			f.registry.KillSession("live")
			_, err = io.Copy(io.Discard, in)
			if s := websocket.CloseStatus(err); strings.HasPrefix(w.name, "ws") && s != 4403 {
				t.Errorf("closed with %v, %v", s, err)
			}
			f.log.await(t, "msg=end", string(stream.ReasonKilled))
		})
	}
}

func TestAShutdownEndsViewers(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.publish("live").send("VAK")
			in, err := w.open(f, "/live/secret.flv")
			if err != nil {
				t.Fatal(err)
			}
			open(t, in, "5").want("VAK")
			read := make(chan struct{})
			go func() {
				defer close(read)
				_, _ = io.Copy(io.Discard, in)
			}()
			if err := f.Shutdown(t.Context()); err != nil {
				t.Errorf("shutdown: %v", err)
			}
			<-read
			f.log.await(t, "msg=end", string(stream.ReasonShutdown))
		})
	}
}

func TestClosingCutsViewersOff(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.publish("live").send("VAK")
			in, err := w.open(f, "/live/secret.flv")
			if err != nil {
				t.Fatal(err)
			}
			open(t, in, "5").want("VAK")
			if err := f.Close(); err != nil {
				t.Logf("close: %v", err) // of a socket that the other side closed first
			}
			_, _ = io.Copy(io.Discard, in)
			f.log.await(t, "msg=end", string(stream.ReasonShutdown))
		})
	}
}

func TestViewersComeAndGo(t *testing.T) {
	f := newFixture(t, nil)
	p := f.publish("live")
	p.send("VAKva")
	for i := range 50 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = fmt.Fprintf(c, "GET /live/secret.flv HTTP/1.%d\r\nHost: x\r\n\r\n", i%2)
		if i%3 > 0 {
			_, _ = io.ReadFull(c, make([]byte, 20*i))
		}
		_ = c.Close()
		p.send("va")
	}
	for len(f.Sessions()) > 0 {
		p.send("v")
	}
}

// fragile is the answer to a request of HTTP/2, and notes when it is touched.
type fragile struct {
	http.ResponseWriter // nil: only what is below may be called
	touched             atomic.Bool
}

func (a *fragile) SetWriteDeadline(time.Time) error {
	a.touched.Store(true)
	return nil
}

// The handler may return while the server closes, and nobody may touch its answer then.
func TestClosingLeavesAnswersToTheirHandlers(t *testing.T) {
	f := newFixture(t, nil)
	a := new(fragile)
	v := &viewer{server: f.Server, dropped: make(chan struct{})}
	v.turn.Take()
	f.mu.Lock()
	f.viewers[v] = struct{}{}
	f.mu.Unlock()
	f.attach(v, answerOutlet(a))
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	f.mu.Lock()
	delete(f.viewers, v)
	f.mu.Unlock()
	select {
	case <-v.dropped:
	default:
		t.Error("the handler was not told")
	}
	if a.touched.Load() {
		t.Error("the answer was touched")
	}
}
