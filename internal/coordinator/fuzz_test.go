package coordinator

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// spoken are whole sessions of a coordinator: messages that end in NUL. "R1" is
// the id of the request under way.
var spoken = []string{
	"",
	"HEARTBEAT\n\x00",
	"PUBLISH-ACCEPT\nRequest-ID: R1\nStream-ID: s1\n\x00",
	"publish-accept\r\nrequest-id:R1\r\nSTREAM-id: s1\r\n\x00PUBLISH-DENY\nRequest-ID: R1\n\x00",
	"PUBLISH-ACCEPT\nRequest-ID: R1\nStream-ID: ../s1\n\x00",
	"PUBLISH-ACCEPT\nRequest-ID: R2\nStream-ID: s1\n\x00PUBLISH-ACCEPT\nRequest-ID: R1\nStream-ID: s2\n\x00",
	"PUBLISH-DENY\nRequest-ID: R1\n\x00",
	"STREAM-KILL\nStream-Channel: ch\nStream-ID: *\n\x00STREAM-KILL\nStream-Channel: ch\nStream-ID: s1\n\x00STREAM-KILL\n\x00",
	"ERROR\nCode: 1\nText: k3y-of-ch " + secret + "\n\x00nonsense\x00\n\n\x00",
	"PUBLISH-DENY\nRequest-ID: R1\n\x00ERROR\nText: no k3y-of-ch\n\x00",
	"\x81\x0bHEARTBEAT\n\n", // frames as they are on the wire
	"\x01\x04PUBL\x80\x03ISH",
	"\x88\x02\x03\xe8",
	"\x89\x00\x8a\x00\x82\x01x",
	"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
	"\x81\x80\x00\x00\x00\x00",
}

// maxSpoken keeps executions short.
const maxSpoken = 4 << 10

// FuzzLink has a coordinator say anything at all, as text messages or, if it is
// raw, below the frames of WebSocket, while a publisher waits: only what tells it
// so lets it in or kills a stream, secrets stay out of the log, and the next
// publisher is served as ever.
func FuzzLink(f *testing.F) {
	for _, text := range spoken {
		f.Add(text, false)
		f.Add(text, true)
	}
	f.Fuzz(func(t *testing.T, text string, raw bool) {
		text = text[:min(len(text), maxSpoken)]
		roomy := func(b *bench, _ *Options) { b.orders = make(chan string, maxSpoken) }
		simulate(t, roomy, func(b *bench) {
			p := b.connected()
			waiting := b.ask(b.Context(), publisher)
			id := p.request()
			text = strings.ReplaceAll(text, "R1", id)
			var want verdict
			if raw {
				p.sayRaw(text)
				want = verdict{open: true} // whether it came to that is for the library to say
			} else {
				want = judge(p.sayAll(text), id)
			}
			b.checkOrders(text, raw, want)
			p.cut()
			got := <-waiting.result
			if got.err == nil && !streamIDs.MatchString(got.streamID) {
				b.Errorf("accepted as %q", got.streamID)
			}
			if !want.open && (got.streamID != want.streamID || (got.err == nil) != (want.streamID != "")) {
				b.Errorf("answer %q, %v; want %q", got.streamID, got.err, want.streamID)
			}
			b.after(2 * time.Minute)
			b.servesTheNext()
		})
	})
}

// sayRaw writes bytes as they are.
func (p *peer) sayRaw(text string) {
	_ = p.raw.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = p.raw.Write([]byte(text))
	synctest.Wait()
}

// sayAll sends messages that end in NUL, and returns them.
func (p *peer) sayAll(text string) (said []string) {
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
	defer cancel()
	for message := range strings.SplitSeq(text, "\x00") {
		if err := p.ws.Write(ctx, websocket.MessageText, []byte(message)); err != nil {
			p.t.Errorf("after %d messages: %v", len(said), err)
			break
		}
		said = append(said, message)
	}
	synctest.Wait()
	return said
}

// verdict is what a coordinator decided.
type verdict struct {
	open     bool   // it is not known
	streamID string // empty unless the publisher was accepted
	orders   int
}

// judge reads frames in another way: the first that answers the request counts.
func judge(said []string, id string) (v verdict) {
	answered := false
	for _, text := range said {
		method, rest, _ := strings.Cut(text, "\n")
		lines := strings.Split(rest, "\n")
		if end := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" }); end >= 0 {
			lines = lines[:end]
		}
		streamID := valueOf(lines, "stream-id")
		switch strings.ToUpper(strings.TrimSpace(method)) {
		case methodAccept:
			if valueOf(lines, "request-id") == id && !answered {
				answered = true
				if streamID != "" && len(streamID) <= 256 && strings.Trim(streamID, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == "" {
					v.streamID = streamID
				}
			}
		case methodDeny:
			answered = answered || valueOf(lines, "request-id") == id
		case methodKill:
			if valueOf(lines, "stream-channel") != "" && streamID != "" {
				v.orders++
			}
		}
	}
	return v
}

// valueOf returns what stands behind the first name of that kind.
func valueOf(lines []string, name string) string {
	for _, line := range lines {
		if got, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(strings.TrimSpace(got), name) {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// checkOrders wants as many orders carried out as were given.
func (b *bench) checkOrders(text string, raw bool, want verdict) {
	b.Helper()
	got := 0
	for len(b.orders) > 0 {
		<-b.orders
		got++
	}
	if raw && got > len(text)/len(methodKill) || !raw && got != want.orders {
		b.Errorf("%d orders carried out, want %d", got, want.orders)
	}
}

// servesTheNext connects again, and has a publisher accepted.
func (b *bench) servesTheNext() {
	b.Helper()
	var p *peer
	for p == nil || len(b.peers) > 0 {
		p = <-b.peers
	}
	next := b.ask(b.Context(), publisher)
	for f := p.next(); f.method != ""; f = p.next() {
		if f.method == methodRequest {
			p.accept(f.get(fieldRequest), "next")
			next.accepted(b, "next")
			return
		}
	}
	b.Error("the next publisher is not asked about")
}
