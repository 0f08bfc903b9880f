package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/AgustinSRG/rtmp-server/test/stage"
)

// httpLimit is when a request that goes on for ever must be over: the 5 s it may
// take, and what a busy machine adds.
const httpLimit = 5*time.Second + late

// say connects and writes a text, over and over if it is to be repeated, until the
// server closes the connection, and returns how long that took.
func (f *fault) say(i int, addr, text, repeated string) (took time.Duration, answer string, ok bool) {
	f.Helper()
	r, err := f.connect(host(i), addr)
	if err != nil {
		f.Error(err)
		return 0, "", false
	}
	start := time.Now()
	_, err = io.WriteString(r, text)
	for repeated != "" && err == nil && time.Since(start) < httpLimit {
		_, err = io.WriteString(r, repeated)
	}
	_ = r.SetReadDeadline(start.Add(httpLimit))
	all, err := io.ReadAll(r)
	first, _, _ := strings.Cut(string(all), "\r\n")
	return time.Since(start), first, !os.IsTimeout(err)
}

const (
	httpRequest = "GET /" + stage.CanaryChannel + "/key.flv HTTP/1.1\r\nHost: x\r\n"
	openSocket  = httpRequest + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

func TestRequestsThatAreNoneEnd(t *testing.T) {
	t.Parallel()
	addr, port := stage.FreeAddr(t, "127.0.0.1")
	f := begin(t, "K1", "HTTP_PORT="+port)
	f.server.AwaitLine("msg=listening", "protocol=http ")
	block := strings.Repeat("x", 16<<10)
	rows := []struct{ name, text, repeated, answer string }{
		{"nothing", "", "", ""},
		{"half a line", "GET /canary/", "", ""},
		{"no end", httpRequest, "", ""},
		{"an endless line", "GET /", block, "HTTP/1.1 431 Request Header Fields Too Large"},
		{"an endless header", httpRequest + "X: ", block, "HTTP/1.1 431 Request Header Fields Too Large"},
		{"a million headers", httpRequest, strings.Repeat("X: y\r\n", 1000), "HTTP/1.1 431 Request Header Fields Too Large"},
		{"an upload", "POST /canary/key.flv HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n", block, "HTTP/1.1 405 Method Not Allowed"},
		{"a body behind a GET", httpRequest + "Content-Length: 1000000000000\r\n\r\n", block, ""},
		{"no HTTP", "\x03" + string(make([]byte, 1536)) + "\r\n\r\n", "", "HTTP/1.1 400 Bad Request"},
		{"HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", "HTTP/1.1 405 Method Not Allowed"},
	}
	var longest atomic.Int64
	crowd(len(rows), func(i int) {
		row := rows[i]
		took, answer, ok := f.say(i, addr, row.text, row.repeated)
		if !ok {
			f.Errorf("%s is still open after %v", row.name, took)
		}
		// A reset may overtake the answer to who goes on talking.
		if answer != "" && !strings.HasPrefix(answer, row.answer) {
			f.Errorf("%s was answered with %q", row.name, answer)
		}
		longest.Store(max(longest.Load(), int64(took)))
	})
	f.figure("requests", len(rows))
	f.figure("closed after at most", time.Duration(longest.Load()).Round(time.Millisecond))
}

func TestWebSocketsThatMisbehaveEnd(t *testing.T) {
	t.Parallel()
	addr, port := stage.FreeAddr(t, "127.0.0.1")
	f := begin(t, "K2", "HTTP_PORT="+port)
	f.server.AwaitLine("msg=listening", "protocol=http ")
	ping := "\x89\x84\x00\x00\x00\x00ping"
	rows := []struct{ name, frames, reason string }{
		{"pings", strings.Repeat(ping, 1000), "too many messages"},
		{"empty frames", strings.Repeat("\x82\x80\x00\x00\x00\x00", 1000), "too many messages"},
		{"a frame of an exabyte", "\x82\xff\x0f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00" + string(make([]byte, 4096)), "too many messages"},
		{"an upload", strings.Repeat("\x82\xfe\xff\xff\x00\x00\x00\x00"+string(make([]byte, 65535)), 20), "too many messages"},
		{"frames without a mask", strings.Repeat("\x82\x01x", 100), "protocol error"},
		{"reserved bits", "\xf2\x80\x00\x00\x00\x00", "protocol error"},
	}
	n := f.scale(5, 50) // of each
	crowd(len(rows)*n, func(i int) {
		row := rows[i%len(rows)]
		if took, _, ok := f.say(i, addr, openSocket+row.frames, ""); !ok {
			f.Errorf("%s: still open after %v", row.name, took)
		}
	})
	for _, row := range rows {
		f.server.AwaitLine("msg=end", "role=player", fmt.Sprintf("reason=%q", row.reason))
	}
	f.figure("connections", len(rows)*n)
}

// Those who say nothing over HTTP keep nobody out, whatever protocol they speak, even
// where they are as many as the server takes.
func TestSilentHTTPConnectionsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	addr, port := stage.FreeAddr(t, "127.0.0.1")
	f := begin(t, "K3", "HTTP_PORT="+port, "MAX_CONNECTIONS=400")
	f.server.AwaitLine("msg=listening", "protocol=http ")
	n := f.scale(500, 5000)
	crowd(20, func(i int) {
		for k := i; k < n; k += 20 {
			// One that had to make room at once may learn of it while it connects.
			if _, err := f.connect(host(k), addr); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				f.Error(err)
				return
			}
		}
	})
	f.joinsAtOnce()
	start := time.Now()
	r, err := f.connect(host(n), addr)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := io.WriteString(r, httpRequest+"\r\n"); err != nil {
		f.Fatal(err)
	}
	_ = r.SetReadDeadline(start.Add(stage.Soon))
	film := make([]byte, 4*stage.CanaryBytes)
	if _, err := io.ReadFull(r, film); err != nil || !bytes.HasPrefix(film, []byte("HTTP/1.1 200 OK\r\n")) {
		f.Errorf("a viewer over HTTP got %q, %v", film[:40], err)
	}
	f.figure("sockets", n)
	f.figure("HTTP viewer served after", time.Since(start).Round(time.Millisecond))
}
