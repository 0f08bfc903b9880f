package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

const controlSecret = "Marker: a secret of more than thirty-two bytes"

// coordinator is a control server: it keeps what it is sent and answers what it
// is told to.
type coordinator struct {
	t      *testing.T
	http   *httptest.Server
	frames *stage.Journal[frame]

	mu    sync.Mutex
	away  bool // refuses connections
	peers []*websocket.Conn
	ends  sync.WaitGroup
	// headers are those of each connection.
	headers *stage.Journal[http.Header]
}

// frame is a message of the server.
type frame struct {
	method string
	fields map[string]string
	on     int // the number of its connection, from 1
}

// startCoordinator runs a control server until the test ends.
func startCoordinator(t *testing.T) *coordinator {
	t.Helper()
	c := &coordinator{t: t, frames: stage.NewJournal[frame](), headers: stage.NewJournal[http.Header]()}
	c.http = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(func() {
		c.leave()
		c.http.Close()
		c.ends.Wait()
	})
	return c
}

func (c *coordinator) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if c.away || r.URL.Path != "/base/ws/control/rtmp" {
		c.mu.Unlock()
		http.Error(w, "not here", http.StatusServiceUnavailable)
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		c.mu.Unlock()
		c.t.Error(err)
		return
	}
	c.peers = append(c.peers, ws)
	on := len(c.peers)
	c.ends.Add(1)
	c.mu.Unlock()
	defer c.ends.Done()
	c.headers.Add(r.Header)
	for {
		_, text, err := ws.Read(context.Background())
		if err != nil {
			_ = ws.CloseNow()
			return
		}
		method, rest, _ := strings.Cut(string(text), "\n")
		f := frame{method, make(map[string]string), on}
		for line := range strings.Lines(rest) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			f.fields[name] = value
		}
		c.frames.Add(f)
	}
}

// leave cuts all connections, and refuses new ones.
func (c *coordinator) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = true
	for _, ws := range c.peers {
		_ = ws.CloseNow()
	}
}

func (c *coordinator) comeBack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.away = false
}

// send sends a message on the newest connection.
func (c *coordinator) send(method string, fields ...string) {
	c.t.Helper()
	c.mu.Lock()
	ws := c.peers[len(c.peers)-1]
	c.mu.Unlock()
	text := method + "\n" + strings.Join(fields, "\n") + "\n"
	ctx, cancel := context.WithTimeout(c.t.Context(), stage.Soon)
	defer cancel()
	if err := ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Error(err)
	}
}

// await waits for the nth message of a method about a channel.
func (c *coordinator) await(n int, method, channel string) frame {
	c.t.Helper()
	all, ok := c.frames.Await(stage.Soon, func(f frame) bool {
		if f.method == method && f.fields["Stream-Channel"] == channel {
			n--
		}
		return n == 0
	})
	if !ok {
		c.t.Fatalf("no %s for %s came, but %v", method, channel, all)
	}
	return all[len(all)-1]
}

// settings have a server ask this coordinator.
func (c *coordinator) settings(more ...string) []string {
	return append([]string{
		"CONTROL_USE=YES", "CONTROL_BASE_URL=" + c.http.URL + "/base", "CONTROL_SECRET=" + controlSecret,
		"MAX_IP_CONCURRENT_CONNECTIONS=0", "KEY_GUESSES_PER_MINUTE=0",
	}, more...)
}

const controlBack = `msg="coordinator connected"`

// startControlled runs a server that is connected to the coordinator.
func startControlled(t *testing.T, c *coordinator, more ...string) *stage.Server {
	t.Helper()
	s := stage.Start(t, c.settings(more...)...)
	s.AwaitLine(controlBack)
	return s
}

// answer has the next request for a channel answered.
func (c *coordinator) answer(n int, channel string, how func(request string)) {
	c.ends.Go(func() {
		all, ok := c.frames.Await(2*stage.Soon, func(f frame) bool {
			if f.method == "PUBLISH-REQUEST" && f.fields["Stream-Channel"] == channel {
				n--
			}
			return n == 0
		})
		if !ok {
			c.t.Errorf("no request for %s came", channel)
			return
		}
		how(all[len(all)-1].fields["Request-ID"])
	})
}

// accept has the nth request for a channel accepted.
func (c *coordinator) accept(n int, channel, streamID string) {
	c.answer(n, channel, func(request string) {
		c.send("PUBLISH-ACCEPT", "Request-ID: "+request, "Stream-ID: "+streamID)
	})
}

// checkToken verifies a token by hand: HS256, for the control server, and fresh.
func checkToken(token string, now time.Time) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return fmt.Errorf("a token of %d parts", len(parts))
	}
	mac := hmac.New(sha256.New, []byte(controlSecret))
	_, _ = mac.Write([]byte(parts[0] + "." + parts[1]))
	if parts[2] != base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) {
		return fmt.Errorf("another signature")
	}
	var head struct{ Alg string }
	var claims struct {
		Sub string
		Exp int64
	}
	for i, v := range []any{&head, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, v); err != nil {
			return err
		}
	}
	left := time.Unix(claims.Exp, 0).Sub(now)
	if head.Alg != "HS256" || claims.Sub != "rtmp-control" || left <= 0 || left > 3*time.Minute {
		return fmt.Errorf("algorithm %q, subject %q, valid for %v", head.Alg, claims.Sub, left)
	}
	return nil
}
