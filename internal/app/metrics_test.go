package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/AgustinSRG/rtmp-server/internal/rtmp"
)

// TestEveryPartIsCounted looks at the metrics of a server that has all parts, and
// one client.
func TestEveryPartIsCounted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	a, err := New(ctx, settings(t, map[string]string{
		"RTMP_PORT": "0", "BIND_ADDRESS": "127.0.0.1", "MAX_CONNECTIONS": "50", "DRAIN_SECONDS": "0",
		"CALLBACK_URL": "http://127.0.0.1:1/", "JWT_SECRET": strings.Repeat("s", 32),
		"REDIS_USE": "YES", "REDIS_PORT": "1",
	}), slog.New(slog.DiscardHandler), func() uint64 { return 3 })
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	conn, err := net.Dial("tcp", a.listeners.plain.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := rtmp.NewClient(conn)
	if _, err := client.Handshake(rtmp.SchemeSimple, rtmp.HandshakeOptions{Random: zeros{}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Connect(rtmp.ConnectOptions{App: "live"}); err != nil {
		t.Fatal(err)
	}
	id, err := client.CreateStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Publish(id, "key"); err == nil {
		t.Error("published although the callback does not answer")
	}
	_ = conn.Close()
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	answer := httptest.NewRecorder()
	a.metrics.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		"rtmp_build_info{",
		`rtmp_connections{protocol="rtmp"} 0`,
		`rtmp_connections_accepted_total{protocol="rtmp"} 1`,
		`rtmp_refusals_total{reason="publish denied"} 1`,
		`rtmp_session_ends_total{kind="publisher",reason="closed by client"} 0`,
		`rtmp_callback_seconds_count{event="start",result="failed"} 1`,
		`rtmp_callback_stops_pending 0`,
		`rtmp_redis_connected 0`,
		`rtmp_redis_commands_total{result="done",verb="kill-session"} 0`,
		`rtmp_panics_total 0`,
		`rtmp_log_lines_lost_total 3`,
		`rtmp_stream_warnings{warning="no-media"} 0`,
		`rtmp_budget_limit{budget="connections"} 50`,
		`rtmp_budget_used{budget="cache_bytes"} 0`,
		`rtmp_budget_used{budget="incomplete_message_bytes"} 0`,
		`rtmp_channels{state="live"} 0`,
		"go_goroutines", "process_open_fds",
	} {
		if !strings.Contains(answer.Body.String(), line) {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

func TestEventsOfAllPartsReachTheMetrics(t *testing.T) {
	m := newMetrics(settings(t, map[string]string{"REDIS_USE": "YES"}))
	observeCommands(m)("kill-session", "missed")
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if line := `rtmp_redis_commands_total{result="missed",verb="kill-session"} 1`; !strings.Contains(answer.Body.String(), line) {
		t.Errorf("the metrics lack %s", line)
	}
}
