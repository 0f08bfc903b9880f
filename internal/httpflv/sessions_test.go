package httpflv

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// obituaries are the ends that a server told of.
type obituaries chan stream.End

func (o obituaries) take(options *Options) { options.Ended = func(e stream.End) { o <- e } }

// next waits for an end, and returns it as text.
func (o obituaries) next(t *testing.T) (text string, e stream.End) {
	t.Helper()
	select {
	case e = <-o:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing has ended")
	}
	text = fmt.Sprintf("%s %s %s %s", e.Kind, e.Protocol, e.Channel, e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text, e
}

func (o obituaries) want(t *testing.T, want string) stream.End {
	t.Helper()
	got, e := o.next(t)
	if got != want {
		t.Errorf("ended: %q, want %q", got, want)
	}
	if !strings.HasPrefix(e.ID, "h") || e.Ended.Before(e.Started) || time.Since(e.Started) > time.Minute {
		t.Errorf("%q: id %q, from %v to %v", got, e.ID, e.Started, e.Ended)
	}
	return e
}

// newObserved returns a fixture that tells of ends, which must all have been wanted.
func newObserved(t *testing.T, change func(*Options)) (*fixture, obituaries) {
	t.Helper()
	o := make(obituaries, 100)
	f := newFixture(t, func(options *Options) {
		o.take(options)
		if change != nil {
			change(options)
		}
	})
	return f, o
}

func TestASessionSaysWhoPlays(t *testing.T) {
	f := newFixture(t, nil)
	f.publish("live").send("VAKv")
	open(t, f.watch(""), "5").want("VAKv")
	until(t, func() bool { return f.Sessions()[0].BytesOut > 0 })
	got := f.Sessions()[0]
	if !got.Address.IsValid() || time.Since(got.Started) > time.Minute || got.BytesOut < 100 {
		t.Errorf("got %+v", got)
	}
	want := stream.Session{
		ID: "h1", Kind: stream.KindPlayer, Protocol: stream.ProtocolHTTPFLV, Channel: "live", Key: "secret", Live: true,
		Client: "Go-http-client/1.1", Address: got.Address, Started: got.Started, BytesOut: got.BytesOut,
		MessagesOut: 4, // two of them headers
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestALaggingViewerShows(t *testing.T) {
	f, o := newObserved(t, nil)
	p := f.publish("live")
	p.send("VAK")
	film := open(t, bodyOf(t, rawHTTP(t, f.addr)), "5")
	film.want("VAK")
	p.burst(80, 20_000)
	behind := f.Sessions()[0]
	if behind.Lag < 10*time.Second || behind.MessagesOut == 0 || behind.MessagesOut > 700 {
		t.Errorf("it lags by %v and got %d messages", behind.Lag, behind.MessagesOut)
	}
	go p.end()
	_, _ = io.Copy(io.Discard, film.in)
	last := o.want(t, "player http-flv live stream ended")
	headers := 2 * (1 + last.Skips) // when it joined, and each time it was moved
	if last.Lag != 0 || last.Skips == 0 || last.MessagesOut+last.Skipped != 801+headers || last.Live {
		t.Errorf("at the end: %+v", last.Session)
	}
	if got := f.Traffic()[0]; got.Skipped != last.Skipped || got.Skips != last.Skips || got.MessagesOut != last.MessagesOut || got.BytesOut != last.BytesOut {
		t.Errorf("the server counts %+v, the viewer was %+v", got, last.Session)
	}
}

func TestKickingOneViewer(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			f, o := newObserved(t, nil)
			f.publish("live").send("VAK")
			in, err := w.open(f, "/live/secret.flv")
			if err != nil {
				t.Fatal(err)
			}
			other := open(t, f.watch(""), "5")
			open(t, in, "5").want("VAK")
			if !f.Kick("h1") || f.Kick("h1") || f.Kick("1") || f.Kick("h9") {
				t.Error("not the session that is there was kicked")
			}
			_, err = io.Copy(io.Discard, in)
			protocol := stream.ProtocolHTTPFLV
			if strings.HasPrefix(w.name, "ws") {
				protocol = stream.ProtocolWSFLV
				if err == nil || !strings.Contains(err.Error(), "4403") {
					t.Errorf("closed with %v, want 4403", err)
				}
			}
			if e := o.want(t, "player "+string(protocol)+" live killed by an operator"); e.ID != "h1" || e.BytesOut < 50 {
				t.Errorf("ended: %+v", e)
			}
			other.want("VAK")
		})
	}
}

// TestConnectionsThatComeToNothingHaveAReason has each row end in one way.
func TestConnectionsThatComeToNothingHaveAReason(t *testing.T) {
	balancer, err := access.ParseList("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		sends  string
		leaves bool
		secure bool
		reason stream.Reason
	}{
		"a port scan":                 {"", true, false, ReasonProbe},
		"half a request":              {"GET / HT", true, false, ReasonProbe},
		"another protocol":            {"\x03" + strings.Repeat("x", 100) + "\r\n\r\n", false, false, ReasonBadRequest},
		"too large a header":          {"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20<<10), false, false, ReasonBadRequest},
		"another protocol, with TLS":  {"GET / HTTP/1.1\r\n\r\n", false, true, stream.ReasonTLS},
		"a port scan, with TLS":       {"", true, true, ReasonProbe},
		"behind a load balancer":      {"PROXY nonsense\r\n", false, false, stream.ReasonProxyHeader},
		"a request that never begins": {"", false, false, ReasonSlowRequest},
		"a request that never ends":   {"GET / HTTP/1.1\r\nX: ", false, false, ReasonSlowRequest},
		"a handshake that never ends": {"\x16\x03\x01", false, true, ReasonSlowRequest},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, o := newObserved(t, nil)
			addr := f.addr
			switch {
			case row.secure:
				addr = f.serveTLS()
			case row.reason == stream.ReasonProxyHeader:
				addr = f.serve(func(l net.Listener) error { return f.Serve(access.ProxyListener(l, balancer, time.Second)) })
			}
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			_, _ = io.WriteString(c, row.sends)
			if row.leaves {
				_ = c.Close()
			}
			o.want(t, "refused http-flv  "+string(row.reason))
			f.log.await(t, "level=DEBUG", "connection refused", string(row.reason))
		})
	}
}

func TestTheOldestNewcomersMakeRoom(t *testing.T) {
	f, o := newObserved(t, func(o *Options) { o.MaxNewcomers = 3 })
	f.publish("live").send("VAK")
	film := open(t, f.watch(""), "5") // is none any more
	film.want("VAK")
	answered, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answered.Close() }()
	_, _ = io.WriteString(answered, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
	o.want(t, "refused http-flv  invalid channel or key")
	for range 6 {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	for range 3 { // beside the one that had its answer
		o.want(t, "refused http-flv  made room for newer connections")
	}
	if _, err := io.Copy(io.Discard, answered); err == nil {
		t.Error("the connection that was answered ended without a reset")
	}
	until(t, func() bool { return f.host.Connections() == 4 })
	f.log.await(t, "level=DEBUG", string(stream.ReasonMadeRoom))
	open(t, f.watch("?again"), "5").want("VAK")
	o.want(t, "refused http-flv  made room for newer connections")
}

func TestRefusedRequestsAreEnds(t *testing.T) {
	f, o := newObserved(t, func(o *Options) { o.Origin = ""; o.PlayWait = time.Millisecond })
	f.publish("live").send("VAK")
	f.get("/live/bad.mp4")   //nolint:bodyclose // get sees to it
	f.get("/live/wrong.flv") //nolint:bodyclose // get sees to it
	f.get("/other/key.flv")  //nolint:bodyclose // get sees to it
	for _, want := range []string{
		"refused http-flv  invalid channel or key", "refused http-flv live wrong key", "player http-flv other channel did not go live in time",
	} {
		if e := o.want(t, want); e.Client != "Go-http-client/1.1" || !e.Address.IsValid() {
			t.Errorf("%+v", e)
		}
	}
	upgrade := func(header string) {
		c, err := net.Dial("tcp", f.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = io.WriteString(c, "GET /live/secret.flv HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+header+"\r\n\r\n")
		_, _ = c.Read(make([]byte, 1))
	}
	upgrade("Origin: https://page.example")
	o.want(t, "refused ws-flv live page of another origin")
	upgrade("X: y")
	o.want(t, "refused ws-flv live WebSocket handshake failed")
	if n := f.Sessions(); len(n) != 0 {
		t.Errorf("left: %+v", n)
	}
}

func TestTrafficIsCountedByProtocol(t *testing.T) {
	f, o := newObserved(t, nil)
	p := f.publish("live")
	p.send("VAKva")
	c := rawWS(t, f.addr, "\x89\x80\x00\x00\x00\x00")
	f.log.await(t, "msg=play", "protocol=ws-flv")
	r := f.get("/live/secret.flv") //nolint:bodyclose // get sees to it
	open(t, r.Body, "5").want("VAKva")
	silent, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	until(t, func() bool { a := f.Traffic(); return a[0].Open == 2 && a[0].BytesOut > 100 && a[1].BytesOut > 100 })
	before := f.Traffic()
	for i, protocol := range []stream.Protocol{stream.ProtocolHTTPFLV, stream.ProtocolWSFLV} {
		got := before[i]
		if got.Protocol != protocol || got.Open != 2-i || got.Accepted != 1 || got.BytesOut < 100 {
			t.Errorf("%s: %+v", protocol, got)
		}
	}
	_, _ = io.WriteString(c, "\x88\x80\x00\x00\x00\x00")
	_, _ = io.Copy(io.Discard, c)
	if e := o.want(t, "player ws-flv live closed by client"); e.BytesIn != 12 {
		t.Errorf("%d bytes came, want the 12 of two frames", e.BytesIn)
	}
	p.end()
	o.want(t, "player http-flv live stream ended")
	_ = silent.Close()
	o.want(t, "refused http-flv  closed before a request")
	until(t, func() bool { a := f.Traffic(); return a[0].Open+a[1].Open == 0 })
	for i, got := range f.Traffic() {
		if got.Accepted != uint64(2-i) || got.BytesOut < before[i].BytesOut || got.MessagesOut < before[i].MessagesOut || got.MessagesOut == 0 {
			t.Errorf("at the end: %+v, before: %+v", got, before[i])
		}
	}
}

// until waits for what happens soon, and says nothing when it does.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not happen")
		}
	}
}

// TestSessionsCanBeListedWhileTheyComeAndGo is for the race detector.
func TestSessionsCanBeListedWhileTheyComeAndGo(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Ended = func(stream.End) {} })
	p := f.publish("live")
	p.send("VAKva")
	var running sync.WaitGroup
	for range 3 {
		running.Go(func() {
			for range 20 {
				r, err := http.Get(f.url("/live/secret.flv"))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.ReadFull(r.Body, make([]byte, 50))
				_ = r.Body.Close()
			}
		})
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	for {
		select {
		case <-done:
			return
		default:
			f.Sessions()
			f.Traffic()
			p.send("va")
		}
	}
}

func TestMemoryThatIsShortKeepsNewcomersOut(t *testing.T) {
	f, o := newObserved(t, nil)
	p := f.publish("live")
	p.send("VAK")
	film := open(t, f.watch(""), "5")
	film.want("VAK")
	f.host.SetShort(true)
	if _, err := insecure(t, false).Get(f.url("/live/secret.flv")); err == nil { //nolint:bodyclose // there is none
		t.Error("a newcomer is served")
	}
	o.want(t, "refused http-flv  server short of memory")
	f.log.await(t, "level=WARN", string(stream.ReasonMemory))
	p.send("va")
	film.want("va")
	if f.host.SetShort(false) == 0 {
		t.Error("nobody is counted as refused")
	}
	open(t, f.watch(""), "5").want("VAKva")
}

// guessLimit is how many wrong keys an address has in these tests.
const guessLimit = 5

func TestWhoGuessesKeysIsRefusedUnasked(t *testing.T) {
	f, o := newObserved(t, func(o *Options) { o.Guesses = access.NewGuesses(guessLimit, access.List{}, 0) })
	p := f.publish("live")
	p.send("VAK")
	first := f.get("/live/wrong.flv") //nolint:bodyclose // get sees to it
	text, _ := io.ReadAll(first.Body)
	header := first.Header
	header.Del("Date")
	answers := func(key string) {
		t.Helper()
		r := f.get("/live/" + key + ".flv") //nolint:bodyclose // get sees to it
		again, _ := io.ReadAll(r.Body)
		r.Header.Del("Date")
		if r.StatusCode != http.StatusNotFound || !bytes.Equal(text, again) || fmt.Sprint(header) != fmt.Sprint(r.Header) {
			t.Errorf("key %s is answered with %s %v %q, the first one with %v %q", key, r.Status, r.Header, again, header, text)
		}
	}
	o.want(t, "refused http-flv live wrong key")
	for i := range guessLimit - 1 {
		answers(fmt.Sprint("wrong", i))
		o.want(t, "refused http-flv live wrong key")
	}
	for _, key := range []string{"wrong", "secret"} {
		answers(key)
		o.want(t, "refused http-flv live too many wrong keys from this address")
	}
	if _, err := dialWS(f, "ws://"+f.addr+"/live/secret.flv", nil); err == nil {
		t.Error("a WebSocket may guess")
	}
	o.want(t, "refused ws-flv live too many wrong keys from this address")
}

func TestWaitingWithAWrongKeyIsAGuess(t *testing.T) {
	f, o := newObserved(t, func(o *Options) { o.Guesses = access.NewGuesses(1, access.List{}, 0) })
	answered := make(chan int, 1)
	go func() {
		r, err := http.Get(f.url("/live/wrong.flv"))
		if err != nil {
			t.Error(err)
			return
		}
		_ = r.Body.Close()
		answered <- r.StatusCode
	}()
	f.log.await(t, "msg=play")
	f.publish("live").send("VAK")
	<-answered
	o.want(t, "player http-flv live wrong key")
	f.get("/live/secret.flv") //nolint:bodyclose // get sees to it
	o.want(t, "refused http-flv live too many wrong keys from this address")
}

func TestAPreviewIsNoGuess(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Guesses = access.NewGuesses(1, access.List{}, 0) })
	f.publish("live").send("VAK")
	f.get("/live/wrong.flv") //nolint:bodyclose // get sees to it
	admin := httptest.NewServer(f.Preview("live"))
	defer admin.Close()
	in, err := dialWS(f, admin.URL+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	open(t, in, "5").want("VAK")
}

func TestEveryReasonIsAnnounced(t *testing.T) {
	announced := Reasons()
	for _, reason := range []stream.Reason{
		ReasonEnded, stream.ReasonNoFiles, stream.ReasonMemory, stream.ReasonGuessing, stream.ReasonTLS, ReasonProbe, ReasonSlowRequest, ReasonBadRequest,
		ReasonHandshake, stream.ReasonInternal, stream.ReasonKicked,
	} {
		if !slices.Contains(announced, reason) {
			t.Errorf("%q is not announced", reason)
		}
	}
}

// TestDocumentedReasons keeps docs/configuration.md complete.
func TestDocumentedReasons(t *testing.T) {
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range Reasons() {
		if !strings.Contains(string(text), string(reason)) {
			t.Errorf("docs/configuration.md does not explain %q", reason)
		}
	}
}

func TestAStopIsTheReasonOfThoseWhoHaveNotAskedYet(t *testing.T) {
	f, o := newObserved(t, nil)
	c, err := tls.Dial("tcp", f.serveTLS(), &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := f.Close(); err != nil {
		t.Log(err)
	}
	o.want(t, "refused http-flv  server stopping")
}
