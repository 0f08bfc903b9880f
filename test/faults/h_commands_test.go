package faults

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// commandLimit is within how long a command has to act.
const commandLimit = 2 * time.Second

func TestCloseStreamClosesThatStreamOnly(t *testing.T) {
	t.Parallel()
	r := stage.StartRedis(t)
	f := begin(t, "H6", r.Settings()...)
	s := f.server
	s.AwaitLine(stage.RedisBack)
	first := stage.Publish(t, s, "channel/key")
	stale := stage.Attr(s.AwaitLine("msg=publish", "channel=channel"), "stream_id")
	if stale == "" {
		t.Fatal("the log names no stream id")
	}
	first.Reset()
	s.AwaitLine("msg=end", "role=publisher", "channel=channel")

	other := stage.StartPlainNumbered(t, s, "other")
	n := stage.StartPlainNumbered(t, s, "channel")
	id := stage.Attr(s.AwaitLines(2, stage.Soon, "msg=publish", "channel=channel")[1], "stream_id")
	otherID := stage.Attr(s.AwaitLine("msg=publish", "channel=other"), "stream_id")
	harmless := []string{
		"close-stream>channel|" + stale, "close-stream>channel|" + otherID, "close-stream>other|" + id,
		"close-stream>channel|" + strings.ToLower(id), "close-stream>channel|" + id[1:], "close-stream>channel|*",
		"close-stream>channel|", "close-stream>channel", "close-stream>|" + id, "close-stream>channel|" + id + "|",
	}
	r.Publish(harmless...)
	// Commands are carried out in their order.
	r.Publish("kill-session>nowhere")
	s.AwaitLine(stage.RedisDone, "nowhere")
	n.Flows()
	other.Flows()

	r.Publish("close-stream>channel|" + id)
	if !n.Answers.AwaitEnd(commandLimit) {
		t.Error("the publisher is still connected")
	}
	s.AwaitLine("msg=end", "role=publisher", "channel=channel", `reason="killed by command"`)
	stage.AwaitEvent(t, n.Viewer, 1, rtmp.CodePlayUnpublishNotify) // and stays
	stage.Publish(t, s, "channel/key")
	stage.AwaitEvent(t, n.Viewer, 2, rtmp.CodePlayPublishNotify)
	other.CheckUnharmed()
}

// The next publisher comes while orders to close the one before it are on their way.
func TestCloseStreamNeverClosesTheNextStream(t *testing.T) {
	t.Parallel()
	b := startBackend(t, (*stage.Backend).Accept)
	r := stage.StartRedis(t)
	f := begin(t, "H6", b.Settings(r.Settings()...)...)
	b.Watch(f.server)
	f.server.AwaitLine(stage.RedisBack)
	n := f.scale(60, 1000)
	const each = 3
	f.figure("streams", n)
	last := "S-NONE"
	for i := range n {
		order := "close-stream>channel|" + last
		var ordering sync.WaitGroup
		ordering.Go(func() { r.Publish(slices.Repeat([]string{order}, each)...) })
		c, err := stage.TryPublish(t, "", f.server.Addr, "channel/"+stage.CallbackKey)
		ordering.Wait()
		if err != nil {
			t.Fatalf("publisher %d: %v", i, err)
		}
		for _, d := range others(b.Ledger.All()) {
			if d.Kind == stage.DeedAccepted {
				last = d.ID
			}
		}
		if i == n-1 {
			break
		}
		_ = c.Conn.Close()
		b.Ledger.Await(stage.Soon, func(d stage.Deed) bool { return d.Kind == stage.DeedTaken && d.ID == last })
	}
	f.awaitCommands(n*each, "close-stream")
	f.figure("orders for streams of the past", n*each)
	if n := f.commands("close-stream", "done"); n != 0 {
		t.Errorf("%d orders have closed a stream", n)
	}
	r.Publish("close-stream>channel|" + last)
	f.awaitCommands(n*each+1, "close-stream")
	if n := f.commands("close-stream", "done"); n != 1 {
		t.Error("the order for the last stream has not closed it")
	}
}

// commands counts those that were carried out.
func (f *fault) commands(verb, result string) int {
	f.Helper()
	return int(f.metric("rtmp_redis_commands_total", fmt.Sprintf("verb=%q", verb), fmt.Sprintf("result=%q", result)))
}

// awaitCommands waits until n commands were carried out, whomever they met.
func (f *fault) awaitCommands(n int, verb string) {
	f.Helper()
	got := 0
	for start := time.Now(); time.Since(start) < stage.Soon; stage.Pause(f.Context(), 50*time.Millisecond) {
		if got = f.commands(verb, "done") + f.commands(verb, "missed"); got == n {
			return
		}
	}
	f.Errorf("%d of %d commands were carried out", got, n)
}

// A command does not wait for players that read no more, nor for a publisher whose
// backend does not answer, nor does the next one.
func TestKillSessionWaitsForNobody(t *testing.T) {
	t.Parallel()
	ctx, free := context.WithCancel(t.Context())
	defer free()
	b := startBackend(t, func(b *stage.Backend, w http.ResponseWriter, e stage.Event) {
		if e.Channel == "asked" {
			stage.Pause(ctx, time.Minute)
		}
		b.Accept(w, e)
	})
	r := stage.StartRedis(t)
	f := begin(t, "H3", b.Settings(r.Settings()...)...)
	b.Watch(f.server)
	f.server.AwaitLine(stage.RedisBack)
	n := f.scale(10, 100)
	f.figure("players that do not read", n)
	publisher := stage.Publish(t, f.server, "channel/"+stage.CallbackKey)
	publisher.Record()
	for i := range n {
		c, err := stage.TryPlay(t, host(i), f.server.Addr, "channel/"+stage.CallbackKey)
		if err == nil {
			err = c.Conn.SetReadBuffer(4 << 10)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 400 { // 8 MB, more than the kernels take
		m := stage.CanaryMessage(publisher.Stream, i)
		if err := publisher.WriteMessage(m); err != nil {
			t.Fatal(err)
		}
	}
	asked, key, err := stage.Open(t, "", f.server.Addr, "asked/"+stage.CallbackKey)
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	asking.Go(func() { _ = asked.Publish(asked.Stream, key) })
	b.Events.Await(stage.Soon, func(e stage.Event) bool { return e.Channel == "asked" })
	next := stage.Publish(t, f.server, "next/"+stage.CallbackKey).Record()

	start := time.Now()
	r.Publish("kill-session>asked", "kill-session>channel", "kill-session>next")
	if !next.AwaitEnd(commandLimit) {
		t.Error("the next command was not carried out")
	}
	f.figure("next command after", time.Since(start).Round(time.Millisecond))
	asking.Wait()
	if took := time.Since(start); took > commandLimit {
		t.Errorf("the publisher who waits for the backend was closed after %v", took)
	}
	f.server.AwaitLines(n+1, commandLimit, "msg=end", " channel=channel ", `reason="killed by command"`)
	f.server.AwaitLines(1, commandLimit, "msg=end", " channel=asked ", `reason="killed by command"`)
	f.figure("all closed after", time.Since(start).Round(time.Millisecond))
	free()
	awaitPairs(t, b, stage.Soon) // the backend has accepted somebody who was gone
}
