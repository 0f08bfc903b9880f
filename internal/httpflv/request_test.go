package httpflv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/access"
	"github.com/AgustinSRG/rtmp-server/internal/stream"
)

// shortWait has viewers wait for next to no time.
func shortWait(o *Options) { o.PlayWait = time.Millisecond }

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	f := newFixture(t, shortWait)
	f.publish("live").send("VAK")
	var texts []string
	for _, path := range []string{
		"/", "/live", "/live/secret", "/live/secret.mp4", "/live/x/secret.flv", "/live/.flv", "//secret.flv",
		"/live/sec%20ret.flv", "/live/" + strings.Repeat("x", 33) + ".flv", "/live/wrong.flv", "/other/secret.flv",
	} {
		r := f.get(path) //nolint:bodyclose // get sees to it
		text, _ := io.ReadAll(r.Body)
		if r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
		if path == "/live/wrong.flv" {
			texts = append(texts, string(text))
		}
	}
	f.log.await(t, "msg=end", string(stream.ReasonPlayWait))
	if n := f.registry.Len(); n != 1 {
		t.Errorf("%d channels, want 1", n)
	}
	if len(texts) != 1 || strings.Contains(strings.ToLower(texts[0]), "key") {
		t.Errorf("a wrong key is told: %q", texts)
	}
	f.log.await(t, "msg=refused", string(stream.ReasonWrongKey))
}

func TestAWebSocketIsClosedWithTheStatus(t *testing.T) {
	f := newFixture(t, shortWait)
	in, err := dialWS(f, "ws://"+f.addr+"/live/secret.flv", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, in); websocket.CloseStatus(err) != 4404 {
		t.Errorf("closed with %v, want 4404", err)
	}
}

func TestAPlayerThatWaitsWithAWrongKeyIsToldNothing(t *testing.T) {
	f := newFixture(t, nil)
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
	if status := <-answered; status != http.StatusNotFound {
		t.Errorf("status %d", status)
	}
}

func TestMethods(t *testing.T) {
	f := newFixture(t, nil)
	for method, want := range map[string]string{
		"HEAD":    "200 " + contentType,
		"OPTIONS": "204 ",
		"POST":    "405 text/plain; charset=utf-8",
		"DELETE":  "405 text/plain; charset=utf-8",
	} {
		q, err := http.NewRequestWithContext(t.Context(), method, f.url("/live/secret.flv"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if got := fmt.Sprint(r.StatusCode, " ", r.Header.Get("Content-Type")); got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
		if origin := r.Header.Get("Access-Control-Allow-Origin"); origin != "*" {
			t.Errorf("%s: allowed for %q", method, origin)
		}
	}
	if n := f.registry.Len(); n != 0 {
		t.Errorf("a HEAD joined one of %d channels", n)
	}
}

func TestOrigins(t *testing.T) {
	const page = "https://page.example"
	for _, c := range []struct {
		setting, origin, allowed string
		socket                   bool
	}{
		{"*", page, "*", true},
		{"", page, "", false},
		{"", "", "", true},
		{"", "http://HOST", "", true},
		{page, page, page, true},
		{page, "https://other.example", page, false},
		{page, "", page, true},
	} {
		f := newFixture(t, func(o *Options) { o.Origin = c.setting })
		f.publish("live").send("VAK")
		origin := strings.Replace(c.origin, "HOST", f.addr, 1)
		q, err := http.NewRequestWithContext(t.Context(), http.MethodHead, f.url("/live/secret.flv"), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Origin", origin)
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Body.Close()
		if got := r.Header.Get("Access-Control-Allow-Origin"); got != c.allowed {
			t.Errorf("%+v: allowed for %q", c, got)
		}
		header := http.Header{}
		if origin != "" {
			header.Set("Origin", origin)
		}
		ws, _, err := websocket.Dial(t.Context(), "ws://"+f.addr+"/live/secret.flv", &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // it has none
		if (err == nil) != c.socket {
			t.Errorf("%+v: WebSocket: %v", c, err)
		}
		if err == nil {
			_ = ws.CloseNow()
		}
	}
}

func TestAddressesAreBoundedAsOverRTMP(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Players = access.List{} })
	r := f.get("/live/secret.flv") //nolint:bodyclose // get sees to it
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("not on the list: %s", r.Status)
	}
	f = newFixture(t, func(o *Options) { o.Limiter = access.NewLimiter(1, access.List{}, 0) })
	f.publish("live").send("VAK")
	open(t, f.watch(""), "5")
	if _, err := insecure(t, false).Get(f.url("/live/secret.flv")); err == nil { //nolint:bodyclose // there is none
		t.Error("a second connection of one address was served")
	}
	f.log.await(t, "connection refused", string(stream.ReasonCrowded))
}

// fullHost has no place.
type fullHost struct{}

func (fullHost) Admit() (func(), stream.Reason) { return nil, stream.ReasonFull }
func (fullHost) LogRefusal(log *slog.Logger, level slog.Level, _ stream.Reason, message string, attrs ...any) {
	log.Log(context.Background(), level, message, attrs...)
}

func (fullHost) LogStep(*slog.Logger, string, string, ...any) {}

func TestAFullServerServesNobody(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.Host = fullHost{} })
	if _, err := insecure(t, false).Get(f.url("/live/secret.flv")); err == nil { //nolint:bodyclose // there is none
		t.Error("served")
	}
	f.log.await(t, "level=WARN", string(stream.ReasonFull))
}

func TestTheClientBehindALoadBalancerCounts(t *testing.T) {
	f := newFixture(t, func(o *Options) {
		o.Players, _ = access.ParseList("192.0.2.7")
		o.Limiter = access.NewLimiter(1, access.List{}, 0)
	})
	f.publish("live").send("VAK")
	balancer, err := access.ParseList("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	addr := f.serve(func(l net.Listener) error { return f.Serve(access.ProxyListener(l, balancer, time.Second)) })
	ask := func(client string) string {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = fmt.Fprintf(c, "PROXY TCP4 %s 127.0.0.1 1000 80\r\nGET /live/secret.flv HTTP/1.1\r\nHost: x\r\n\r\n", client)
		line, _ := bufio.NewReader(c).ReadString('\n')
		return strings.TrimSpace(line)
	}
	for _, c := range []struct{ client, want string }{
		{"192.0.2.7", "HTTP/1.1 200 OK"}, {"192.0.2.8", "HTTP/1.1 403 Forbidden"}, {"192.0.2.7", "HTTP/1.1 429 Too Many Requests"},
	} {
		if got := ask(c.client); got != c.want {
			t.Errorf("%s: %s, want %s", c.client, got, c.want)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	f := newFixture(t, nil)
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, f.url("/live/secret.flv"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("X", strings.Repeat("x", 17<<10))
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Error(r.Status)
	}
}

func TestAPreviewNeedsNoKeyButAPageOfTheSameHost(t *testing.T) {
	f := newFixture(t, nil)
	f.publish("live").send("VAK")
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.Preview(strings.TrimPrefix(r.URL.Path, "/")).ServeHTTP(w, r)
	}))
	defer admin.Close()
	in, err := dialWS(f, admin.URL+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	open(t, in, "5").want("VAK")
	if _, _, err := websocket.Dial(t.Context(), admin.URL+"/live", &websocket.DialOptions{ //nolint:bodyclose // it has none
		HTTPHeader: http.Header{"Origin": {"https://page.example"}},
	}); err == nil {
		t.Error("a page of another host may look")
	}
	if _, _, err := websocket.Dial(t.Context(), admin.URL+"/a/b", nil); err == nil { //nolint:bodyclose // it has none
		t.Error("what is no channel may be looked at")
	}
	r, err := http.Get(admin.URL + "/live")
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != http.StatusUpgradeRequired {
		t.Error(r.Status)
	}
}
