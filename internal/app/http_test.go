package app

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestViewersOverHTTPAreSeenCountedAndKicked has one of them wait for a channel.
func TestViewersOverHTTPAreSeenCountedAndKicked(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	a, err := New(ctx, settings(t, map[string]string{
		"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "ADMIN_ADDRESS": "127.0.0.1:0", "DRAIN_SECONDS": "0", "KEY_GUESSES_PER_MINUTE": "1",
	}), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.listeners.http, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	}()

	viewer, err := net.Dial("tcp", a.listeners.http.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = viewer.Close() }()
	_, _ = io.WriteString(viewer, "GET /live/secret.flv HTTP/1.1\r\nHost: x\r\nUser-Agent: eyes\r\n\r\n")
	client := newClient(t)
	sessions := "http://" + a.listeners.admin.Addr().String() + "/api/v1/sessions"
	var list struct {
		Sessions []struct{ ID, Protocol, Channel, Client string }
	}
	for late := time.Now().Add(10 * time.Second); len(list.Sessions) == 0; {
		if time.Now().After(late) {
			t.Fatal("the administration shows nobody")
		}
		_, body := get(t, client, sessions)
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
	}
	if got := list.Sessions[0]; got.ID != "h1" || got.Protocol != "http-flv" || got.Channel != "live" || got.Client != "eyes" {
		t.Errorf("the administration shows %+v", got)
	}
	wantMetrics(t, a, `rtmp_sessions{kind="player",protocol="http-flv"} 1`, `rtmp_connections{protocol="http-flv"} 1`,
		`rtmp_connections_accepted_total{protocol="http-flv"} 1`, `rtmp_connections_accepted_total{protocol="ws-flv"} 0`)

	kick, err := http.NewRequestWithContext(ctx, http.MethodDelete, sessions+"/h1", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(kick)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Errorf("kicking: %s", answer.Status)
	}
	if line, _ := bufio.NewReader(viewer).ReadString('\n'); line != "HTTP/1.1 403 Forbidden\r\n" {
		t.Errorf("the viewer is told %q", line)
	}
	_ = viewer.Close()
	for a.server.Connections() > 0 {
		a.http.Sessions()
	}
	wantMetrics(t, a, `rtmp_session_ends_total{kind="player",reason="killed by an operator"} 1`,
		`rtmp_session_ends_total{kind="player",reason="stream ended"} 0`, `rtmp_refusals_total{reason="not a request"} 0`)
}

func wantMetrics(t *testing.T, a *App, lines ...string) {
	t.Helper()
	answer := httptest.NewRecorder()
	a.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range lines {
		if !strings.Contains(answer.Body.String(), line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}
