package faults

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// commander is a control server that accepts everybody, and gives orders. What it
// decides is tried in test/e2e.
type commander struct {
	t    *testing.T
	http *httptest.Server

	mu      sync.Mutex
	peer    *websocket.Conn
	serving sync.WaitGroup
}

func startCommander(t *testing.T) *commander {
	t.Helper()
	c := &commander{t: t}
	c.http = httptest.NewServer(http.HandlerFunc(c.serve))
	t.Cleanup(func() {
		c.mu.Lock()
		if c.peer != nil {
			_ = c.peer.CloseNow()
		}
		c.mu.Unlock()
		c.http.Close()
		c.serving.Wait()
	})
	return c
}

func (c *commander) serve(w http.ResponseWriter, r *http.Request) {
	c.serving.Add(1)
	defer c.serving.Done()
	peer, err := websocket.Accept(w, r, nil)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer func() { _ = peer.CloseNow() }()
	c.mu.Lock()
	c.peer = peer
	c.mu.Unlock()
	for {
		_, text, err := peer.Read(context.Background())
		if err != nil {
			return
		}
		_, request, asked := strings.Cut(string(text), "Request-ID: ")
		if request, _, _ = strings.Cut(request, "\n"); asked && strings.HasPrefix(string(text), "PUBLISH-REQUEST") {
			c.say("PUBLISH-ACCEPT", "Request-ID: "+request, "Stream-ID: S-"+request)
		}
	}
}

// say sends a message on the newest connection.
func (c *commander) say(method string, fields ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stage.Soon)
	defer cancel()
	// A connection that has just ended does not take it; who waits for what comes
	// of it says it again.
	_ = c.peer.Write(ctx, websocket.MessageText, []byte(method+"\n"+strings.Join(fields, "\n")+"\n"))
}

func TestAPanicInAnOrderCostsThatOrder(t *testing.T) {
	t.Parallel()
	control := startCommander(t)
	f := beginAs(t, "I10", faultyServer(t), "FAULTINJECT=order@kept",
		"CONTROL_USE=YES", "CONTROL_BASE_URL="+control.http.URL, "CONTROL_SECRET="+stage.CallbackSecret)
	f.complaints = "msg=panic"
	kept := f.must(host(1), "kept", stage.Publishing)
	kill := func() { control.say("STREAM-KILL", "Stream-Channel: kept", "Stream-ID: *") }
	kill()
	f.eventually(stage.Soon, "a panic in an order", func() bool { return f.panics() == 1 })
	f.eventually(2*stage.Soon, "an order after it is carried out", func() bool {
		kill()
		return kept.seen.AwaitEnd(stage.Soon / 10)
	})
	if n := f.panics(); n != 1 {
		f.Errorf("%d panics were counted", n)
	}
}
