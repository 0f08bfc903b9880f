package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// TestTheLogOfADay has all kinds of clients come and go, the good and the bad, and
// wants the log to be the one that docs/log.md shows and explains.
func TestTheLogOfADay(t *testing.T) {
	t.Parallel()
	d := startDay(t)
	d.show()
	d.crash()
	d.strangers()
	d.refusals()
	d.web()
	d.operator()
	d.scans()
	d.server.AwaitLines(1, 30*time.Second, `msg="stream warning"`)
	d.server.AwaitLines(1, 30*time.Second, `reason="neither published nor played in time"`)
	d.server.AwaitLines(1, 30*time.Second, `reason="peer stopped reading"`)
	d.stop()
	d.server.Stop()
	t.Logf("the log:\n%s", strings.Join(d.server.Log.All(), "\n"))
	checkLog(t, d.server.Log.All())
}

// day is a server with all there is, and a channel "show" that is live all day.
type day struct {
	t      *testing.T
	server *stage.Server
	page   string // where viewers play over HTTP
	admin  string
	stop   context.CancelFunc
}

func startDay(t *testing.T) *day {
	dir := t.TempDir()
	b := stage.StartBackend(t, "", nil)
	b.Answer = func(w http.ResponseWriter, e stage.Event) {
		switch e.Channel {
		case "stolen":
			w.WriteHeader(http.StatusForbidden)
		case "unlucky":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			b.Accept(w, e)
		}
	}
	settings := append(stage.NewIssuer(t).Issue(t, dir).Settings(),
		"CALLBACK_URL="+b.URL, "JWT_SECRET="+stage.CallbackSecret, "ADMIN_ADDRESS=127.0.0.1:0", "PUBLISH_GRACE_SECONDS=2")
	d := &day{t: t, stop: func() {}}
	d.server, d.page = startWithHTTPAnd(t, settings...)
	d.admin = stage.Attr(d.server.AwaitLine("msg=administration"), "url")
	return d
}

// ended waits for the end of a session on a channel.
func (d *day) ended(parts ...string) {
	d.t.Helper()
	d.server.AwaitLine(append(parts, "msg=end")...)
}

// show begins a stream that has but one keyframe, and has viewers of all kinds come.
func (d *day) show() {
	t, s := d.t, d.server
	// A socket that nobody reads, and one that says nothing after its connect.
	d.silent()
	publisher, err := stage.DialFrom(t, "", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := publisher.Start("show", "key", stage.Publishing); err != nil {
		t.Fatal(err)
	}
	publisher.Record()
	ctx, stop := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	d.stop = func() { stop(); sending.Wait() }
	t.Cleanup(d.stop)
	sending.Go(func() {
		for number := range 1 << 20 {
			m := stage.NumberedMessage(publisher.Stream, 1+30*number)
			if number == 0 {
				m.Payload[0] = 0x17
			}
			m.Timestamp = uint32(40 * number)
			m.Payload = append(m.Payload, make([]byte, 40_000)...)
			if publisher.WriteMessage(m) != nil || !stage.Pause(ctx, 40*time.Millisecond) {
				return
			}
		}
	})
	s.AwaitLine("msg=publish", "channel=show")
	stage.AwaitEvent(t, stage.Play(t, s, "show/key").Record(), 1, stage.Keyframe)
	s.AwaitLine("msg=play", "channel=show")

	viewer := stage.Ffmpeg(t, "-i", s.URL("show/key"), "-t", "1", "-c", "copy", "-f", "null", "-")
	_ = viewer.Wait(mediaLength + stage.Soon) // it complains of the stream
	d.ended("channel=show", "role=player")
	reset := stage.Play(t, s, "show/key")
	reset.Reset()
	d.ended("channel=show", `reason="connection reset"`)
	stalled := stage.Play(t, s, "show/key")
	if err := stalled.Conn.SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
}

// silent has one connect without doing anything, and one say nothing at all.
func (d *day) silent() {
	idle, err := stage.DialFrom(d.t, "", d.server.Addr)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := idle.Connect(rtmp.ConnectOptions{App: "show"}); err != nil {
		d.t.Fatal(err)
	}
	idle.Record()
	d.dial(d.server.Addr)
}

// crash has an encoder lose its connection twice: it comes back in time, and does not.
func (d *day) crash() {
	d.t.Helper()
	for i := range 2 {
		publisher := stage.Publish(d.t, d.server, "church/key")
		if err := publisher.WriteMessage(stage.NumberedMessage(publisher.Stream, 0)); err != nil {
			d.t.Fatal(err)
		}
		publisher.Reset()
		d.server.AwaitLines(i+1, stage.Soon, "msg=end", "channel=church", "role=publisher")
	}
	d.publishFile("church")
}

// publishFile has FFmpeg publish for a moment.
func (d *day) publishFile(channel string) {
	d.t.Helper()
	_ = stage.FfmpegPublish(d.t, mediaPath(fileAudio), d.server.URL(channel+"/key"), "-t", "1").Wait(mediaLength + stage.Soon)
	d.ended("channel="+channel, "role=publisher", "client=\"FMLE/3.0 (compatible; Lavf")
}

// strangers do not have the key.
func (d *day) strangers() {
	if _, err := stage.TryPlay(d.t, "", d.server.Addr, "show/guess"); err == nil {
		d.t.Error("a wrong key plays")
	}
	d.ended(`reason="wrong key"`, "channel=show")
	early := stage.Play(d.t, d.server, "school/guess").Record()
	d.server.AwaitLine("msg=play", "channel=school")
	d.publishFile("school")
	early.AwaitEnd(stage.Soon)
	d.ended(`reason="wrong key"`, "channel=school")
}

// refusals are publishers that may not publish.
func (d *day) refusals() {
	for path, reason := range map[string]string{
		"stolen/key": "publish denied", "unlucky/key": "publish denied", "show/key": "channel busy", "show/ké!": "invalid channel or key",
	} {
		var refused *rtmp.StatusError
		if _, err := stage.TryPublish(d.t, "", d.server.Addr, path); !errors.As(err, &refused) {
			d.t.Errorf("%s: %v", path, err)
		}
		d.ended(`reason="` + reason + `"`)
	}
	d.server.AwaitLines(2, stage.Soon, "msg=end", `reason="publish denied"`)
}

// get asks for something by HTTP, and reads a little of it.
func (d *day) get(method, url string) {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, url, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	_, _ = io.CopyN(io.Discard, r.Body, 1000)
	_ = r.Body.Close()
}

// web has viewers in browsers, and those who look for something else there.
func (d *day) web() {
	d.get(http.MethodGet, "http://"+d.page+"/show/key.flv")
	d.ended("role=player", " id=h")
	d.get(http.MethodGet, "http://"+d.page+"/show/guess.flv")
	d.server.AwaitLine("msg=refused", `reason="wrong key"`)
	for _, path := range []string{"", "favicon.ico", "robots.txt", "wp-login.php", ".env", "cgi-bin/luci"} {
		d.get(http.MethodGet, "http://"+d.page+"/"+path)
	}
	c, _, err := websocket.Dial(d.t.Context(), "ws://"+d.page+"/show/key.flv", nil) //nolint:bodyclose // it has none
	if err != nil {
		d.t.Fatal(err)
	}
	c.SetReadLimit(-1)
	if _, _, err := c.Read(d.t.Context()); err != nil {
		d.t.Error(err)
	}
	_ = c.Close(websocket.StatusNormalClosure, "")
	d.server.AwaitLines(2, stage.Soon, "msg=end", " id=h")
}

// operator ends a viewer and a channel.
func (d *day) operator() {
	s := d.server
	const channel = "kicked" // so that there is one line to find
	kicked := stage.Play(d.t, s, channel+"/key").Record()
	id := stage.Attr(s.AwaitLine("msg=play", "channel="+channel), "id")
	d.get(http.MethodDelete, d.admin+"api/v1/sessions/"+id+".1")
	d.ended(`reason="killed by an operator"`)
	kicked.AwaitEnd(stage.Soon)
	stage.Publish(d.t, s, "late/key").Record()
	s.AwaitLine("msg=publish", "channel=late")
	d.get(http.MethodDelete, d.admin+"api/v1/channels/late")
	d.ended(`reason="killed by command"`, "channel=late")
}

func (d *day) dial(addr string) net.Conn {
	d.t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = c.Close() })
	return c
}

// scans look what is there on the ports.
func (d *day) scans() {
	for range 20 {
		_ = d.dial(d.server.Addr).Close()
	}
	for _, text := range []string{"GET / HTTP/1.0\r\n\r\n", "SSH-2.0-Go\r\n", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", "EHLO mail\r\n"} {
		c := d.dial(d.server.Addr)
		_, _ = io.WriteString(c, text)
		_, _ = io.Copy(io.Discard, c)
	}
	secure := d.dial(d.server.SecureAddr())
	_, _ = io.WriteString(secure, "GET / HTTP/1.0\r\n\r\n")
	_, _ = io.Copy(io.Discard, secure)
	_ = secure.Close()
	untrusting := tls.Client(d.dial(d.server.SecureAddr()), &tls.Config{ServerName: "example.com"})
	if err := untrusting.HandshakeContext(d.t.Context()); err == nil {
		d.t.Error("a certificate of nobody is trusted")
	}
	_ = untrusting.Close()
	d.server.AwaitLine("msg=end", "TLS")
}

// told are the parts of a line that are the same each day.
var told = []string{"level", "msg", "role", "channel", "reason", "warning", "app", "session"}

// gist returns what a line says.
func gist(line string) string {
	var parts []string
	for _, name := range told {
		if value := stage.Attr(line, name); value != "" && !strings.ContainsAny(value, ".") {
			parts = append(parts, name+"="+value)
		}
	}
	return strings.Join(parts, " ")
}

// checkLog compares the lines with those that docs/log.md shows.
func checkLog(t *testing.T, lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/log.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^(?:time|level)=.*$`).FindAllString(string(text), -1)
	missing := func(what string, from, in []string) {
		known := make(map[string]bool)
		for _, line := range in {
			known[gist(line)] = true
		}
		for _, line := range from {
			if !known[gist(line)] {
				t.Errorf("%s: %s\n%s", what, gist(line), line)
			}
		}
	}
	missing("docs/log.md does not show", lines, shown)
	missing("docs/log.md shows what is not so", shown, lines)
}
